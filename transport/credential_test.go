package transport_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

func TestNoHeaderSliceIsSharedBetweenRequests(t *testing.T) {
	b := answers()
	tr := &transport.Transport{Source: bearer("token"), Base: b}
	for range 2 {
		roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	}
	b.seen[0].request.Header["Authorization"][0] = "spoiled"
	b.seen[0].request.Header.Add("Authorization", "more")
	if got := b.seen[1].request.Header["Authorization"]; !slices.Equal(got, []string{"Bearer token"}) {
		t.Errorf("Authorization = %v", got)
	}
	roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	equal(t, "the next request", b.seen[2].header.Get("Authorization"), "Bearer token")
}

func TestRequestWithoutHeaderMapIsSent(t *testing.T) {
	b := answers()
	req := request(t, "GET", "https://a.example/", nil)
	req.Header = nil
	roundTrip(t, &transport.Transport{Source: bearer("token"), Base: b}, req)
	equal(t, "Authorization", b.authorizations(), "Bearer token")
	if req.Header != nil {
		t.Error("the caller's request got a header")
	}
}

func TestTokenOfWrongTypeIsNotSent(t *testing.T) {
	proofs := newDPoP(t, p256(t))
	for _, tc := range []struct {
		kind string
		dpop *transport.DPoP
		want string // empty: none is sent, and no downgrade
	}{
		{"", nil, "Bearer token"}, {"bearer", nil, "Bearer token"}, {"BEARER", nil, "Bearer token"},
		{"MAC", nil, ""}, {"N_A", nil, ""}, {"DPoP", nil, ""},
		{"DPoP", proofs, "DPoP token"}, {"dpop", proofs, "DPoP token"},
		{"", proofs, ""}, {"Bearer", proofs, ""}, {"MAC", proofs, ""},
	} {
		b := answers()
		s := &source{tokens: []*oauth2.Token{{AccessToken: "token", TokenType: tc.kind}}}
		tr := &transport.Transport{Source: s, Base: b, DPoP: tc.dpop}
		_, err := tr.RoundTrip(request(t, "GET", "https://a.example/", nil))
		equal(t, tc.kind, b.authorizations(), tc.want)
		if errors.Is(err, transport.ErrTokenType) != (tc.want == "") {
			t.Errorf("%q: %v", tc.kind, err)
		}
	}
}

func TestTokenUnfitForHeaderIsAnErrorThatDoesNotShowIt(t *testing.T) {
	for _, bad := range []string{"secret\r\nX: y", "secret token", "secret\x00", "secret\x7f", "sécret"} {
		b := answers()
		_, err := (&transport.Transport{Source: bearer(bad), Base: b}).RoundTrip(request(t, "GET", "https://a.example/",
			nil))
		if err == nil || strings.Contains(err.Error(), "cret") {
			t.Errorf("%q: %v", bad, err)
		}
		equal(t, "requests", len(b.seen), 0)
	}
}

func TestAuthorizationValueIsBuiltOncePerToken(t *testing.T) {
	b := answers()
	s := bearer("first", "second")
	tr := &transport.Transport{Source: s, Base: b}
	for range 2 {
		roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	}
	s.Invalidate(s.tokens[0])
	roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer first, Bearer second")
}
