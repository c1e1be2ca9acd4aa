package transport_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/transport"
)

func TestHostAndOpaqueDecideWhereTheTokenGoesToo(t *testing.T) {
	const any, api = "", "api.example.com"
	for _, tc := range []struct {
		url, host, opaque string
		allowed           string
		want              error
	}{
		{"https://api.example.com/", "api.example.com", "", api, nil},
		{"https://api.example.com/", "API.example.com:443", "", api, nil},
		{"https://10.0.0.1/", "api.example.com", "", "10.0.0.1 api.example.com", nil},
		{"https://10.0.0.1/", "api.example.com", "", any, nil},
		{"https://api.example.com/", "evil.example", "", api, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "evil.example:443", "", "api.example.com:443", transport.ErrHostNotAllowed},
		{"https://api.example.com:8443/", "api.example.com", "", "api.example.com:8443", transport.ErrHostNotAllowed},
		{"https://10.0.0.1/", "api.example.com", "", api, transport.ErrHostNotAllowed},
		{"http://localhost/", "evil.example", "", "localhost", transport.ErrHostNotAllowed},
		{"https://api.example.com/", "evil.example/api.example.com", "", api, transport.ErrHostNotAllowed},

		{"https://api.example.com/", "", "/path?q", api, nil},
		{"https://api.example.com/", "", "//api.example.com/path", api, nil},
		{"https://api.example.com/", "", "https://api.example.com/path", api, nil},
		{"https://10.0.0.1/", "api.example.com", "//api.example.com/path", any, nil},
		{"https://api.example.com/", "", "//evil.example/path", api, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "//evil.example/path", any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "//evil.example", "api.example.com evil.example", transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "http://api.example.com/", any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "https://evil.example/path", any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "//api.example.com:8443/path", any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "//api.example.com@evil.example/", any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", `//api.example.com\@evil.example/`, any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "//api.example.com.evil.example?/", any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "///evil.example/", any, transport.ErrHostNotAllowed},
		{"https://api.example.com/", "", "evil.example:443", any, transport.ErrHostNotAllowed},
		{"https://10.0.0.1/", "api.example.com", "//10.0.0.1/path", any, transport.ErrHostNotAllowed},
	} {
		b, s, sent := answers(), bearer("token"), newBody("x")
		req := request(t, "POST", tc.url, sent)
		if tc.host != "" {
			req.Host = tc.host
		}
		req.URL.Opaque = tc.opaque
		_, err := (&transport.Transport{Source: s, Base: b, AllowedHosts: strings.Fields(tc.allowed)}).RoundTrip(req)
		if !errors.Is(err, tc.want) || err == nil && tc.want != nil {
			t.Errorf("%s %q %q, allowed %q: %v", tc.url, tc.host, tc.opaque, tc.allowed, err)
		}
		sent.closedOnce(t)
		if tc.want != nil && (s.asked != 0 || len(b.seen) != 0) {
			t.Errorf("%s: %d tokens asked for, %d requests sent", tc.url, s.asked, len(b.seen))
		}
	}
}

// net/http writes such a path as it is, and a server takes it for the URL of another one.
func TestPathWithoutItsSlashIsAnErrorAndNothingIsSent(t *testing.T) {
	for path, good := range map[string]bool{
		"": true, "*": true, "/": true, "//evil.example/": true, "http://evil.example/": false,
		"evil.example:443": false, "v1": false,
	} {
		b := answers()
		req := request(t, "GET", "https://api.example.com", nil)
		req.URL.Path = path
		_, err := (&transport.Transport{Source: bearer("token"), Base: b}).RoundTrip(req)
		if (err == nil) != good || len(b.seen) != map[bool]int{true: 1}[good] {
			t.Errorf("%q: %v, %d requests", path, err, len(b.seen))
		}
	}
}

// net/http sends a Host field beside its own if the key is not spelled as it would spell it.
func TestHostFieldOfAnotherSpellingIsAnError(t *testing.T) {
	for key, good := range map[string]bool{"Host": true, "host": false, "HOST": false} {
		b := answers()
		req := request(t, "GET", "https://api.example.com", nil)
		req.Header[key] = []string{"evil.example"}
		_, err := (&transport.Transport{Source: bearer("token"), Base: b}).RoundTrip(req)
		if errors.Is(err, transport.ErrHostNotAllowed) == good || len(b.seen) != map[bool]int{true: 1}[good] {
			t.Errorf("%q: %v, %d requests", key, err, len(b.seen))
		}
	}
}

func TestRedirectToAnotherHostOfOneAddressLeavesTheOrigin(t *testing.T) {
	for _, tc := range []struct{ first, second, want string }{
		{"a.example", "a.example", "Bearer token"},
		{"a.example", "A.example:443", "Bearer token"},
		{"10.0.0.1", "", "Bearer token"},
		{"", "", "Bearer token"},
		{"a.example", "", ""}, // as http.Client makes it for an absolute Location
		{"a.example", "b.example", ""},
		{"", "b.example", ""},
	} {
		b := answers()
		req := redirected(t, "https://10.0.0.1/1", "https://10.0.0.1/2")
		req.Response.Request.Host, req.Host = tc.first, tc.second
		roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b}, req)
		equal(t, tc.first+" "+tc.second, b.authorizations(), tc.want)
	}
	b := answers()
	req := redirected(t, "https://a.example/1", "https://a.example/2")
	req.Response.Request.URL.Opaque = "//evil.example/" // which was asked, and says where to
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b}, req)
	equal(t, "after an Opaque", b.authorizations(), "")
}

func TestProofNamesTheServerThatIsAsked(t *testing.T) {
	d := newDPoP(t, p256(t))
	for _, tc := range []struct{ url, host, opaque, want string }{
		{"https://a.example", "", "", "https://a.example/"},
		{"https://A.Example:443/Path/?q=1#f", "", "", "https://a.example/Path/"},
		{"http://127.0.0.1:8080/a%2Fb%20c", "", "", "http://127.0.0.1:8080/a%2Fb%20c"},
		{"https://[2001:db8::1]:8443/", "", "", "https://[2001:db8::1]:8443/"},
		{"http://[fe80::1%25eth0]:8080/", "", "", "http://[fe80::1]:8080/"}, // net/http leaves the zone out too
		{"https://user:pass@a.example/x", "", "", "https://a.example/x"},
		{"https://10.0.0.1/x", "a.example", "", "https://a.example/x"},
		{"https://a.example/x", "", "//a.example/y%2Fz?q", "https://a.example/y%2Fz"},
		{"https://a.example/x", "", "https://a.example/y%2Fz?q", "https://a.example/y%2Fz"},
		{"https://a.example/x", "", "//A.example?q", "https://a.example/"},
		{"https://10.0.0.1/x", "a.example", "//a.example/y", "https://a.example/y"},
		{"https://a.example/x", "", "/y%2Fz", "https://a.example/y%2Fz"},
		{`https://a.example/"\é`, "", "", "https://a.example/%22%5C%C3%A9"},
		{"https://é.example/", "", "", "https://xn--9ca.example/"}, // as the server is told
	} {
		req := request(t, "GET", tc.url, nil)
		req.Host, req.URL.Opaque = tc.host, tc.opaque
		equal(t, tc.url, sign(t, d, req, "").claims["htu"], any(tc.want))
	}
	for _, opaque := range []string{"//b.example/y", "https://b.example/y", "http://a.example/y", "b.example:443",
		"//a.example@b.example/"} {
		req := request(t, "GET", "https://a.example/x", nil)
		req.URL.Opaque = opaque
		if err := d.Sign(req, ""); err == nil {
			t.Errorf("a proof for %q: %v", opaque, sign(t, d, req, "").claims["htu"])
		}
	}
}

func TestNoncesOfTwoHostsAtOneAddressAreKeptApart(t *testing.T) {
	d := newDPoP(t, p256(t))
	at := func(host string) *http.Request {
		req := request(t, "GET", "https://10.0.0.1/", nil)
		req.Host = host
		return req
	}
	d.Learn(&http.Response{Request: at("a.example"), Header: http.Header{"Dpop-Nonce": {"a"}}})
	equal(t, "a", sign(t, d, at("A.example:443"), "").claims["nonce"], any("a"))
	equal(t, "b", sign(t, d, at("b.example"), "").claims["nonce"], nil)
	equal(t, "the address", sign(t, d, at(""), "").claims["nonce"], nil)
}

// Whatever the caller puts into the fields, a server that reads what net/http writes finds itself named, or nothing.
func FuzzTarget(f *testing.F) {
	for _, seed := range []struct{ host, opaque, path string }{
		{"", "", "/"}, {"api.example.com:443", "", ""}, {"evil.example", "", "/x"}, {"", "//evil.example/x", ""},
		{"", "/x?y#z", ""},
		{"", "https://api.example.com/x", ""}, {"", "http://evil.example/", "/"}, {"", "", "http://evil.example/"},
		{"", "", "*"},
		{"", "//api.example.com@evil.example/", ""}, {"", `//api.example.com\@evil.example/`, ""},
		{"[api.example.com]", "", "/"},
		{"API.example.com.", "//api.example.com./", ""}, {"", "//api.example.com:443", ""},
		{"api.example.com/", "", ""},
	} {
		f.Add(seed.host, seed.opaque, seed.path)
	}
	d := newDPoP(f, p256(f))
	f.Fuzz(func(t *testing.T, host, opaque, path string) {
		for _, way := range []struct {
			scheme string
			write  func(*http.Request, io.Writer) error
		}{{"https", (*http.Request).Write}, {"http", (*http.Request).Write}, {"http", (*http.Request).WriteProxy}} {
			req := &http.Request{
				Method: "GET", Host: host, Header: make(http.Header),
				URL: &url.URL{Scheme: way.scheme, Host: "api.example.com", Opaque: opaque, Path: path},
			}
			b := answers()
			tr := &transport.Transport{
				Source: bearer("token"), Base: b, AllowedHosts: []string{"api.example.com"}, InsecureHTTP: true,
			}
			_, err := tr.RoundTrip(req)
			if (err == nil) != (len(b.seen) == 1) {
				t.Fatalf("%v, and %d requests", err, len(b.seen))
			}
			if err != nil {
				continue
			}
			if d.Sign(req, "") == nil {
				htu, _ := readProof(t, req.Header.Get("DPoP")).claims["htu"].(string)
				named, _, _ := strings.Cut(strings.TrimPrefix(htu, way.scheme+"://"), "/")
				if !isAPI(named) {
					t.Errorf("a proof for %q", htu)
				}
			}
			var wire bytes.Buffer
			if err := way.write(b.seen[0].request, &wire); err != nil {
				continue // net/http does not send it
			}
			read, err := http.ReadRequest(bufio.NewReader(&wire))
			if err != nil {
				continue // nor does a server take it
			}
			if !isAPI(read.Host) || len(sent(read.Header, "Authorization")) != 1 {
				t.Errorf("%s: %q is named, with %v", way.scheme, read.Host, read.Header)
			}
		}
	})
}

// isAPI reports whether a host, with or without its port, is api.example.com.
func isAPI(host string) bool {
	u := url.URL{Host: strings.ToLower(host)}
	return strings.TrimSuffix(u.Hostname(), ".") == "api.example.com"
}
