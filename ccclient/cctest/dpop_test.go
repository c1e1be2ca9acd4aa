package cctest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

const apiURL = "https://api.example/things?x=1"

func athOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func keyID(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// proof makes a DPoP proof for a request, with changes; a nil value removes.
func proof(t testing.TB, key *ecdsa.PrivateKey, method, htu string, header, changes map[string]any) string {
	t.Helper()
	h := map[string]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: key.Public()}}
	maps.Copy(h, header)
	c := map[string]any{"jti": rand.Text(), "htm": method, "htu": htu, "iat": time.Now().Unix()}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return sign(t, key, "ES256", h, c)
}

// prove asks for a token with a proof.
func prove(t *testing.T, s *cctest.Server, proofs ...string) reply {
	t.Helper()
	r := grant(t)
	r.Header["Dpop"] = proofs
	return do(t, s.RoundTripper(), r)
}

// spend calls the resource with a token and a proof.
func spend(t *testing.T, s *cctest.Server, authorization string, proofs ...string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, apiURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization)
	if proofs != nil {
		r.Header["Dpop"] = proofs
	}
	return do(t, cctest.RoundTripper(s.Protect(ok)), r)
}

func TestTokenIsBoundToTheKeyOfTheProof(t *testing.T) {
	s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "client", Secret: "secret",
		RequireDPoP: true}}})
	key, other := newEC(t, elliptic.P256()), newEC(t, elliptic.P256())
	got := prove(t, s, proof(t, key, "POST", tokenURL, nil, nil))
	if got.status != 200 || got.str("token_type") != "DPoP" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if last := s.TokenRequests()[0]; last.DPoPKey != keyID(t, key) {
		t.Errorf("recorded %+v", last)
	}
	token := got.str("access_token")
	ath := map[string]any{"ath": athOf(token)}
	htu := "https://api.example/things"

	if got := spend(t, s, "DPoP "+token, proof(t, key, "GET", htu, nil, ath)); got.status != 200 {
		t.Errorf("good: %d %v", got.status, got.header)
	}
	if got := spend(t, s, "dpop "+token, proof(t, key, "GET", "HTTPS://API.example:443/things", nil,
		ath)); got.status != 200 {
		t.Errorf("good, written otherwise: %d %v", got.status, got.header)
	}
	replayed := proof(t, key, "GET", htu, nil, ath)
	spend(t, s, "DPoP "+token, replayed)
	for name, test := range map[string]struct {
		got  reply
		code string
	}{
		"as Bearer":       {spend(t, s, "Bearer "+token), "invalid_token"},
		"without a proof": {spend(t, s, "DPoP "+token), "invalid_dpop_proof"},
		"key of another":  {spend(t, s, "DPoP "+token, proof(t, other, "GET", htu, nil, ath)), "invalid_token"},
		"no ath":          {spend(t, s, "DPoP "+token, proof(t, key, "GET", htu, nil, nil)), "invalid_dpop_proof"},
		"ath of another": {spend(t, s, "DPoP "+token,
			proof(t, key, "GET", htu, nil, map[string]any{"ath": athOf("x")})), "invalid_dpop_proof"},
		"wrong htu": {spend(t, s, "DPoP "+token, proof(t, key, "GET", "https://api.example/other", nil, ath)),
			"invalid_dpop_proof"},
		"htu with a query": {spend(t, s, "DPoP "+token, proof(t, key, "GET", apiURL, nil, ath)),
			"invalid_dpop_proof"},
		"wrong htm":      {spend(t, s, "DPoP "+token, proof(t, key, "POST", htu, nil, ath)), "invalid_dpop_proof"},
		"replayed jti":   {spend(t, s, "DPoP "+token, replayed), "invalid_dpop_proof"},
		"a Bearer token": {spend(t, s, "DPoP x", proof(t, key, "GET", htu, nil, ath)), "invalid_token"},
		"two proofs": {spend(t, s, "DPoP "+token, proof(t, key, "GET", htu, nil, ath),
			proof(t, key, "GET", htu, nil, ath)), "invalid_dpop_proof"},
		"signature cut": {spend(t, s, "DPoP "+token, replayed[:len(replayed)-4]), "invalid_dpop_proof"},
		"the client's own AS": {spend(t, s, "DPoP "+token, proof(t, key, "POST", tokenURL, nil, ath)),
			"invalid_dpop_proof"},
	} {
		challenge := test.got.header.Get("WWW-Authenticate")
		if test.got.status != 401 || !strings.Contains(challenge, `error="`+test.code+`"`) {
			t.Errorf("%s: %d %s", name, test.got.status, challenge)
		}
		if name != "as Bearer" && (!strings.HasPrefix(challenge, "DPoP ") ||
			!strings.Contains(challenge, `algs="ES256 `)) {
			t.Errorf("%s: %s", name, challenge)
		}
	}

	r := form(t.Context(), "https://as.example/introspect", "token", token)
	r.SetBasicAuth("client", "secret")
	info := do(t, s.RoundTripper(), r)
	if cnf, _ := info.members["cnf"].(map[string]any); cnf["jkt"] != keyID(t, key) || info.str("token_type") != "DPoP" {
		t.Errorf("introspection: %s", info.body)
	}
}

func TestUnboundTokenIsNotForDPoP(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	token := newToken(t, s)
	key := newEC(t, elliptic.P256())
	got := spend(t, s, "DPoP "+token, proof(t, key, "GET", "https://api.example/things", nil,
		map[string]any{"ath": athOf(token)}))
	if got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("got %d %v", got.status, got.header)
	}
}

func TestProofsThatTheTokenEndpointRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "client", Secret: "secret",
			RequireDPoP: true}}})
		key, other := newEC(t, elliptic.P256()), newEC(t, elliptic.P256())
		now := time.Now().Unix()
		with := func(name string, value any) string {
			return proof(t, key, "POST", tokenURL, nil, map[string]any{name: value})
		}
		head := func(name string, value any) string {
			return proof(t, key, "POST", tokenURL, map[string]any{name: value}, nil)
		}
		replayed := with("x", "y")
		if got := prove(t, s, replayed); got.status != 200 {
			t.Fatalf("got %d %s", got.status, got.body)
		}
		for name, proofs := range map[string][]string{
			"none":                 nil,
			"two":                  {with("x", "y"), with("x", "y")},
			"replayed jti":         {replayed},
			"no jti":               {with("jti", nil)},
			"wrong htu":            {with("htu", "https://other.example/token")},
			"no htu":               {with("htu", nil)},
			"wrong htm":            {with("htm", "GET")},
			"stale iat":            {with("iat", now-61)},
			"iat in the future":    {with("iat", now+11)},
			"no iat":               {with("iat", nil)},
			"ath without a token":  {with("ath", athOf("x"))},
			"wrong typ":            {head("typ", "JWT")},
			"no typ":               {head("typ", nil)},
			"no jwk":               {head("jwk", nil)},
			"jwk of another":       {head("jwk", jose.JSONWebKey{Key: other.Public()})},
			"jwk with private key": {head("jwk", jose.JSONWebKey{Key: key})},
			"jwk that is a secret": {head("jwk", jose.JSONWebKey{Key: []byte(longKey)})},
			"not a JWT":            {"x"},
		} {
			if got := prove(t, s, proofs...); got.status != 400 || got.str("error") != "invalid_dpop_proof" {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			} else if name == "jwk with private key" && got.str("error_description") != "jwk is not a public key" {
				t.Errorf("%s: %s", name, got.body)
			}
		}
	})
}

func TestNoncesAreDemandedByEachServerForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{DPoPNonce: true})
		key := newEC(t, elliptic.P256())
		ask := func(nonce any) reply {
			return prove(t, s, proof(t, key, "POST", tokenURL, nil, map[string]any{"nonce": nonce}))
		}
		demand := ask(nil)
		if demand.status != 400 || demand.str("error") != "use_dpop_nonce" || demand.header.Get("DPoP-Nonce") == "" {
			t.Fatalf("got %d %s %v", demand.status, demand.body, demand.header)
		}
		first := demand.header.Get("DPoP-Nonce")
		got := ask(first)
		if got.status != 200 {
			t.Fatalf("got %d %s", got.status, got.body)
		}

		token := got.str("access_token")
		call := func(nonce any) reply {
			return spend(t, s, "DPoP "+token, proof(t, key, "GET", "https://api.example/things", nil,
				map[string]any{"nonce": nonce, "ath": athOf(token)}))
		}
		for _, nonce := range []any{nil, first} {
			got := call(nonce)
			if got.status != 401 || !strings.Contains(got.header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) {
				t.Errorf("at the resource with the nonce %v: %d %v", nonce, got.status, got.header)
			}
			if got = call(got.header.Get("DPoP-Nonce")); got.status != 200 {
				t.Errorf("at the resource: %d %v", got.status, got.header)
			}
		}

		time.Sleep(time.Minute)
		got = ask(first)
		second := got.header.Get("DPoP-Nonce")
		if got.status != 200 || second == "" || second == first {
			t.Errorf("a minute later: %d, the new nonce is %q", got.status, second)
		}
		if got := ask(first); got.status != 200 {
			t.Errorf("the one before: %d", got.status)
		}
		s.RotateDPoPNonces()
		if got := ask(second); got.status != 400 || got.str("error") != "use_dpop_nonce" ||
			got.header.Get("DPoP-Nonce") == second {
			t.Errorf("after the rotation: %d %s", got.status, got.body)
		}
	})
}
