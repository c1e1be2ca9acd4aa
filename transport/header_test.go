package transport_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/transport"
)

func TestTheTokenStandsAloneInTheHeaderThatIsNamed(t *testing.T) {
	for name, as := range map[string]string{
		"X-Shopify-Access-Token": "X-Shopify-Access-Token",
		"x-api-key":              "X-Api-Key",
		"Authorization":          "Authorization",
	} {
		b := answers()
		req := request(t, "GET", "https://api.example.com/", nil)
		req.Header.Set("Accept", "application/json")
		roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b, Header: name}, req)
		equal(t, name, b.seen[0].header.Get(as), "token")
		equal(t, "headers sent with "+name, len(b.seen[0].header), 2)
		equal(t, "headers of the caller's request", len(req.Header), 1)
	}
}

func TestACallersOwnValueOfTheNamedHeaderIsLeftAlone(t *testing.T) {
	for _, key := range []string{"X-Api-Key", "x-api-key", "X-API-Key"} {
		b, s := answers(), bearer("token")
		req := request(t, "GET", "https://api.example.com/", nil)
		req.Header[key] = []string{"mine"}
		roundTrip(t, &transport.Transport{Source: s, Base: b, Header: "X-API-Key"}, req)
		equal(t, key, strings.Join(b.seen[0].header[key], ", "), "mine")
		equal(t, "headers sent", len(b.seen[0].header), 1)
		equal(t, "tokens asked for", s.asked, 0)
	}
	// An Authorization header, for a proxy perhaps, has nothing to do with it.
	b := answers()
	req := request(t, "GET", "https://api.example.com/", nil)
	req.Header.Set("Authorization", "Basic mine")
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b, Header: "X-API-Key"}, req)
	equal(t, "Authorization", b.authorizations(), "Basic mine")
	equal(t, "X-API-Key", b.seen[0].header.Get("X-API-Key"), "token")
}

func TestARejectedTokenIsReplacedInTheNamedHeader(t *testing.T) {
	b, s := answers(reply{status: 401}, reply{status: 200}), bearer("old", "new")
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b, Header: "X-API-Key"},
		request(t, "POST", "https://api.example.com/", strings.NewReader("body")))
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "requests", len(b.seen), 2)
	equal(t, "first", b.seen[0].header.Get("X-API-Key"), "old")
	equal(t, "second", b.seen[1].header.Get("X-API-Key"), "new")
	equal(t, "header of the response's request", resp.Request.Header.Get("X-API-Key"), "")
}

// http.Client copies the headers of the first request to where it is
// redirected, but for a few that it knows to be credentials. The named header
// is none of these.
func TestNoRedirectTakesTheNamedHeaderElsewhere(t *testing.T) {
	for _, tc := range []struct{ to, want string }{
		{"https://a.example/2", "token"},
		{"https://b.example/", ""},
		{"https://www.a.example/", ""},
		{"https://a.example:8443/", ""},
		{"http://a.example/", ""},
	} {
		b := answers(reply{status: 302, header: http.Header{"Location": {tc.to}}}, reply{status: 200})
		client := &http.Client{Transport: &transport.Transport{Source: bearer("token"), Base: b, Header: "X-API-Key"}}
		resp, err := client.Do(request(t, "GET", "https://a.example/", nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		equal(t, "first", b.seen[0].header.Get("X-API-Key"), "token")
		equal(t, tc.to, b.seen[1].header.Get("X-API-Key"), tc.want)
	}
}

func TestAHeaderThatCannotHaveTheTokenIsAnErrorAndNothingIsSent(t *testing.T) {
	for name, want := range map[string]string{
		"Host":              "net/http sets",
		"content-length":    "net/http sets",
		"X-Key\r\nX-Evil: ": "not the name",
		" ":                 "not the name",
	} {
		b, s, sent := answers(), bearer("token"), newBody("x")
		_, err := (&transport.Transport{Source: s, Base: b, Header: name}).RoundTrip(request(t, "POST", "https://api.example.com/", sent))
		if err == nil || !strings.Contains(err.Error(), "transport: Header: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
		sent.closedOnce(t)
		equal(t, "tokens asked for", s.asked, 0)
		equal(t, "requests", len(b.seen), 0)
	}
}

func TestANamedHeaderAndDPoPExcludeEachOther(t *testing.T) {
	proofs, err := transport.NewDPoP(p256(t))
	if err != nil {
		t.Fatal(err)
	}
	b, s := answers(), bound("token")
	_, err = (&transport.Transport{Source: s, Base: b, Header: "X-API-Key", DPoP: proofs}).RoundTrip(request(t, "GET", "https://api.example.com/", nil))
	if err == nil || !strings.Contains(err.Error(), "RFC 9449") {
		t.Error(err)
	}
	equal(t, "tokens asked for", s.asked, 0)
	// Nor does a bound token get out as a bare one.
	_, err = (&transport.Transport{Source: s, Base: b, Header: "X-API-Key"}).RoundTrip(request(t, "GET", "https://api.example.com/", nil))
	if err == nil {
		t.Error("a DPoP token was sent without a proof")
	}
	equal(t, "requests", len(b.seen), 0)
}

func TestANamedHeaderCostsNoMoreThanAuthorization(t *testing.T) {
	tr, req := cached(t, 40, 5)
	tr.Header = "X-Shopify-Access-Token"
	if n := testing.AllocsPerRun(100, func() {
		if _, err := tr.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
	}); n > 3 {
		t.Errorf("%v allocations", n)
	}
}
