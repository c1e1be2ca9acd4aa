package transport_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ccclient/go-ccclient/transport"
)

const wantNonce = `DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof"`

// nonce is a reply that gives a nonce along.
func nonce(status int, value string, lines ...string) reply {
	h := challenges(lines...)
	h.Set("DPoP-Nonce", value)
	return reply{status: status, header: h}
}

// proofs returns the nonces of the proofs that b was sent, after it has checked that no two share a jti and that each
// is for the token beside it.
func proofs(t *testing.T, b *base) string {
	t.Helper()
	seen := make(map[any]bool)
	var all []string
	for _, s := range b.seen {
		if n := len(s.header["Dpop"]); n != 1 {
			t.Fatalf("%d proofs", n)
		}
		p := readProof(t, s.header.Get("DPoP"))
		if seen[p.claims["jti"]] {
			t.Error("a proof was sent twice")
		}
		seen[p.claims["jti"]] = true
		token, ok := strings.CutPrefix(s.header.Get("Authorization"), "DPoP ")
		if !ok {
			t.Errorf("Authorization: %s", s.header.Get("Authorization"))
		}
		again := sign(t, newDPoP(t, p256(t)), request(t, "GET", "https://a.example/", nil), token)
		equal(t, "ath", p.claims["ath"], again.claims["ath"])
		all = append(all, fmt.Sprint(p.claims["nonce"]))
	}
	return strings.Join(all, " ")
}

func TestDemandForNonceHasItsOwnRetryAndLeavesTheTokenAlone(t *testing.T) {
	b, s := answers(nonce(401, "n1", wantNonce), reply{status: 200}), bound("first", "second")
	tr := &transport.Transport{Source: s, Base: b, DPoP: newDPoP(t, p256(t))}
	resp, _ := roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "Authorization", b.authorizations(), "DPoP first, DPoP first")
	equal(t, "nonces", proofs(t, b), "<nil> n1")
	equal(t, "invalidated", len(s.invalidated), 0)
	equal(t, "tokens asked for", s.asked, 1)
	roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	equal(t, "nonces", proofs(t, b), "<nil> n1 n1")
}

func TestRetriesForNonceAndTokenMayHappenInEitherOrder(t *testing.T) {
	rejection := `DPoP error="invalid_token"`
	for _, tc := range []struct {
		name    string
		script  []reply
		tokens  string
		nonces  string
		invalid int
		status  int
	}{
		{"nonce first", []reply{nonce(401, "n1", wantNonce), nonce(401, "n2", rejection), {status: 200}},
			"DPoP first, DPoP first, DPoP second", "<nil> n1 n2", 1, 200},
		{"token first", []reply{nonce(401, "n1", rejection), nonce(401, "n2", wantNonce), {status: 200}},
			"DPoP first, DPoP second, DPoP second", "<nil> n1 n2", 1, 200},
		{"two nonces", []reply{nonce(401, "n1", wantNonce), nonce(401, "n2", wantNonce)}, "DPoP first, DPoP first",
			"<nil> n1", 0, 401},
		{"two tokens", []reply{nonce(401, "n1", rejection), nonce(401, "n2", rejection)}, "DPoP first, DPoP second",
			"<nil> n1", 1, 401},
		{"all refused", []reply{nonce(401, "n1", wantNonce), nonce(401, "n2", rejection), nonce(401, "n3", wantNonce)},
			"DPoP first, DPoP first, DPoP second", "<nil> n1 n2", 1, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b, s := answers(tc.script...), bound("first", "second", "third")
			tr := &transport.Transport{Source: s, Base: b, DPoP: newDPoP(t, p256(t)), ReplayLimit: 100}
			sent := newBody("text")
			resp, text := roundTrip(t, tr, request(t, "POST", "https://a.example/", sent))
			equal(t, "status", resp.StatusCode, tc.status)
			equal(t, "body", text, http.StatusText(tc.status))
			equal(t, "Authorization", b.authorizations(), tc.tokens)
			equal(t, "nonces", proofs(t, b), tc.nonces)
			equal(t, "invalidated", len(s.invalidated), tc.invalid)
			for _, s := range b.seen {
				equal(t, "body", s.body, "text")
			}
			sent.closedOnce(t)

			newest := any(tc.script[len(b.seen)-1].header.Get("DPoP-Nonce"))
			if newest == any("") {
				newest = any(tc.script[len(b.seen)-2].header.Get("DPoP-Nonce"))
			}
			equal(t, "the nonce after that", sign(t, tr.DPoP, request(t, "GET", "https://a.example/", nil),
				"").claims["nonce"], newest)
		})
	}
}

func TestInvalidProofIsTriedAgainIfNonceComesWithIt(t *testing.T) {
	b, s := answers(nonce(401, "n1", `DPoP error="invalid_dpop_proof"`), reply{status: 200}), bound("first", "second")
	resp, _ := roundTrip(t, &transport.Transport{Source: s, Base: b, DPoP: newDPoP(t, p256(t))},
		request(t, "GET", "https://a.example/", nil))
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "nonces", proofs(t, b), "<nil> n1")
	equal(t, "invalidated", len(s.invalidated), 0)
}

func TestDemandForNonceThatCannotBeMetIsReturnedUntouched(t *testing.T) {
	for name, tc := range map[string]struct {
		reply reply
		body  io.Reader
	}{
		"an invalid proof":   {reply{status: 401, header: challenges(`DPoP error="invalid_dpop_proof"`)}, nil},
		"no nonce":           {reply{status: 401, header: challenges(wantNonce)}, nil},
		"an unlawful nonce":  {nonce(401, "a b", wantNonce), nil},
		"a body without end": {nonce(401, "n1", wantNonce), newBody("text")},
	} {
		b, s := answers(tc.reply), bound("first", "second")
		resp, text := roundTrip(t, &transport.Transport{Source: s, Base: b, DPoP: newDPoP(t, p256(t))},
			request(t, "POST", "https://a.example/", tc.body))
		equal(t, name, resp.StatusCode, 401)
		equal(t, name, text, "Unauthorized")
		equal(t, name, len(b.seen), 1)
		equal(t, name, len(s.invalidated), 0)
	}
}

func TestNoncesAreLearnedFromAnyResponseAndTheNewestWins(t *testing.T) {
	b := answers(nonce(200, "n1"), nonce(403, "n2"), nonce(200, "not\"lawful"), nonce(200, strings.Repeat("n", 4<<10)),
		reply{status: 200})
	tr := &transport.Transport{Source: bound("token"), Base: b, DPoP: newDPoP(t, p256(t))}
	for range 5 {
		roundTrip(t, tr, request(t, "GET", "https://a.example/", nil))
	}
	equal(t, "nonces", proofs(t, b), "<nil> n1 n2 n2 n2")
}

func TestNoncesOfDifferentOriginsAreNeverMixed(t *testing.T) {
	d := newDPoP(t, p256(t))
	learn := func(url, value string) bool {
		h := http.Header{}
		h.Set("DPoP-Nonce", value)
		return d.Learn(&http.Response{Header: h, Request: request(t, "GET", url, nil)})
	}
	equal(t, "learned", learn("https://as.example/token", "as"), true)
	equal(t, "learned", learn("https://rs.example/", "rs"), true)
	equal(t, "learned", learn("https://rs.example:8443/", "other"), true)
	equal(t, "learned", learn("https://rs.example/", ""), false)
	equal(t, "learned", d.Learn(nil) || d.Learn(&http.Response{}), false)
	for url, want := range map[string]any{"https://AS.example:443/x": "as", "https://rs.example/y?z": "rs",
		"https://rs.example:8443/": "other", "http://rs.example/": nil} {
		equal(t, url, sign(t, d, request(t, "GET", url, nil), "").claims["nonce"], want)
	}
}

func TestNoncesMayBeLearnedAndUsedAtOnce(t *testing.T) {
	d := newDPoP(t, p256(t))
	b := answers(nonce(200, "n1"), nonce(401, "n2", wantNonce), nonce(200, "n3"))
	tr := &transport.Transport{Source: bound("token"), Base: b, DPoP: d}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 5 {
				resp, err := tr.RoundTrip(request(t, "GET", fmt.Sprintf("https://%d.example/", i%2), nil))
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("%v %v", resp, err)
				}
			}
		})
	}
	group.Wait()
	proofs(t, b)
}

func TestWithoutDPoPADemandForANonceIsLikeAnyOther401(t *testing.T) {
	b, s := answers(nonce(401, "n1", wantNonce), reply{status: 200}), bearer("first", "second")
	roundTrip(t, &transport.Transport{Source: s, Base: b}, request(t, "GET", "https://a.example/", nil))
	equal(t, "Authorization", b.authorizations(), "Bearer first, Bearer second")
	equal(t, "proofs", len(b.seen[1].header["Dpop"]), 0)
}

func TestDemandForNonceIsMetWithItsOwnNonce(t *testing.T) {
	d := newDPoP(t, p256(t))
	b := answers(nonce(401, "mine", wantNonce), nonce(200, "next"))
	req := request(t, "POST", "https://a.example/", strings.NewReader("x"))
	again := req.GetBody
	req.GetBody = func() (io.ReadCloser, error) {
		// A server may take each nonce only once: this one is another caller's.
		d.Learn(&http.Response{Header: http.Header{"Dpop-Nonce": {"theirs"}}, Request: req})
		return again()
	}
	resp, _ := roundTrip(t, &transport.Transport{Source: bound("token"), Base: b, DPoP: d}, req)
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "nonces", proofs(t, b), "<nil> mine")
	equal(t, "latest", sign(t, d, request(t, "GET", "https://a.example/", nil), "").claims["nonce"], any("next"))
}

func FuzzNonce(f *testing.F) {
	for _, seed := range []string{"eyJ7S_zG.eyJH0-Z.HX4w-7v", "", "a b", `"`, `\\`, "\x00", "\x7f", "é",
		strings.Repeat("n", 2049)} {
		f.Add(seed)
	}
	key := p256(f)
	f.Fuzz(func(t *testing.T, value string) {
		d := newDPoP(t, key)
		learned := d.Learn(&http.Response{Header: http.Header{"Dpop-Nonce": {value}},
			Request: request(t, "GET", "https://a.example/", nil)})
		got, sent := sign(t, d, request(t, "GET", "https://a.example/", nil), "").claims["nonce"]
		if sent != learned || sent && got != any(value) {
			t.Errorf("%q: learned %v, sent %v", value, learned, got)
		}
	})
}
