package transport_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/transport"
)

func TestTokenGoesToHTTPSAndLoopbackOnly(t *testing.T) {
	for _, tc := range []struct {
		url      string
		insecure bool
		want     error
	}{
		{"https://api.example.com/", false, nil},
		{"http://localhost:8080/", false, nil},
		{"http://127.0.0.1/", false, nil},
		{"http://[::1]:8080/", false, nil},
		{"http://api.example.com/", false, transport.ErrInsecure},
		{"http://api.localhost/", false, transport.ErrInsecure},
		// net/http sends these to the environment's proxy.
		{"http://LocalHost/", false, transport.ErrInsecure},
		{"http://localhost./", false, transport.ErrInsecure},
		{"http://127.0.0.1./", false, transport.ErrInsecure},
		{"http://localhost.example.com/", false, transport.ErrInsecure},
		{"http://127.0.0.1.example.com/", false, transport.ErrInsecure},
		{"http://api.example.com/", true, nil},
		{"ftp://127.0.0.1/", true, transport.ErrInsecure},
		{"//api.example.com/", true, transport.ErrInsecure},
	} {
		b, s, sent := answers(), bearer("token"), newBody("x")
		tr := &transport.Transport{Source: s, Base: b, InsecureHTTP: tc.insecure}
		_, err := tr.RoundTrip(request(t, "POST", tc.url, sent))
		if !errors.Is(err, tc.want) || err == nil && tc.want != nil {
			t.Errorf("%s: %v", tc.url, err)
		}
		sent.closedOnce(t)
		if tc.want != nil && (s.asked != 0 || len(b.seen) != 0) {
			t.Errorf("%s: %d tokens asked for, %d requests sent", tc.url, s.asked, len(b.seen))
		}
		if tc.want == nil {
			equal(t, tc.url, b.authorizations(), "Bearer token")
		}
	}
}

func TestTokenGoesToAllowedHostsOnly(t *testing.T) {
	for _, tc := range []struct {
		url  string
		want error
	}{
		{"https://api.example.com/", nil},
		{"https://API.EXAMPLE.COM:8443/", nil},
		{"https://a.b.example.org/", nil},
		{"https://example.org/", transport.ErrHostNotAllowed},
		{"https://api.example.com.evil.example/", transport.ErrHostNotAllowed},
		{"https://api.example.com@evil.example/", transport.ErrHostNotAllowed},
		{"http://localhost/", transport.ErrHostNotAllowed},
		{"http://api.example.com/", transport.ErrInsecure},
	} {
		b, s, sent := answers(), bearer("token"), newBody("x")
		tr := &transport.Transport{Source: s, Base: b, AllowedHosts: []string{"api.example.com", "*.example.org"}}
		_, err := tr.RoundTrip(request(t, "POST", tc.url, sent))
		if !errors.Is(err, tc.want) || err == nil && tc.want != nil {
			t.Errorf("%s: %v", tc.url, err)
		}
		sent.closedOnce(t)
		if tc.want != nil && (s.asked != 0 || len(b.seen) != 0) {
			t.Errorf("%s: %d tokens asked for, %d requests sent", tc.url, s.asked, len(b.seen))
		}
	}
}

func TestBrokenHostPatternIsNamedInTheError(t *testing.T) {
	tr := &transport.Transport{Source: bearer("token"), Base: answers(),
		AllowedHosts: []string{"https://api.example.com"}}
	_, err := tr.RoundTrip(request(t, "GET", "https://api.example.com/", nil))
	if !errors.Is(err, transport.ErrHostNotAllowed) || !strings.Contains(err.Error(), "has a scheme") {
		t.Error(err)
	}
}

// redirected returns a request at the end of a chain of redirects through urls, as http.Client makes it.
func redirected(t *testing.T, urls ...string) *http.Request {
	t.Helper()
	var last *http.Request
	for _, u := range urls {
		req := request(t, "GET", u, nil)
		if last != nil {
			req.Response = &http.Response{StatusCode: 302, Request: last}
		}
		last = req
	}
	return last
}

func TestRedirectThatLeavesTheOriginIsFollowedWithoutTheToken(t *testing.T) {
	for _, tc := range []struct {
		name  string
		chain []string
		want  string
	}{
		{"same origin", []string{"https://a.example/1", "https://a.example/2", "https://A.example:443/3"},
			"Bearer token"},
		{"another host", []string{"https://a.example/", "https://b.example/"}, ""},
		{"a subdomain", []string{"https://a.example/", "https://www.a.example/"}, ""},
		{"another port", []string{"https://a.example/", "https://a.example:8443/"}, ""},
		{"another scheme", []string{"http://localhost/", "https://localhost:80/"}, ""},
		{"down to http", []string{"https://a.example/", "http://a.example/"}, ""},
		{"there and back", []string{"https://a.example/", "https://b.example/", "https://a.example/"}, ""},
		{"later on", []string{"https://a.example/", "https://a.example/", "https://b.example/", "https://b.example/"},
			""},
		{"IPv6", []string{"http://[::1]:80/1", "http://[::1]/2"}, "Bearer token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, s := answers(), bearer("token")
			tr := &transport.Transport{Source: s, Base: b}
			roundTrip(t, tr, redirected(t, tc.chain...))
			equal(t, "Authorization", b.authorizations(), tc.want)
			tr.Source, tr.DPoP = bound("token"), newDPoP(t, p256(t))
			roundTrip(t, tr, redirected(t, tc.chain...))
			if tc.want == "" {
				equal(t, "tokens asked for", s.asked, 0)
				equal(t, "headers beside a proof", len(b.seen[1].header), 0)
			}
		})
	}
}

func TestChainOfRedirectsThatCannotBeWalkedCountsAsLeft(t *testing.T) {
	without := redirected(t, "https://a.example/", "https://a.example/")
	without.Response.Request = nil
	noURL := redirected(t, "https://a.example/", "https://a.example/")
	noURL.Response.Request.URL = nil
	circle := redirected(t, "https://a.example/", "https://a.example/")
	circle.Response.Request.Response = circle.Response
	for name, req := range map[string]*http.Request{"no request": without, "no URL": noURL, "a circle": circle} {
		b, s := answers(), bearer("token")
		roundTrip(t, &transport.Transport{Source: s, Base: b}, req)
		if b.authorizations() != "" || s.asked != 0 {
			t.Errorf("%s: sent with %q", name, b.authorizations())
		}
	}
}

func TestRedirectToWhereNoTokenMayGoIsFollowedWithoutIt(t *testing.T) {
	// The first was sent with the caller's own credentials.
	chain := []string{"http://a.example/", "http://a.example/2"}
	for name, tr := range map[string]*transport.Transport{
		"plain http":       {},
		"host not allowed": {InsecureHTTP: true, AllowedHosts: []string{"b.example"}},
	} {
		b, s := answers(), bearer("token")
		tr.Source, tr.Base = s, b
		roundTrip(t, tr, redirected(t, chain...))
		if b.authorizations() != "" || s.asked != 0 {
			t.Errorf("%s: sent with %q", name, b.authorizations())
		}
	}
}

func TestCallersOwnAuthorizationIsLeftAlone(t *testing.T) {
	for _, key := range []string{"Authorization", "authorization"} {
		b, s := answers(reply{status: 401}), bearer("token")
		req := request(t, "GET", "http://a.example/", nil)
		req.Header[key] = []string{"Basic eDp5"}
		resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b}, req)
		equal(t, "status", resp.StatusCode, 401)
		equal(t, "tokens asked for", s.asked, 0)
		equal(t, "requests", len(b.seen), 1)
		if b.seen[0].request != req {
			t.Error("the request was copied")
		}
	}
}

func TestEmptyAuthorizationIsNotTheCallersOwn(t *testing.T) {
	b := answers()
	req := request(t, "GET", "https://a.example/", nil)
	req.Header["Authorization"] = []string{""}
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b}, req)
	equal(t, "Authorization", b.authorizations(), "Bearer token")
}

func TestUnsendableRequestIsAClearErrorAndItsBodyIsClosed(t *testing.T) {
	for name, tc := range map[string]struct {
		tr   *transport.Transport
		url  *url.URL
		want string
	}{
		"no URL":    {&transport.Transport{Source: bearer("token")}, nil, "no URL"},
		"no host":   {&transport.Transport{Source: bearer("token")}, &url.URL{Scheme: "https", Path: "/"}, "no host"},
		"no source": {&transport.Transport{}, &url.URL{Scheme: "https", Host: "a.example"}, "no Source"},
	} {
		sent := newBody("x")
		_, err := tc.tr.RoundTrip(&http.Request{Method: "POST", URL: tc.url, Body: sent})
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "ccclient: ") {
			t.Errorf("%s: %v", name, err)
		}
		sent.closedOnce(t)
	}
}
