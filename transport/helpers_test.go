package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

// source gives its tokens one after the other, the next one whenever the current one is invalidated.
type source struct {
	mu          sync.Mutex
	tokens      []*oauth2.Token
	asked       int
	invalidated []string
}

func bearer(values ...string) *source {
	s := new(source)
	for _, v := range values {
		s.tokens = append(s.tokens, &oauth2.Token{AccessToken: v})
	}
	return s
}

func bound(values ...string) *source {
	s := bearer(values...)
	for _, tok := range s.tokens {
		tok.TokenType = "dpop"
	}
	return s
}

var errNoToken = errors.New("the token server is down")

func (s *source) Token(context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if len(s.tokens) == 0 {
		return nil, errNoToken
	}
	return s.tokens[0], nil
}

func (s *source) Invalidate(rejected *oauth2.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.invalidated = append(s.invalidated, rejected.AccessToken)
	if len(s.tokens) > 0 && s.tokens[0].AccessToken == rejected.AccessToken {
		s.tokens = s.tokens[1:]
	}
}

// sourceFunc is a Source that is no Invalidator.
type sourceFunc func(context.Context) (*oauth2.Token, error)

func (f sourceFunc) Token(ctx context.Context) (*oauth2.Token, error) { return f(ctx) }

// base is a server in memory: it keeps what it is sent, reads and closes each body, and answers by its script, of
// which the last line is repeated.
type base struct {
	mu     sync.Mutex
	script []reply
	seen   []seen
}

type reply struct {
	status int
	header http.Header
	body   io.ReadCloser
	err    error
}

type seen struct {
	request *http.Request
	header  http.Header
	body    string
}

func answers(script ...reply) *base { return &base{script: script} }

func challenges(lines ...string) http.Header { return http.Header{"Www-Authenticate": lines} }

func (b *base) RoundTrip(req *http.Request) (*http.Response, error) {
	s := seen{request: req, header: req.Header.Clone()}
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		s.body = string(data)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, s)
	r := reply{status: 200}
	if len(b.script) > 0 {
		r = b.script[min(len(b.seen), len(b.script))-1]
	}
	if r.err != nil {
		return nil, r.err
	}
	if r.body == nil {
		r.body = io.NopCloser(strings.NewReader(http.StatusText(r.status)))
	}
	if r.header == nil {
		r.header = make(http.Header)
	}
	return &http.Response{StatusCode: r.status, Header: r.header, Body: r.body, Request: req}, nil
}

// authorizations returns the Authorization values that were sent, in order.
func (b *base) authorizations() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, s := range b.seen {
		all = append(all, s.header.Get("Authorization"))
	}
	return strings.Join(all, ", ")
}

// body is a request body that counts how often it is closed.
type body struct {
	io.Reader
	closed atomic.Int32
}

func newBody(text string) *body { return &body{Reader: strings.NewReader(text)} }

func (b *body) Close() error {
	b.closed.Add(1)
	return nil
}

func (b *body) closedOnce(t *testing.T) {
	t.Helper()
	if n := b.closed.Load(); n != 1 {
		t.Errorf("the body was closed %d times", n)
	}
}

func request(t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// roundTrip sends req and returns the status and the body of the response.
func roundTrip(t *testing.T, tr *transport.Transport, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
