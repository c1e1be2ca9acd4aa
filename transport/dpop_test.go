package transport_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/transport"
)

type vectors struct {
	Proofs []struct {
		Source, Proof, Method, URI, Token, Ath string
		Iat                                    int64
	}
	Thumbprints []struct {
		Source, Thumbprint string
		JWK                jose.JSONWebKey
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// public is a key of which only the public half is known.
type public struct {
	crypto.Signer
	key crypto.PublicKey
}

func (p public) Public() crypto.PublicKey { return p.key }

// proof is what a server reads in a proof, with go-jose and nothing of this package.
type proof struct {
	jwk    jose.JSONWebKey
	header map[jose.HeaderKey]any
	alg    string
	claims map[string]any
}

func readProof(t *testing.T, compact string) proof {
	t.Helper()
	sig, err := jose.ParseSignedCompact(compact,
		[]jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	header := sig.Signatures[0].Protected
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		t.Fatal("no public key in the proof")
	}
	payload, err := sig.Verify(header.JSONWebKey)
	if err != nil {
		t.Fatal(err)
	}
	p := proof{jwk: *header.JSONWebKey, header: header.ExtraHeaders, alg: header.Algorithm}
	if err := json.Unmarshal(payload, &p.claims); err != nil {
		t.Fatal(err)
	}
	return p
}

func newDPoP(t testing.TB, key crypto.Signer) *transport.DPoP {
	t.Helper()
	d, err := transport.NewDPoP(key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sign(t *testing.T, d *transport.DPoP, req *http.Request, token string) proof {
	t.Helper()
	if err := d.Sign(req, token); err != nil {
		t.Fatal(err)
	}
	if n := len(req.Header["Dpop"]); n != 1 {
		t.Fatalf("%d proofs", n)
	}
	return readProof(t, req.Header.Get("DPoP"))
}

func TestThumbprintsAreThoseOfTheRFCs(t *testing.T) {
	for _, v := range readVectors(t).Thumbprints {
		equal(t, v.Source, newDPoP(t, public{key: v.JWK.Key}).Thumbprint(), v.Thumbprint)
	}
}

func TestProofsHaveTheFormOfTheRFCsExamples(t *testing.T) {
	for _, v := range readVectors(t).Proofs {
		want := readProof(t, v.Proof)
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Unix(2e9, 0)))
			got := sign(t, newDPoP(t, p256(t)), request(t, v.Method, v.URI+"?a=b#c", nil), v.Token)
			equal(t, "alg", got.alg, want.alg)
			equal(t, "typ", got.header["typ"], want.header["typ"])
			for name := range want.claims {
				if _, ok := got.claims[name]; !ok {
					t.Errorf("%s is missing", name)
				}
			}
			equal(t, "claims", len(got.claims), len(want.claims))
			for _, name := range []string{"htm", "htu", "ath"} {
				equal(t, name, got.claims[name], want.claims[name])
			}
			equal(t, "iat", got.claims["iat"].(float64), 2e9)
			if jti := got.claims["jti"].(string); len(jti) < 22 {
				t.Errorf("jti %q has less than 128 bits", jti)
			}
		})
	}
}

func TestEveryKindOfKeyMakesProofsThatVerify(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]crypto.Signer{"RS256": rsaKey, "EdDSA": edKey, "ES256": p256(t),
		"ES384": curve(t, elliptic.P384()), "ES512": curve(t, elliptic.P521())} {
		opaque := struct{ crypto.Signer }{key} // as one in a KMS
		d := newDPoP(t, opaque)
		p := sign(t, d, request(t, "GET", "https://a.example/", nil), "token")
		equal(t, "alg", p.alg, want)
		jwk, err := p.jwk.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(jwk, &members); err != nil {
			t.Fatal(err)
		}
		for name := range members {
			if !slices.Contains([]string{"kty", "crv", "x", "y", "n", "e"}, name) {
				t.Errorf("%s: the proof's key has %q", want, name)
			}
		}
	}
}

func curve(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestUnfitKeyIsAnErrorThatSaysWhy(t *testing.T) {
	weak := public{key: &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}}
	for want, key := range map[string]crypto.Signer{"no key": nil, "2048": weak, "P-224": curve(t, elliptic.P224()),
		"nil *ecdsa": (*ecdsa.PrivateKey)(nil)} {
		_, err := transport.NewDPoP(key)
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.HasPrefix(err.Error(), "ccclient: DPoP key: ") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestZeroDPoPSaysThatNewDPoPMakesOne(t *testing.T) {
	for _, zero := range []*transport.DPoP{nil, {}} {
		b, req := answers(), request(t, "GET", "https://a.example/", nil)
		for what, err := range map[string]error{"Sign": zero.Sign(req, ""), "Negotiate": zero.Negotiate(nil)} {
			if err == nil || err.Error() != "ccclient: a DPoP is made by NewDPoP" {
				t.Errorf("%s: %v", what, err)
			}
		}
		if zero.Learn(&http.Response{Request: req, Header: http.Header{"Dpop-Nonce": {"n"}}}) ||
			zero.Thumbprint() != "" {
			t.Error("a zero DPoP works")
		}
		if zero == nil {
			continue // no DPoP was asked for
		}
		_, err := (&transport.Transport{Source: bound("token"), Base: b, DPoP: zero}).RoundTrip(req)
		if err == nil || !strings.Contains(err.Error(), "made by NewDPoP") {
			t.Error(err)
		}
		equal(t, "requests", len(b.seen), 0)
	}
}

func TestAlgorithmIsOneThatTheServerSupports(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	d := newDPoP(t, rsaKey)
	for _, step := range []struct {
		supported []string
		want      string
		ok        bool
	}{
		{nil, "RS256", true},
		{[]string{"ES256", "PS256"}, "PS256", true},
		{nil, "PS256", true},
		{[]string{"ES256", "EdDSA"}, "PS256", false},
		{[]string{"PS256", "RS256"}, "RS256", true},
	} {
		if err := d.Negotiate(step.supported); (err == nil) != step.ok {
			t.Errorf("%v: %v", step.supported, err)
		}
		equal(t, "alg", sign(t, d, request(t, "GET", "https://a.example/", nil), "").alg, step.want)
	}
}

func TestProofReplacesTheOneBefore(t *testing.T) {
	d := newDPoP(t, p256(t))
	req := request(t, "", "https://a.example/", nil)
	req.Header = http.Header{"DPoP": {"old"}, "Dpop": {"older"}, "dpop": {"oldest"}, "DPOP": {""}}
	p := sign(t, d, req, "")
	if len(req.Header) != 1 {
		t.Errorf("header: %v", req.Header)
	}
	equal(t, "htm", p.claims["htm"], any("GET"))
	req.Header = nil
	sign(t, d, req, "")
	if d.Sign(&http.Request{}, "") == nil {
		t.Error("a proof for no URL")
	}
}

func TestFailingSignerMeansNothingIsSent(t *testing.T) {
	down := errors.New("the KMS is down")
	d := newDPoP(t, failing{p256(t), down})
	b, sent := answers(), newBody("x")
	_, err := (&transport.Transport{Source: bound("token"), Base: b, DPoP: d}).RoundTrip(request(t, "POST",
		"https://a.example/", sent))
	if !errors.Is(err, down) {
		t.Error(err)
	}
	equal(t, "requests", len(b.seen), 0)
	sent.closedOnce(t)
}

func TestDPoPSendsAFreshProofBesideEachToken(t *testing.T) {
	b := answers(reply{status: 401, header: challenges(`DPoP error="invalid_token"`)}, reply{status: 200})
	tr := &transport.Transport{Source: bound("first", "second"), Base: b, DPoP: newDPoP(t, p256(t))}
	req := request(t, "POST", "https://a.example/x?y", strings.NewReader("text"))
	resp, _ := roundTrip(t, tr, req)
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "Authorization", b.authorizations(), "DPoP first, DPoP second")
	equal(t, "nonces", proofs(t, b), "<nil> <nil>")
	equal(t, "headers of the caller's request", len(req.Header), 0)
}

type failing struct {
	crypto.Signer
	err error
}

func (f failing) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, f.err }
