package protectedresource_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ccclient/go-ccclient/transport/mcpauth/internal/protectedresource"
)

const (
	endpoint = "https://mcp.example.com/mcp"
	atPath   = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
	atRoot   = "https://mcp.example.com/.well-known/oauth-protected-resource"
	issuer   = "https://login.example.com"
)

// A server answers requests without a socket, and notes them.
type server struct {
	mu      sync.Mutex
	asked   []string
	answers func(r *http.Request) (*http.Response, error)
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.String())
	return s.answers(r)
}

func (s *server) reader() *protectedresource.Reader {
	return protectedresource.NewReader(&http.Client{Transport: s})
}

func answer(code int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Header: h, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// only answers at one place alone.
func only(
	place string, answers func(*http.Request) (*http.Response, error),
) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		if r.URL.String() != place {
			return answer(404, "")(r)
		}
		return answers(r)
	}
}

func of(resource string) func(*http.Request) (*http.Response, error) {
	return answer(200, fmt.Sprintf(`{"resource":%q,"authorization_servers":[%q]}`, resource, issuer))
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestMetadataAreWhereTheStandardHasThem(t *testing.T) {
	for name, tc := range map[string]struct {
		url, place, resource string
		asked                []string
	}{
		"path":             {endpoint, "", endpoint, []string{atPath}},
		"root":             {endpoint, "", "https://mcp.example.com", []string{atPath, atRoot}},
		"root with slash":  {endpoint, "", "https://mcp.example.com/", []string{atPath, atRoot}},
		"at the root":      {"https://mcp.example.com", "", "https://mcp.example.com", []string{atRoot}},
		"slash":            {"https://mcp.example.com/", "", "https://mcp.example.com/", []string{atRoot}},
		"slash, not said":  {"https://mcp.example.com/", "", "https://mcp.example.com", []string{atRoot}},
		"fragment":         {endpoint + "#x", "", endpoint, []string{atPath}},
		"terminated path":  {endpoint + "/", "", endpoint + "/", []string{atPath + "/"}},
		"escaped":          {endpoint + "/a%2Fb", "", endpoint + "/a%2Fb", []string{atPath + "/a%2Fb"}},
		"query":            {endpoint + "?a=b/c", "", endpoint + "?a=b/c", []string{atPath + "?a=b/c"}},
		"query at root":    {"https://mcp.example.com/?a", "", "https://mcp.example.com/?a", []string{atRoot + "?a"}},
		"port":             {"https://h:8443/a/b", "", "https://h:8443/a/b", []string{"https://h:8443/.well-known/oauth-protected-resource/a/b"}},
		"loopback":         {"http://127.0.0.1:80/m", "", "http://127.0.0.1:80/m", []string{"http://127.0.0.1:80/.well-known/oauth-protected-resource/m"}},
		"said":             {endpoint, "https://mcp.example.com/meta", endpoint, []string{"https://mcp.example.com/meta"}},
		"said, elsewhere":  {endpoint, "https://meta.example.com/mcp", endpoint, []string{"https://meta.example.com/mcp"}},
		"said, at root":    {endpoint, atRoot, "https://mcp.example.com", []string{atRoot}},
		"said, of loopack": {"http://[::1]:9/m", "http://[::1]:9/x", "http://[::1]:9/m", []string{"http://[::1]:9/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{answers: only(tc.asked[len(tc.asked)-1], of(tc.resource))}
			m, err := s.reader().Read(t.Context(), parse(t, tc.url), tc.place)
			if err != nil {
				t.Fatal(err)
			}
			if m.Resource != tc.resource || !slices.Equal(m.AuthorizationServers, []string{issuer}) {
				t.Errorf("%+v", m)
			}
			if !slices.Equal(s.asked, tc.asked) {
				t.Errorf("asked %q, want %q", s.asked, tc.asked)
			}
		})
	}
}

func TestMetadataOfAnotherResourceAreRefused(t *testing.T) {
	for _, resource := range []string{
		"https://evil.example.com/mcp", "https://mcp.example.com", "https://mcp.example.com/", endpoint + "/", endpoint + "?",
		endpoint + "#", "https://MCP.example.com/mcp", "https://mcp.example.com:443/mcp", "http://mcp.example.com/mcp",
		"https://mcp.example.com/mcp2", "https://mcp.example.com/%6dcp", " " + endpoint,
	} {
		for _, place := range []string{"", "https://mcp.example.com/meta"} {
			s := &server{answers: of(resource)}
			m, err := s.reader().Read(t.Context(), parse(t, endpoint), place)
			if err == nil || !strings.Contains(err.Error(), "it is for resource") {
				t.Errorf("%q: %+v, %v", resource, m, err)
			}
			if len(s.asked) != 1 {
				t.Errorf("%q: asked %q", resource, s.asked)
			}
		}
	}
}

func TestWhatIsNotSecureIsNotAsked(t *testing.T) {
	for _, tc := range []struct{ url, place, fault string }{
		{"http://mcp.example.com/mcp", "", "only https"},
		{"http://LocalHost/mcp", "", "only https"},
		{"https://user:canary@mcp.example.com/mcp?canary", "", "user name or password"},
		{"urn:example", "", "not an absolute URL"},
		{"/mcp", "", "not an absolute URL"},
		{endpoint, "http://mcp.example.com/meta", "resource_metadata of its challenge: only https"},
		{endpoint, "http://127.0.0.1/canary", "resource_metadata of its challenge: not https"},
		{endpoint, "/meta", "not an absolute URL"},
		{endpoint, "file:///etc/canary", "not an absolute URL"},
		{endpoint, "ftp://mcp.example.com/canary", "only https"},
		{endpoint, "https://user:canary@mcp.example.com/", "user name or password"},
		{endpoint, "https://%zz\ncanary", "not a URL"},
	} {
		s := &server{answers: of(endpoint)}
		_, err := s.reader().Read(t.Context(), parse(t, tc.url), tc.place)
		if err == nil || !strings.Contains(err.Error(), tc.fault) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q, %q: %v, want %q", tc.url, tc.place, err, tc.fault)
		}
		if len(s.asked) > 0 {
			t.Errorf("%q, %q: asked", tc.url, tc.place)
		}
	}
}

func TestErrorSaysWhatWasMetWhere(t *testing.T) {
	reset := errors.New("connection reset")
	for name, tc := range map[string]struct {
		answers func(*http.Request) (*http.Response, error)
		place   string
		text    string
	}{
		"nothing":   {answer(404, ""), "", "GET " + atPath + ": 404 Not Found; GET " + atRoot + ": 404 Not Found"},
		"redirect":  {answer(302, "", "Location", "https://u:canary@evil.example/canary"), "", `302 Found, a redirect to host "evil.example", which is not followed`},
		"page":      {answer(200, "<html>"), "", atRoot + ": not a JSON object"},
		"null":      {answer(200, "null"), "", "not a JSON object"},
		"resource":  {answer(200, `{"resource":1}`), "", "no resource"},
		"any case":  {answer(200, `{"Resource":"`+endpoint+`"}`), "", "no resource"},
		"servers":   {answer(200, `{"resource":"`+endpoint+`","authorization_servers":"x"}`), "", "authorization_servers is not"},
		"large":     {answer(200, strings.Repeat(" ", 1<<20)+`{}`), "", "larger than 1 MiB"},
		"no answer": {func(*http.Request) (*http.Response, error) { return nil, reset }, "", `resource "` + endpoint + `": no usable metadata: GET ` + atPath + ": connection reset"},
		"said":      {answer(404, ""), "https://mcp.example.com/meta?canary", "GET https://mcp.example.com/meta: 404 Not Found"},
	} {
		s := &server{answers: tc.answers}
		_, err := s.reader().Read(t.Context(), parse(t, endpoint), tc.place)
		if err == nil || !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", name, err, tc.text)
		}
		if name == "no answer" && (len(s.asked) != 1 || !errors.Is(err, reset)) {
			t.Errorf("asked %q, %v", s.asked, err)
		}
	}
}

func TestMetadataAreKeptForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answers: of(endpoint)}
		r := s.reader()
		read := func(place string, want int) {
			t.Helper()
			if _, err := r.Read(t.Context(), parse(t, endpoint), place); err != nil {
				t.Fatal(err)
			}
			if len(s.asked) != want {
				t.Errorf("%d requests, want %d", len(s.asked), want)
			}
		}
		read("", 1)
		time.Sleep(10*time.Minute - time.Nanosecond)
		read("", 1)
		time.Sleep(time.Nanosecond)
		read("", 2)
		read("https://mcp.example.com/meta", 3) // of another question
		read("https://mcp.example.com/meta", 3)
		s.answers = answer(503, "")
		if _, err := r.Read(t.Context(), parse(t, endpoint), ""); err == nil {
			t.Error("no error")
		}
	})
}

func TestSearchEndsWithItsContextAndAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answers: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		start := time.Now()
		_, err := s.reader().Read(t.Context(), parse(t, endpoint), "")
		if took := time.Since(start); took != 10*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		s.reader().Read(ctx, parse(t, endpoint), "")
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// endless is a body that counts what is read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

func TestNoMoreThanOneMiBIsRead(t *testing.T) {
	body := new(endless)
	s := &server{answers: func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Request: r, Body: body}, nil
	}}
	_, err := s.reader().Read(t.Context(), parse(t, "https://mcp.example.com"), "")
	if err == nil || body.read > 1<<20+1 {
		t.Errorf("%d bytes were read: %v", body.read, err)
	}
}

func TestListsAreBounded(t *testing.T) {
	many := `["` + strings.Repeat(`a","`, 9999) + `a"]`
	s := &server{answers: answer(200, `{"resource":"`+endpoint+`","authorization_servers":`+many+`,"scopes_supported":`+many+`}`)}
	m, err := s.reader().Read(t.Context(), parse(t, endpoint), "")
	if err != nil || len(m.AuthorizationServers) != 64 || len(m.Scopes) != 256 {
		t.Errorf("%d, %d, %v", len(m.AuthorizationServers), len(m.Scopes), err)
	}
}

func TestWhatIsNotNeededMayBeOfAnyForm(t *testing.T) {
	for body, want := range map[string]protectedresource.Metadata{
		`{"resource":"x","scopes_supported":"a b","dpop_bound_access_tokens_required":"no"}`: {},
		`{"resource":"x","scopes_supported":["a",1]}`:                                        {},
		`{"resource":"x","authorization_servers":null,"scopes_supported":null}`:              {},
		`{"resource":"x","scopes_supported":["a"],"dpop_bound_access_tokens_required":true}`: {Scopes: []string{"a"}, DPoPRequired: true},
	} {
		s := &server{answers: answer(200, strings.Replace(body, `"x"`, `"`+endpoint+`"`, 1))}
		m, err := s.reader().Read(t.Context(), parse(t, endpoint), "")
		if err != nil || !slices.Equal(m.Scopes, want.Scopes) || m.DPoPRequired != want.DPoPRequired ||
			m.AuthorizationServers != nil {
			t.Errorf("%s: %+v, %v", body, m, err)
		}
	}
}

func TestRequestIsPlain(t *testing.T) {
	jar := &jar{t: t}
	s := &server{answers: func(r *http.Request) (*http.Response, error) {
		if r.Method != "GET" || r.Header.Get("Accept") != "application/json" || len(r.Header) != 1 {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		return of(endpoint)(r)
	}}
	r := protectedresource.NewReader(&http.Client{Transport: s, Jar: jar})
	if _, err := r.Read(t.Context(), parse(t, endpoint), ""); err != nil {
		t.Error(err)
	}
}

type jar struct{ t *testing.T }

func (j *jar) SetCookies(*url.URL, []*http.Cookie) { j.t.Error("a cookie was kept") }
func (j *jar) Cookies(*url.URL) []*http.Cookie     { j.t.Error("a cookie was asked for"); return nil }

// printable reports whether an error is of one line, short, and of good form.
func printable(err error) bool {
	text := err.Error()
	return utf8.ValidString(text) && len(text) < 3000 &&
		!strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

func TestForeignTextIsCleaned(t *testing.T) {
	for _, text := range []string{"evil\r\n\x1b[2J\u202e\u2028\u0085\x00\xff", strings.Repeat("<", 100_000)} {
		for name, answers := range map[string]func(*http.Request) (*http.Response, error){
			"error":    func(*http.Request) (*http.Response, error) { return nil, errors.New(text) },
			"page":     answer(200, text),
			"redirect": answer(302, "", "Location", "https://"+text+".example/"),
			"resource": of(text),
		} {
			s := &server{answers: answers}
			if _, err := s.reader().Read(t.Context(), parse(t, endpoint), ""); err == nil || !printable(err) {
				t.Errorf("%s: %.300q", name, err)
			}
		}
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add(endpoint, "", `{"resource":"`+endpoint+`","authorization_servers":["`+issuer+`"],"scopes_supported":["a"]}`)
	f.Add("https://mcp.example.com/?q", atRoot, `{"resource":"https://mcp.example.com/"}`)
	f.Add("http://127.0.0.1:1/a%2Fb?c#d", "http://127.0.0.1:2/x", `{"resource":1}`)
	f.Fuzz(func(t *testing.T, asked, place, body string) {
		u, err := url.Parse(asked)
		if err != nil {
			return
		}
		s := &server{answers: answer(200, body)}
		r := s.reader()
		m, err := r.Read(t.Context(), u, place)
		for _, got := range s.asked {
			p := parse(t, got)
			if p.User != nil || p.Scheme != "https" && (p.Scheme != "http" || u.Scheme != "http") {
				t.Errorf("%q was asked for", got)
			}
		}
		if err != nil {
			if !printable(err) {
				t.Errorf("%q", err)
			}
			return
		}
		if len(m.AuthorizationServers) > 64 || len(m.Scopes) > 256 {
			t.Error("no bounds")
		}
		if m.Resource != strings.TrimSuffix(u.String(), "#"+u.EscapedFragment()) &&
			strings.TrimSuffix(m.Resource, "/") != u.Scheme+"://"+u.Host {
			t.Errorf("resource %q for %q", m.Resource, asked)
		}
		if again, err := r.Read(t.Context(), u, place); err != nil || again != m {
			t.Error("not kept")
		}
	})
}
