package cctest_test

import (
	"crypto"
	"crypto/elliptic"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func metadata(t *testing.T, s *cctest.Server) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
		"https://as.example/.well-known/oauth-authorization-server", nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, s.RoundTripper(), r)
}

func list(t *testing.T, v any) []string {
	t.Helper()
	var out []string
	items, _ := v.([]any)
	for _, item := range items {
		out = append(out, item.(string))
	}
	return out
}

func TestMetadataTellsWhatTheServerCanDo(t *testing.T) {
	key := newEC(t, elliptic.P256())
	s := cctest.NewServer(cctest.Options{
		Scopes:      []string{"a"},
		SigningAlgs: []string{"ES256", "HS256"},
		Clients: []cctest.Registration{
			{ID: "a", Secret: "x", AuthMethods: []string{cctest.ClientSecretJWT, cctest.ClientSecretBasicUnencoded}},
			{ID: "b", Keys: map[string]crypto.PublicKey{"": key.Public()}},
			{ID: "c", TLSSubjectDN: "CN=c"},
		},
		Metadata: func(m map[string]any) { m["x"] = "y" },
	})
	got := metadata(t, s)
	for name, want := range map[string][]string{
		"token_endpoint_auth_methods_supported": {cctest.ClientSecretJWT, cctest.PrivateKeyJWT,
			cctest.TLSClientAuth},
		"token_endpoint_auth_signing_alg_values_supported": {"ES256", "HS256"},
		"dpop_signing_alg_values_supported":                {"ES256"},
		"grant_types_supported":                            {"client_credentials"},
		"scopes_supported":                                 {"a"},
	} {
		if have := list(t, got.members[name]); !reflect.DeepEqual(have, want) {
			t.Errorf("%s is %q, want %q", name, have, want)
		}
	}
	if got.str("x") != "y" {
		t.Error("the hook was not asked")
	}
}

func TestIssuerCanBeWhatTheServerIsNotReachedBy(t *testing.T) {
	s := cctest.NewServer(cctest.Options{Issuer: "https://issuer.example",
		Clients: []cctest.Registration{{ID: "c", Secret: longKey}}})
	if got := metadata(t, s); got.str("issuer") != "https://issuer.example" || got.str("token_endpoint") != tokenURL ||
		s.Issuer() != "https://issuer.example" {
		t.Errorf("got %s", got.body)
	}
	if got := assert(t, s, jwtBearer, sign(t, []byte(longKey), "HS256", nil,
		claims("c", map[string]any{"aud": "https://issuer.example"}))); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestJWTAccessTokensCanBeVerifiedOffline(t *testing.T) {
	s := cctest.NewServer(cctest.Options{JWTAccessTokens: true, Lifetime: time.Minute})
	token := newToken(t, s, "scope", "a b", "resource", "https://api.example")

	r, _ := http.NewRequest(http.MethodGet, metadata(t, s).str("jwks_uri"), nil)
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(do(t, s.RoundTripper(), r).body), &set); err != nil || len(set.Keys) != 1 ||
		!set.Keys[0].IsPublic() {
		t.Fatalf("the key set: %v, %d keys", err, len(set.Keys))
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(set)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(payload, &got); err != nil {
		t.Fatal(err)
	}
	if jws.Signatures[0].Header.ExtraHeaders["typ"] != "at+jwt" || got["iss"] != "https://as.example" ||
		got["client_id"] != "client" || got["scope"] != "a b" ||
		!reflect.DeepEqual(list(t, got["aud"]), []string{"https://api.example"}) ||
		got["exp"].(float64)-got["iat"].(float64) != 60 || got["jti"] == "" {
		t.Errorf("got %s", payload)
	}
	if got := call(t, s.Protect(ok), "Bearer "+token); got.status != 200 {
		t.Errorf("the resource: %d", got.status)
	}
	s.Revoke(token)
	if got := call(t, s.Protect(ok), "Bearer "+token); got.status != 401 {
		t.Errorf("the resource, after its revocation: %d", got.status)
	}
}
