package cctest

import (
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
)

// A problem is an error response of RFC 6749, section 5.2.
type problem struct {
	status            int
	code, description string
	header            http.Header
}

func invalidRequest(description string) *problem {
	return &problem{status: http.StatusBadRequest, code: "invalid_request", description: description}
}

// invalidClient always carries the challenge that RFC 6749 demands where the client used the Authorization header,
// and RFC 9110 with any 401.
func invalidClient(description string) *problem {
	return &problem{
		status: http.StatusUnauthorized, code: "invalid_client", description: description,
		header: http.Header{"Www-Authenticate": {`Basic realm="cctest"`}},
	}
}

func (p *problem) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.header)
	writeJSON(w, p.status, map[string]any{"error": p.code, "error_description": p.description})
}

func writeJSON(w http.ResponseWriter, status int, members map[string]any) {
	body, err := json.Marshal(members)
	if err != nil { // only a TokenResponse hook can put such a value in
		http.Error(w, "cctest: "+err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}

// single are the parameters that may come once: RFC 6749, section 3.2, forbids to repeat any, but also says to ignore
// what is not known, and resource (RFC 8707) may be repeated.
var single = []string{
	"grant_type", "scope", "client_id", "client_secret", "client_assertion", "client_assertion_type", "token",
	"token_type_hint",
}

// parseForm reads the body of a request to one of the endpoints that take a form.
func parseForm(w http.ResponseWriter, r *http.Request) (url.Values, *problem) {
	if r.Method != http.MethodPost {
		p := invalidRequest("the method must be POST")
		p.status = http.StatusMethodNotAllowed
		p.header = http.Header{"Allow": {http.MethodPost}}
		return nil, p
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil ||
		t != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("the Content-Type must be application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		return nil, invalidRequest("the body cannot be read, or is larger than 1 MiB")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalidRequest("the body is not a form")
	}
	for _, name := range single {
		switch values, ok := form[name]; {
		case len(values) > 1:
			return form, invalidRequest(name + " is repeated")
		case ok && values[0] == "":
			// A parameter without a value counts as left out (section 3.1): a client that sends one has a fault to be
			// found.
			return form, invalidRequest(name + " is empty")
		}
	}
	if name := misplacedSecret(r.URL); name != "" {
		return form, invalidRequest(name + " must not be in the URL")
	}
	return form, nil
}

// misplacedSecret names a parameter that must not be in a URL (RFC 6749, section 2.3.1), but is.
func misplacedSecret(u *url.URL) string {
	query := u.Query()
	for _, name := range []string{"client_secret", "client_assertion"} {
		if query.Has(name) {
			return name
		}
	}
	return ""
}
