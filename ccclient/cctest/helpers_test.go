package cctest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

const tokenURL = "https://as.example/token"

// A reply is an answer in a form that tests can compare.
type reply struct {
	status  int
	header  http.Header
	members map[string]any
	body    string
}

func (r reply) str(name string) string {
	v, _ := r.members[name].(string)
	return v
}

// do sends a request in process and reads the whole answer.
func do(t *testing.T, rt http.RoundTripper, r *http.Request) reply {
	t.Helper()
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, body: string(body)}
	json.Unmarshal(body, &out.members)
	return out
}

// form is a POST of name, value, name, value, …
func form(ctx context.Context, target string, pairs ...string) *http.Request {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(values.Encode()))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// grant is the token request of the default client, with more parameters.
func grant(t *testing.T, more ...string) *http.Request {
	r := form(t.Context(), tokenURL, append([]string{"grant_type", "client_credentials"}, more...)...)
	r.SetBasicAuth(cctest.DefaultClientID, cctest.DefaultClientSecret)
	return r
}

// newToken asks for a token as the default client.
func newToken(t *testing.T, s *cctest.Server, more ...string) string {
	t.Helper()
	got := do(t, s.RoundTripper(), grant(t, more...))
	if got.status != http.StatusOK {
		t.Fatalf("token request answered %d %s", got.status, got.body)
	}
	return got.str("access_token")
}

var ok = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })

// call spends a token at what Protect protects.
func call(t *testing.T, h http.Handler, authorization string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/things?x=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return do(t, cctest.RoundTripper(h), r)
}
