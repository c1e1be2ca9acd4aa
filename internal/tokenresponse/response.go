// Package tokenresponse reads what a token endpoint answers (RFC 6749, section 5): bytes become members, and members a
// token or a refusal. It is strict where that protects and lenient where servers differ. The texts of a [Refusal] and
// of some errors are the server's words: they may repeat credentials, and are to be cleaned before anybody reads them.
package tokenresponse

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// MaxBytes is the most that is worth reading of a response's body: far above any token.
const MaxBytes = 1 << 20

// A Response is a token endpoint's response, read whole.
type Response struct {
	Status   int
	Header   http.Header
	Body     []byte
	Received time.Time
}

// OK reports whether the status is a success, which promises a token.
func (r Response) OK() bool { return r.Status/100 == 2 }

// Members are a response's members, by name. A value is what encoding/json makes of it; from a form all are strings.
type Members map[string]any

// An Unreadable error says that a body is neither JSON nor a form. The body is not quoted: it may hold anything.
type Unreadable struct {
	Media string // the declared media type, in the server's words; empty if there is none
	HTML  bool   // the body is a page for people
	Title string // the page's title, in the server's words
}

func (e Unreadable) Error() string {
	what := "the answer is neither a JSON object nor a form"
	if e.HTML {
		what = "this does not look like a token endpoint"
	}
	return what + " (" + cmp.Or(e.Media, "no content type") + ")"
}

// Members returns what the body holds, read as what it looks like: servers are careless with Content-Type, which
// decides only where the body leaves a doubt. A JSON object is what RFC 6749 wants; GitHub and others answer with a
// form. The error is [Unreadable] if it is neither.
func (r Response) Members() (Members, error) {
	media := r.mediaType()
	body := bytes.TrimSpace(bytes.TrimPrefix(r.Body, []byte("\uFEFF")))
	switch {
	case len(body) == 0:
		return nil, errors.New("the answer is empty")
	case body[0] == '{':
		return decodeObject(body)
	case body[0] == '<' || strings.Contains(media, "html"):
		return nil, Unreadable{Media: media, HTML: true, Title: title(body)}
	case media == "" || media == "text/plain" || media == "application/x-www-form-urlencoded":
		if m := decodeForm(body); m != nil {
			return m, nil
		}
	}
	return nil, Unreadable{Media: media}
}

// mediaType returns the declared type in lower case, if it is a plausible one.
func (r Response) mediaType() string {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || len(media) > 100 {
		return ""
	}
	return media
}

// title returns the title of a page: Shopify, for one, has its error code there ("400 - Oauth error
// app_not_installed"), and proxies name themselves.
func title(page []byte) string {
	_, rest, found := bytes.Cut(page, []byte("<title>"))
	text, _, closed := bytes.Cut(rest, []byte("</title>"))
	if !found || !closed || len(text) > 1000 {
		return ""
	}
	return html.UnescapeString(string(text))
}

// decodeObject reads one JSON object. Numbers become float64, as x/oauth2 has them, but one that no float64 can hold
// does not spoil the rest.
func decodeObject(body []byte) (Members, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var m Members
	switch err := dec.Decode(&m); {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fmt.Errorf("the answer is cut short: %d bytes of JSON without an end", len(body))
	case err != nil: // its text may quote the answer
		return nil, fmt.Errorf("the answer is not valid JSON, from byte %d on", dec.InputOffset())
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("the answer goes on after its JSON object, from byte %d on", dec.InputOffset())
	}
	for name, v := range m {
		m[name] = floats(v)
	}
	return m, nil
}

// floats turns the json.Numbers in v into float64.
func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := seconds.Number(v)
		return f
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = floats(v[name])
		}
	}
	return v
}

// decodeForm reads a form that is a token or an error response; it returns nil if body is none.
func decodeForm(body []byte) Members {
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("access_token") && !form.Has("error") {
		return nil
	}
	m := make(Members, len(form))
	for name := range form {
		m[name] = form.Get(name)
	}
	return m
}
