package mcpauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
	"github.com/ccclient/go-ccclient/transport/mcpauth"
)

func quoted(text string) string { return `"` + text + `"` }

// answerTo returns a request to a server, with a token, and its answer.
func answerTo(t *testing.T, at, token string, status int, challenges ...string) (*http.Request, *http.Response) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", at, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp := &http.Response{StatusCode: status, Request: req, Body: io.NopCloser(strings.NewReader("no")),
		Header: http.Header{"Www-Authenticate": challenges}}
	return req, resp
}

// meet has h meet a challenge of the rig's server.
func meet(t *testing.T, h auth.OAuthHandler, status int, challenge, token string) error {
	t.Helper()
	req, resp := answerTo(t, endpoint, token, status, challenge)
	return h.Authorize(t.Context(), req, resp)
}

// tokenOf returns the token that h would send; empty: none.
func tokenOf(t *testing.T, h auth.OAuthHandler) string {
	t.Helper()
	s, err := h.TokenSource(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s == nil {
		return ""
	}
	tok, err := s.Token()
	if err != nil {
		t.Fatal(err)
	}
	return tok.AccessToken
}

const bearer = `Bearer resource_metadata="` + metadata + `"`

// inBubble runs f with a rig and a handler for it.
func inBubble(t *testing.T, o cctest.Options, f func(t *testing.T, r *rig, h auth.OAuthHandler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(o)
		r := newRig(t, as)
		f(t, r, r.handler(newClient(t, as)))
	})
}

// fails reports an error that is missing, or lacks text, or does not have the prefix once.
func fails(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), "ccclient: ") ||
		strings.Count(err.Error(), "ccclient: ") != 1 {
		t.Errorf("got %v, want an error about %q", err, text)
	}
}

func TestNoTokenBeforeTheFirstChallenge(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		equal(t, "token", tokenOf(t, h), "")
		if err := meet(t, h, 401, bearer, ""); err != nil {
			t.Fatal(err)
		}
		if tokenOf(t, h) == "" {
			t.Error("none after it")
		}
	})
}

func TestFirstServerThatTheProgramKnowsIsUsed(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, _ auth.OAuthHandler) {
		r.resource.AuthorizationServers = []string{"https://evil.example", issuer + "/", issuer, "https://other.example"}
		var heard []string
		known := is(newClient(t, r.as))
		h := mcpauth.Handler(mcpauth.Options{HTTPClient: r.http, Client: func(
			ctx context.Context, at string,
		) (*ccclient.Client, error) {
			heard = append(heard, at)
			return known(ctx, at)
		}})
		if err := meet(t, h, 401, bearer, ""); err != nil {
			t.Fatal(err)
		}
		equals(t, "asked about", heard, "https://evil.example", issuer+"/", issuer)
		equal(t, "token requests", r.as.Stats().TokenRequests, 1)
	})
}

func TestServersThatNobodyKnowsGetNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		servers []string
		client  func(context.Context, string) (*ccclient.Client, error)
		text    string
	}{
		"unknown":      {[]string{"https://evil.example/\x1b"}, is(nil), `no client for any of the server's authorization servers, ["https://evil.example/?"]`},
		"none":         {nil, is(nil), "no client for any"},
		"error":        {[]string{issuer}, func(context.Context, string) (*ccclient.Client, error) { return nil, errors.New("no secret") }, "no secret"},
		"not set":      {[]string{issuer}, nil, "Options.Client is not set"},
		"the wrong id": {[]string{strings.ToUpper(issuer)}, is(nil), "no client for any"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, _ auth.OAuthHandler) {
				r.resource.AuthorizationServers = tc.servers
				h := mcpauth.Handler(mcpauth.Options{Client: tc.client, HTTPClient: r.http})
				fails(t, meet(t, h, 401, bearer, ""), tc.text)
				equal(t, "token requests", r.as.Stats().TokenRequests, 0)
			})
		})
	}
}

func TestChallengesThatNoTokenMeetsAreErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		at         string
		status     int
		challenges []string
		text       string
	}{
		"403 without a challenge":    {endpoint, 403, nil, "answered 403 and named no scope"},
		"403 of another scheme":      {endpoint, 403, []string{`Basic scope="a"`}, "answered 403 and named no scope"},
		"403 with another error":     {endpoint, 403, []string{`Bearer error="access_denied"`}, "answered 403 and named no scope"},
		"another status":             {endpoint, 400, []string{`Bearer scope="a"`}, "answered 400"},
		"metadata of another server": {endpoint, 401, []string{`Bearer resource_metadata="https://evil.example/"`}, `GET https://evil.example/`},
		"no metadata":                {"http://127.0.0.1/other", 401, nil, "404 Not Found"},
		"not secure":                 {"http://mcp.example.com/mcp", 401, []string{bearer}, "only https"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
				req, resp := answerTo(t, tc.at, "", tc.status, tc.challenges...)
				if name == "metadata of another server" {
					r.http.Transport = failing{}
				}
				fails(t, h.Authorize(t.Context(), req, resp), tc.text)
				equal(t, "token requests", r.as.Stats().TokenRequests, 0)
			})
		})
	}
}

type failing struct{}

func (failing) RoundTrip(r *http.Request) (*http.Response, error) { return nil, errors.New("refused") }

func TestUnreadableChallengesAreSkipped(t *testing.T) {
	for name, challenges := range map[string][]string{
		"none":          nil, // the well-known place
		"other scheme":  {"Negotiate YII=", bearer},
		"broken":        {`Bearer "`, bearer},
		"many":          {strings.Repeat(",", 1<<20), bearer},
		"of DPoP":       {`DPoP resource_metadata="` + metadata + `"`},
		"in one line":   {`Basic realm="x", ` + bearer},
		"invalid scope": {bearer + `, scope="\"\" ü"`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
				req, resp := answerTo(t, endpoint, "", 401, challenges...)
				if err := h.Authorize(t.Context(), req, resp); err != nil {
					t.Fatal(err)
				}
				equals(t, "scope", asked(r.as, "scope"), "")
			})
		})
	}
}

func TestRedirectedChallengeIsNotMet(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		req, resp := answerTo(t, endpoint, "", 401, bearer)
		for _, at := range []string{"https://evil.example/mcp", "https://127.0.0.1/mcp", "http://127.0.0.1:81/mcp"} {
			u, err := url.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			resp.Request = &http.Request{URL: u}
			fails(t, h.Authorize(t.Context(), req, resp), "another server")
		}
		equal(t, "requests for metadata", r.metadata.Load(), 0)
	})
}

func TestHandlerIsForOneServer(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		if err := meet(t, h, 401, bearer, ""); err != nil {
			t.Fatal(err)
		}
		req, resp := answerTo(t, "http://127.0.0.1/other", "", 401)
		fails(t, h.Authorize(t.Context(), req, resp), "a Handler of its own")
	})
}

func TestAllowedHostsOfTheClientAreHonoured(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, _ auth.OAuthHandler) {
		c := newClient(t, r.as, func(c *ccclient.Config) { c.AllowedHosts = []string{"mcp.example.com"} })
		err := meet(t, r.handler(c), 401, bearer, "")
		fails(t, err, "127.0.0.1")
		if !errors.Is(err, transport.ErrHostNotAllowed) {
			t.Error(err)
		}
		equal(t, "token requests", r.as.Stats().TokenRequests, 0)
	})
}

func TestRejectedTokenIsReplacedOnceThenTheCallFails(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		if err := meet(t, h, 401, bearer, ""); err != nil {
			t.Fatal(err)
		}
		first := tokenOf(t, h)
		if err := meet(t, h, 401, bearer, first); err != nil {
			t.Fatal(err)
		}
		second := tokenOf(t, h)
		if second == first {
			t.Error("the same token again")
		}
		if err := meet(t, h, 401, bearer, first); err != nil { // late news of the first
			t.Error(err)
		}
		equal(t, "token", tokenOf(t, h), second)
		for range 100 {
			fails(t, meet(t, h, 401, bearer, second), "no other for the time being")
		}
		equal(t, "token requests", r.as.Stats().TokenRequests, 2)
		time.Sleep(time.Second)
		if err := meet(t, h, 401, bearer, second); err != nil {
			t.Error(err)
		}
	})
}

func TestStepUpsAreBounded(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		if err := meet(t, h, 401, bearer, ""); err != nil {
			t.Fatal(err)
		}
		more := func(n int) error {
			return meet(t, h, 403, fmt.Sprintf(`%s, error="insufficient_scope", scope="s%d"`, bearer, n), tokenOf(t, h))
		}
		for n := range 16 {
			if err := more(n); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 100 {
			fails(t, more(16+n), "more scopes again, after 16 times")
		}
		fails(t, more(3), "asked for already")
		equal(t, "token requests", r.as.Stats().TokenRequests, 17)
	})
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		var scopes strings.Builder
		for n := range 257 {
			fmt.Fprintf(&scopes, "s%d ", n)
		}
		fails(t, meet(t, h, 401, bearer+`, scope="`+scopes.String()+`"`, ""), "more than 256 scopes")
	})
}

func TestConcurrentStepUpsAreJoined(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		if err := meet(t, h, 401, bearer, ""); err != nil {
			t.Fatal(err)
		}
		sent := tokenOf(t, h)
		r.as.SetDelay(time.Second)
		var both sync.WaitGroup
		for _, scope := range []string{"a", "b"} {
			both.Go(func() {
				if err := meet(t, h, 403, bearer+`, scope="`+scope+`"`, sent); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		scopes := asked(r.as, "scope")
		if last := scopes[len(scopes)-1]; len(scopes) != 4 || last != "a b" && last != "b a" {
			t.Errorf("scope: %q", scopes)
		}
		tokenOf(t, h)
		equal(t, "token requests", r.as.Stats().TokenRequests, 4)
	})
}

func TestFailedStepUpLeavesTheTokenAsItWas(t *testing.T) {
	inBubble(t, cctest.Options{Scopes: []string{"a"}}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		if err := meet(t, h, 401, bearer+`, scope="a"`, ""); err != nil {
			t.Fatal(err)
		}
		before := tokenOf(t, h)
		err := meet(t, h, 403, bearer+`, scope="b"`, before)
		fails(t, err, "invalid_scope")
		if !errors.Is(err, ccclient.InvalidScope) {
			t.Error(err)
		}
		equal(t, "token", tokenOf(t, h), before)
	})
}

func TestTokenOfOneAuthorizationServerIsNotThatOfAnother(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, _ auth.OAuthHandler) {
		const second = "https://second.example"
		clients := map[string]*ccclient.Client{
			issuer: newClient(t, r.as),
			second: newClient(t, r.as, func(c *ccclient.Config) { c.Issuer = second }),
		}
		h := mcpauth.Handler(mcpauth.Options{HTTPClient: r.http, Client: func(
			_ context.Context, at string,
		) (*ccclient.Client, error) {
			return clients[at], nil
		}})
		if err := meet(t, h, 401, bearer+`, scope="a"`, ""); err != nil {
			t.Fatal(err)
		}
		r.resource.AuthorizationServers = []string{second}
		time.Sleep(10 * time.Minute) // as long as the metadata are kept
		if err := meet(t, h, 401, bearer+`, scope="b"`, tokenOf(t, h)); err != nil {
			t.Fatal(err)
		}
		equals(t, "scope", asked(r.as, "scope"), "a", "b")
	})
}

func TestTokensBoundByDPoPAreErrors(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		r.resource.DPOPBoundAccessTokensRequired = true
		err := meet(t, h, 401, bearer, "")
		if !errors.Is(err, transport.ErrTokenType) {
			t.Error(err)
		}
		fails(t, err, "DPoP")
		equal(t, "token requests", r.as.Stats().TokenRequests, 0)
	})
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, _ auth.OAuthHandler) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, r.as, func(c *ccclient.Config) { c.DPoPKey = key })
		err = meet(t, r.handler(c), 401, bearer, "")
		if !errors.Is(err, transport.ErrTokenType) {
			t.Error(err)
		}
		fails(t, err, "without DPoPKey")
	})
}

func TestNoTokenIsPrinted(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		if err := meet(t, h, 401, bearer, ""); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, h)
			if strings.Contains(text, tokenOf(t, h)) || strings.Contains(text, cctest.DefaultClientSecret) {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	})
}

func TestBodyOfTheAnswerIsClosed(t *testing.T) {
	inBubble(t, cctest.Options{}, func(t *testing.T, r *rig, h auth.OAuthHandler) {
		for _, status := range []int{401, 403} {
			req, resp := answerTo(t, endpoint, "", status, bearer)
			body := &closing{Reader: strings.NewReader(strings.Repeat("x", 1<<20))}
			resp.Body = body
			h.Authorize(t.Context(), req, resp)
			equal(t, "closed", body.closed, true)
			equal(t, "read at most", body.read <= 64<<10, true)
		}
	})
}

type closing struct {
	io.Reader
	read   int
	closed bool
}

func (c *closing) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}
