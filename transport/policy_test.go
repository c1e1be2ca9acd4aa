package transport_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
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
	for _, key := range []string{"Authorization", "authorization", "AUTHORIZATION", "aUTHORIZATION"} {
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

func TestWhatMayNotHaveTheTokenGoesOutside(t *testing.T) {
	const own = "Basic mine"
	for _, tc := range []struct {
		name          string
		chain         []string
		authorization string
		allowed       string
		want          string // "base", "outside" or "error"
	}{
		{"a request", []string{"https://a.example/"}, "", "a.example", "base"},
		{"a redirect at home", []string{"https://a.example/", "https://a.example/2"}, "", "a.example", "base"},
		{"a redirect away", []string{"https://a.example/", "https://b.example/"}, "", "a.example b.example", "outside"},
		{"away and back", []string{"https://a.example/", "https://b.example/", "https://a.example/"}, "", "",
			"outside"},
		{"down to http", []string{"https://a.example/", "http://a.example/"}, "", "", "outside"},
		{"away with the caller's own", []string{"https://a.example/", "https://b.example/"}, own, "", "outside"},
		{"the caller's own", []string{"https://a.example/"}, own, "a.example", "base"},
		{"the caller's own to any host", []string{"https://a.example/"}, own, "", "base"},
		{"the caller's own to another host", []string{"https://b.example/"}, own, "a.example", "outside"},
		{"the caller's own over http", []string{"http://a.example/"}, own, "", "outside"},
		{"the caller's own, redirected", []string{"https://b.example/", "https://b.example/2"}, own, "a.example",
			"outside"},
		{"another host", []string{"https://b.example/"}, "", "a.example", "error"},
	} {
		base, away, s := answers(), answers(), bearer("token")
		tr := &transport.Transport{Source: s, Base: base, Outside: away, AllowedHosts: strings.Fields(tc.allowed)}
		req := redirected(t, tc.chain...)
		if tc.authorization != "" {
			req.Header.Set("Authorization", tc.authorization)
		}
		_, err := tr.RoundTrip(req)
		equal(t, tc.name+": error", err != nil, tc.want == "error")
		equal(t, tc.name+": by Base", len(base.seen), map[string]int{"base": 1}[tc.want])
		equal(t, tc.name+": outside", len(away.seen), map[string]int{"outside": 1}[tc.want])
		if tc.want == "outside" {
			equal(t, tc.name, away.authorizations(), tc.authorization)
			equal(t, tc.name+": tokens asked for", s.asked, 0)
			tr.Outside = nil
			roundTrip(t, tr, req)
			equal(t, tc.name+": by Base, there being no Outside", len(base.seen), 1)
		}
	}
	req := request(t, "GET", "https://a.example/", nil)
	req.URL.Opaque = "//b.example/"
	req.Header.Set("Authorization", own)
	base, away := answers(), answers()
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: base, Outside: away}, req)
	equal(t, "an Opaque: outside", len(away.seen), 1)
}

func TestCallersOwnProofIsLeftAlone(t *testing.T) {
	for _, key := range []string{"Dpop", "DPoP", "dpop", "DPOP"} {
		b, s := answers(reply{status: 401, header: challenges(`DPoP error="invalid_dpop_proof"`)}), bound("token")
		req := request(t, "GET", "https://a.example/", nil)
		req.Header[key] = []string{"proof"}
		roundTrip(t, &transport.Transport{Source: s, Base: b, DPoP: newDPoP(t, p256(t))}, req)
		equal(t, "tokens asked for", s.asked, 0)
		equal(t, "headers", len(b.seen[0].header), 1)
		equal(t, key, b.seen[0].header[key][0], "proof")
		// Without DPoP the field means nothing to the Transport.
		b = answers()
		roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b}, req)
		equal(t, "Authorization", b.authorizations(), "Bearer token")
		equal(t, key, b.seen[0].header[key][0], "proof")
	}
}

// sent returns the values of all fields that a server takes for name.
func sent(h http.Header, name string) []string {
	var all []string
	for key, values := range h {
		if strings.EqualFold(key, name) {
			all = append(all, values...)
		}
	}
	return all
}

func TestCallersOwnFieldsGoOutOnce(t *testing.T) {
	for _, tc := range []struct {
		header http.Header
		want   string // empty: an error
	}{
		{http.Header{"Authorization": {"a"}, "authorization": {"b"}}, ""},
		{http.Header{"AUTHORIZATION": {"a"}, "authorization": {"", "b"}}, ""},
		{http.Header{"Authorization": {"a"}, "Dpop": {"p"}, "dpop": {"q"}}, ""},
		{http.Header{"DPoP": {"p"}, "dpop": {"q"}}, ""},
		{http.Header{"Authorization": {""}, "authorization": {"b"}}, "b"},
		{http.Header{"Authorization": {"a"}, "AUTHORIZATION": nil, "dpop": {""}}, "a"},
		{http.Header{"Authorization": {"DPoP a"}, "dpop": {"q"}, "DPoP": {""}}, "DPoP a q"},
	} {
		for _, chain := range [][]string{{"https://a.example/"}, {"https://b.example/", "https://a.example/"}} {
			b, s := answers(), bound("token")
			req := redirected(t, chain...)
			req.Header = tc.header
			before := tc.header.Clone()
			_, err := (&transport.Transport{Source: s, Base: b, DPoP: newDPoP(t, p256(t))}).RoundTrip(req)
			equal(t, "tokens asked for", s.asked, 0)
			if (err != nil) != (tc.want == "") || len(b.seen) != map[bool]int{false: 1}[tc.want == ""] {
				t.Errorf("%v: %v, %d requests", tc.header, err, len(b.seen))
				continue
			}
			if tc.want != "" {
				h := b.seen[0].header
				got := strings.Join(append(sent(h, "Authorization"), sent(h, "DPoP")...), " ")
				equal(t, fmt.Sprint(tc.header), got, tc.want)
			}
			if !maps.EqualFunc(before, req.Header, slices.Equal) {
				t.Errorf("the caller's header is %v, and was %v", req.Header, before)
			}
		}
	}
}

func TestEmptyFieldIsNotTheCallersOwnAndGoesOutOnce(t *testing.T) {
	for _, authorization := range []string{"Authorization", "authorization", "AUTHORIZATION"} {
		for _, proof := range []string{"Dpop", "DPoP", "dpop"} {
			b := answers(reply{status: 401}, reply{status: 200})
			req := request(t, "GET", "https://a.example/", nil)
			req.Header[authorization], req.Header[proof] = []string{""}, nil
			roundTrip(t, &transport.Transport{Source: bound("first", "second"), Base: b, DPoP: newDPoP(t, p256(t))},
				req)
			equal(t, "requests", len(b.seen), 2)
			for i, token := range []string{"DPoP first", "DPoP second"} {
				h := b.seen[i].header
				equal(t, authorization, strings.Join(sent(h, "Authorization"), ", "), token)
				equal(t, proof, len(sent(h, "DPoP")), 1)
				equal(t, "fields", len(h), 2)
			}
			equal(t, "fields of the caller's request", len(req.Header), 2)
		}
	}
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
