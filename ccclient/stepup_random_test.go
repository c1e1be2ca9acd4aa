package ccclient_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// TestStepUpHoldsAgainstRandomChallenges calls honest APIs and a hostile one, in random order and at random pauses,
// while tokens expire and are revoked and the authorization server fails. Whatever comes, each call reaches an API
// twice at most, the Client's own token stays what it is, token requests are few, and honest APIs are served again.
func TestStepUpHoldsAgainstRandomChallenges(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			o := cctest.Options{
				Scopes: []string{"read", "write", "list", "h0", "h1", "h2", "h3"}, Lifetime: 10 * time.Minute,
			}
			inStepUpBubble(t, o, func(t *testing.T, r *rig) { randomChallenges(t, r, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func randomChallenges(t *testing.T, r *rig, random *rand.Rand) {
	const notBefore = `{"access_token":{"nbf":{"value":"17"}}}`
	reached := 0
	count := func(h http.Handler) *http.Client {
		return r.resource(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			reached++
			h.ServeHTTP(w, req)
		}))
	}
	hello := http.HandlerFunc(hello)
	honest := []*http.Client{
		count(r.as.ProtectScopes(hello, "read")), count(r.as.ProtectScopes(hello, "write")),
		count(r.as.ProtectScopes(hello, "read", "list")), count(r.as.ProtectClaims(hello, notBefore)),
	}
	hostile := count(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", hostileChallenge(random))
		w.WriteHeader(401 + 2*random.IntN(2))
	}))
	call := func(api *http.Client) int {
		before := reached
		resp, err := api.Post("https://api.example.com/", "text/plain", strings.NewReader("text"))
		if reached > before+2 {
			t.Errorf("a call reached the API %d times", reached-before)
		}
		if err != nil {
			return 0
		}
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Error(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	active, events := time.Duration(0), 0
	for range 1000 {
		n := random.IntN(60)
		if n < 3 {
			events++
		}
		switch n {
		case 0:
			r.as.RevokeAll()
		case 1:
			r.as.FailNext(random.IntN(3), []int{400, 500, 503}[random.IntN(3)], nil)
		case 2:
			time.Sleep(time.Duration(random.IntN(20)) * time.Minute)
		default:
			if call(hostile); n%3 == 0 {
				call(honest[random.IntN(len(honest))])
			}
		}
		pause := time.Duration(random.ExpFloat64() * float64(time.Second/4))
		time.Sleep(pause)
		active += pause
	}
	synctest.Wait()
	// Each minute brings one new target, whose token may be rejected as forced refreshes allow, which is 7 times. An
	// event costs tokens, or attempts, or has the spacing start anew.
	if n, most := len(r.as.TokenRequests()), 8*int(active/time.Minute+1)+6*events; n > most {
		t.Errorf("%d token requests in %v with %d events, want at most %d", n, active, events, most)
	}
	for range 10 { // what the server was told to fail with and has not yet
		r.Refresh(t.Context())
	}
	time.Sleep(2 * time.Minute)
	for range 4 {
		for i, api := range honest {
			if status := call(api); status != http.StatusOK && status != http.StatusForbidden && status != 401 {
				t.Errorf("honest API %d: %d", i, status)
			}
			time.Sleep(time.Minute)
		}
	}
	for i, api := range honest {
		if status := call(api); status != http.StatusOK {
			t.Errorf("honest API %d: %d in the end", i, status)
		}
	}
	tok, err := r.Token(t.Context())
	if err != nil || tok.Extra("scope") != "read" {
		t.Errorf("the Client's own token: %v %v", tok.Extra("scope"), err)
	}
}

// hostileChallenge asks for what there is, what there is not, too much, and nonsense.
func hostileChallenge(random *rand.Rand) string {
	scope := fmt.Sprint([]string{"h", "x", "bad\\", strings.Repeat("long", 100)}[random.IntN(4)], random.IntN(6))
	claims := fmt.Sprintf(`{"access_token":{"c%d":%d}}`, random.IntN(4), random.IntN(1<<30))
	return []string{
		`Bearer error="insufficient_scope", scope="` + scope + `"`,
		`Bearer error="insufficient_scope", scope="h0 h1 h2 h3"`,
		`Bearer error="insufficient_scope", scope="` + scope + `", ` + claimsChallenge(claims),
		claimsChallenge(claims),
		claimsChallenge(`[` + claims + `]`),
		`Bearer error="invalid_token"`,
		`DPoP error="use_dpop_nonce"`,
	}[random.IntN(7)]
}
