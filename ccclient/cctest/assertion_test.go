package cctest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

const (
	jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	jwtSPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
	longKey   = "a secret of at least sixty-four bytes, so that it serves for HS512 too"
)

func newEC(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a compact JWS. Header members that are nil are left out.
func sign(t testing.TB, key any, alg string, header, claims map[string]any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	for name, value := range header {
		if value != nil {
			o.WithHeader(jose.HeaderKey(name), value)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// claims are those of a good assertion for the client, with changes; a nil value removes a claim.
func claims(client string, changes map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{
		"iss": client, "sub": client, "aud": "https://as.example",
		"iat": now, "exp": now + 60, "jti": rand.Text(),
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// assert sends an assertion.
func assert(t *testing.T, s *cctest.Server, kind, assertion string, more ...string) reply {
	t.Helper()
	pairs := append([]string{"grant_type", "client_credentials", "client_assertion_type", kind, "client_assertion",
		assertion}, more...)
	return do(t, s.RoundTripper(), form(t.Context(), tokenURL, pairs...))
}

func TestPrivateKeyJWTWithEveryKindOfKey(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[string]crypto.Signer{
		"RS256": rsaKey, "RS384": rsaKey, "RS512": rsaKey, "PS256": rsaKey, "PS384": rsaKey, "PS512": rsaKey,
		"ES256": newEC(t, elliptic.P256()), "ES384": newEC(t, elliptic.P384()), "ES512": newEC(t, elliptic.P521()),
		"EdDSA": edKey,
	} {
		t.Run(alg, func(t *testing.T) {
			s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "c",
				Keys: map[string]crypto.PublicKey{"k": key.Public()}}}})
			for _, header := range []map[string]any{nil, {"kid": "k"}, {"typ": "JWT"},
				{"typ": "client-authentication+jwt"}} {
				if got := assert(t, s, jwtBearer, sign(t, key, alg, header, claims("c", nil)), "client_id",
					"c"); got.status != 200 {
					t.Errorf("%v: %d %s", header, got.status, got.body)
				}
			}
			if got := assert(t, s, jwtBearer, sign(t, key, alg, map[string]any{"kid": "other"},
				claims("c", nil))); got.status != 401 {
				t.Errorf("with another kid: %d", got.status)
			}
			if last := s.TokenRequests()[0]; last.AuthMethod != cctest.PrivateKeyJWT || last.ClientID != "c" ||
				last.Claims["sub"] != "c" {
				t.Errorf("recorded %+v", last)
			}
		})
	}
}

func TestEd25519ByItsNewerName(t *testing.T) {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "c",
		Keys: map[string]crypto.PublicKey{"": public}}}})
	for _, test := range []struct {
		header string
		flip   byte
		status int
	}{
		{`{"alg":"Ed25519"}`, 0, 200},
		{`{"alg":"Ed25519"}`, 1, 401},
		{`{"alg":"Ed25519","crit":["b64"],"b64":true}`, 0, 401},
	} {
		payload, err := json.Marshal(claims("c", nil))
		if err != nil {
			t.Fatal(err)
		}
		input := base64.RawURLEncoding.EncodeToString([]byte(test.header)) + "." +
			base64.RawURLEncoding.EncodeToString(payload)
		signature := ed25519.Sign(key, []byte(input))
		signature[0] ^= test.flip
		got := assert(t, s, jwtBearer, input+"."+base64.RawURLEncoding.EncodeToString(signature))
		if got.status != test.status {
			t.Errorf("%s: %d %s", test.header, got.status, got.body)
		}
	}
}

func TestAssertionsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, other := newEC(t, elliptic.P256()), newEC(t, elliptic.P256())
		weak, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := cctest.SelfSigned("c")
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]crypto.PublicKey{"": key.Public()}
		s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{
			{ID: "c", Keys: keys, Certificate: certificate.Leaf, AuthMethods: []string{cctest.PrivateKeyJWT}},
			{ID: "d", Secret: "short", Keys: keys},
			{ID: "e", Secret: longKey, Keys: map[string]crypto.PublicKey{"": weak.Public()}},
		}})
		now := time.Now().Unix()
		id := func(der []byte) string {
			sum := sha256.Sum256(der)
			return base64.RawURLEncoding.EncodeToString(sum[:])
		}
		replayed := sign(t, key, "ES256", nil, claims("c", nil))
		if got := assert(t, s, jwtBearer, replayed); got.status != 200 {
			t.Fatalf("the good one: %d %s", got.status, got.body)
		}
		good := map[string]any{"x5t#S256": id(certificate.Leaf.Raw)}
		if got := assert(t, s, jwtBearer, sign(t, key, "ES256", good, claims("c", nil))); got.status != 200 {
			t.Fatalf("with a certificate: %d %s", got.status, got.body)
		}
		own := func(changes map[string]any) string { return sign(t, key, "ES256", nil, claims("c", changes)) }
		for name, test := range map[string]struct {
			assertion string
			more      []string
		}{
			"replayed jti":        {replayed, nil},
			"no jti":              {own(map[string]any{"jti": nil}), nil},
			"wrong aud":           {own(map[string]any{"aud": "https://other.example"}), nil},
			"issuer with a slash": {own(map[string]any{"aud": "https://as.example/"}), nil},
			"token URL as aud":    {own(map[string]any{"aud": tokenURL}), nil},
			"aud in an array":     {own(map[string]any{"aud": []string{"https://as.example"}}), nil},
			"no aud":              {own(map[string]any{"aud": nil}), nil},
			"stale iat":           {own(map[string]any{"iat": now - 600}), nil},
			"iat in the future":   {own(map[string]any{"iat": now + 60}), nil},
			"no iat":              {own(map[string]any{"iat": nil}), nil},
			"iat as a string":     {own(map[string]any{"iat": "now"}), nil},
			"expired":             {own(map[string]any{"exp": now}), nil},
			"no exp":              {own(map[string]any{"exp": nil}), nil},
			"exp too far ahead":   {own(map[string]any{"exp": now + 7200}), nil},
			"nbf in the future":   {own(map[string]any{"nbf": now + 1}), nil},
			"another iss":         {own(map[string]any{"iss": "d"}), nil},
			"no iss":              {own(map[string]any{"iss": nil}), nil},
			"an unknown client":   {own(map[string]any{"iss": "x", "sub": "x"}), nil},
			"no sub":              {own(map[string]any{"iss": "", "sub": nil}), nil},
			"wrong key":           {sign(t, other, "ES256", nil, claims("c", nil)), nil},
			"wrong kind of key":   {sign(t, weak, "RS256", nil, claims("c", nil)), nil},
			"wrong typ":           {sign(t, key, "ES256", map[string]any{"typ": "at+jwt"}, claims("c", nil)), nil},
			"wrong certificate": {sign(t, key, "ES256", map[string]any{"x5t#S256": id([]byte("x"))},
				claims("c", nil)), nil},
			"another client_id":   {own(nil), []string{"client_id", "d"}},
			"a secret beside it":  {own(nil), []string{"client_id", "c", "client_secret", "x"}},
			"method not allowed":  {sign(t, []byte(longKey), "HS256", nil, claims("c", nil)), nil},
			"MAC by a public key": {sign(t, []byte(longKey), "HS256", nil, claims("d", nil)), nil},
			"not a JWT":           {"abc", nil},
			"not JSON":            {"YWJj.YWJj.YWJj", nil},
			"alg none": {"eyJhbGciOiJub25lIn0." +
				base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"c","sub":"c"}`)) + ".", nil},
			"alg of another key": {"eyJhbGciOiJFZDI1NTE5In0." +
				base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"c","sub":"c"}`)) + ".AA", nil},
			"critical header":      {"eyJhbGciOiJFUzI1NiIsImNyaXQiOlsieCJdfQ.e30.AA", nil},
			"signature cut off":    {replayed[:len(replayed)-4], nil},
			"white space inside":   {replayed[:9] + " " + replayed[9:], nil},
			"client without a key": {sign(t, key, "ES256", nil, claims("e", nil)), nil},
		} {
			got := assert(t, s, jwtBearer, test.assertion, test.more...)
			want := "invalid_client"
			if name == "a secret beside it" {
				want = "invalid_request"
			}
			if got.status == 200 || got.str("error") != want {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
		if got := assert(t, s, "urn:x", own(nil)); got.str("error") != "invalid_client" {
			t.Errorf("another assertion type: %s", got.body)
		}
	})
}

func TestClientSecretJWTNeedsALongSecret(t *testing.T) {
	for _, test := range []struct {
		alg    string
		length int
		status int
	}{{"HS256", 32, 200}, {"HS256", 31, 401}, {"HS384", 48, 200}, {"HS384", 47, 401}, {"HS512", 64, 200}, {"HS512", 63,
		401}} {
		secret := longKey[:test.length]
		s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "c", Secret: secret}}})
		assertion := macByHand(t, test.alg, secret, claims("c", nil))
		if got := assert(t, s, jwtBearer, assertion); got.status != test.status {
			t.Errorf("%s with %d bytes: %d %s", test.alg, test.length, got.status, got.body)
		}
	}
}

func TestReplayIsForgottenWhenTheAssertionHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "c", Secret: longKey}}})
		jti := map[string]any{"jti": "same"}
		send := func() int {
			return assert(t, s, jwtBearer, sign(t, []byte(longKey), "HS256", nil, claims("c", jti))).status
		}
		first, second := send(), send()
		time.Sleep(time.Minute)
		if third := send(); first != 200 || second != 401 || third != 200 {
			t.Errorf("got %d, %d, %d", first, second, third)
		}
	})
}

func TestAssertionOfARequestThatFailsCountsAsUsed(t *testing.T) {
	s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "c", Secret: longKey}}})
	s.FailNext(1, http.StatusServiceUnavailable, nil)
	assertion := sign(t, []byte(longKey), "HS256", nil, claims("c", nil))
	if got := assert(t, s, jwtBearer, assertion); got.status != 503 {
		t.Fatalf("got %d", got.status)
	}
	if got := assert(t, s, jwtBearer, assertion); got.status != 401 {
		t.Errorf("sent again: %d", got.status)
	}
}

func TestTokenURLAudienceIsForOlderClients(t *testing.T) {
	s := cctest.NewServer(cctest.Options{TokenURLAudience: true,
		Clients: []cctest.Registration{{ID: "c", Secret: longKey}}})
	for _, aud := range []any{tokenURL, "https://as.example", []string{"x", tokenURL}} {
		if got := assert(t, s, jwtBearer, sign(t, []byte(longKey), "HS256", nil,
			claims("c", map[string]any{"aud": aud}))); got.status != 200 {
			t.Errorf("%v: %d %s", aud, got.status, got.body)
		}
	}
	if got := assert(t, s, jwtBearer, sign(t, []byte(longKey), "HS256", nil,
		claims("c", map[string]any{"aud": []string{"x"}}))); got.status != 401 {
		t.Errorf("for others: %d", got.status)
	}
}

func TestAssertionsOfWorkloadsAreTheirIssuers(t *testing.T) {
	key := newEC(t, elliptic.P256())
	keys := map[string]crypto.PublicKey{"": key.Public()}
	const cluster, account, workload = "https://kubernetes.default.svc", "system:serviceaccount:shop:orders", "spiffe://example.org/orders"
	s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{
		{ID: "k8s", Keys: keys, AssertionIssuer: cluster, AssertionSubject: account},
		{ID: "spiffe", Keys: keys, AssertionSubject: workload},
	}})
	k8s := map[string]any{"iss": cluster, "sub": account, "aud": []string{"https://as.example"}, "jti": nil,
		"iat": time.Now().Unix() - 3000}
	svid := map[string]any{"iss": nil, "sub": workload, "aud": []string{"https://as.example"}, "jti": nil}
	change := func(m map[string]any, name string, value any) map[string]any {
		m = maps.Clone(m)
		m[name] = value
		return m
	}
	for _, test := range []struct {
		name, kind string
		changes    map[string]any
		client     string // empty: refused
	}{
		{"kubernetes", jwtBearer, k8s, "k8s"},
		{"kubernetes, once more", jwtBearer, k8s, "k8s"},
		{"spiffe", jwtSPIFFE, svid, "spiffe"},
		{"spiffe as another type", jwtBearer, svid, ""},
		{"another account", jwtBearer, change(k8s, "sub", "system:serviceaccount:shop:other"), ""},
		{"another cluster", jwtBearer, change(k8s, "iss", "https://other.example"), ""},
		{"for somebody else", jwtBearer, change(k8s, "aud", []string{"https://other.example"}), ""},
		{"for several", jwtBearer, change(k8s, "aud", []string{"https://as.example", "https://other.example"}), ""},
		{"expired", jwtBearer, change(k8s, "exp", time.Now().Unix()-1), ""},
		{"not yet", jwtBearer, change(k8s, "nbf", time.Now().Unix()+60), ""},
		{"made by the client itself", jwtBearer, claims("k8s", nil), ""},
	} {
		got := assert(t, s, test.kind, sign(t, key, "ES256", nil, claims("x", test.changes)))
		requests := s.TokenRequests()
		if last := requests[len(requests)-1]; (got.status == 200) != (test.client != "") || test.client != "" &&
			last.ClientID != test.client {
			t.Errorf("%s: %d %s, client %q", test.name, got.status, got.body, last.ClientID)
		}
	}
}

func TestSigningAlgsRestrictWhatIsTaken(t *testing.T) {
	key := newEC(t, elliptic.P256())
	s := cctest.NewServer(cctest.Options{
		SigningAlgs: []string{"PS256"},
		Clients:     []cctest.Registration{{ID: "c", Keys: map[string]crypto.PublicKey{"": key.Public()}}},
	})
	if got := assert(t, s, jwtBearer, sign(t, key, "ES256", nil, claims("c", nil))); got.status != 401 {
		t.Errorf("got %d", got.status)
	}
}
