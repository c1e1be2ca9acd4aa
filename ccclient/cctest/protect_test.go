package cctest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestResourceChallengesByRFC6750(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	good, revoked := newToken(t, s, "scope", "read"), newToken(t, s)
	s.Revoke(revoked)
	for _, test := range []struct {
		name, authorization string
		scopes              []string
		status              int
		challenge           string
	}{
		{"good", "Bearer " + good, nil, 200, ""},
		{"scheme in lower case", "bearer " + good, nil, 200, ""},
		{"with its scope", "Bearer " + good, []string{"read"}, 200, ""},
		{"none", "", nil, 401, `Bearer realm="cctest"`},
		{"other scheme", "Basic x", nil, 401, `Bearer realm="cctest"`},
		{"unknown", "Bearer x", nil, 401, `Bearer realm="cctest", error="invalid_token", error_description="the token is not known"`},
		{"revoked", "Bearer " + revoked, nil, 401,
			`Bearer realm="cctest", error="invalid_token", error_description="the token was revoked"`},
		{"without a scope", "Bearer " + good, []string{"read", "write"}, 403,
			`Bearer realm="cctest", error="insufficient_scope", error_description="the token lacks a scope", scope="read write"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := call(t, s.ProtectScopes(ok, test.scopes...), test.authorization)
			if got.status != test.status || got.header.Get("WWW-Authenticate") != test.challenge {
				t.Errorf("got %d %v", got.status, got.header)
			}
		})
	}
	if got := s.Stats(); got.ResourceRequests != 8 || got.ResourceRejected != 5 {
		t.Errorf("counted %+v", got)
	}
	r, _ := http.NewRequest(http.MethodGet, "https://api.example/", nil)
	r.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
	if got := do(t, cctest.RoundTripper(s.Protect(ok)), r); got.status != 400 ||
		!strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_request"`) {
		t.Errorf("two tokens: %d %v", got.status, got.header)
	}
}

func TestResourceChallengesForClaims(t *testing.T) {
	const wanted = `{"access_token":{"nbf":{"essential":true,"value":"17"}}}`
	s := cctest.NewServer(cctest.Options{})
	h := s.ProtectClaims(ok, wanted)
	for name, claims := range map[string]string{
		"the same":  wanted,
		"with more": `{"access_token":{"xms_cc":{"values":["cp1"]},"nbf":{"value":"17","essential":true}},"id_token":null}`,
	} {
		if got := call(t, h, "Bearer "+newToken(t, s, "claims", claims)); got.status != 200 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	for name, token := range map[string]string{
		"none":          newToken(t, s),
		"another value": newToken(t, s, "claims", `{"access_token":{"nbf":{"essential":true,"value":"16"}}}`),
		"less":          newToken(t, s, "claims", `{"access_token":{"nbf":{"essential":true}}}`),
		"no object":     newToken(t, s, "claims", `[]`),
	} {
		got := call(t, h, "Bearer "+token)
		const challenge = `Bearer realm="cctest", error="insufficient_claims", ` +
			`error_description="the token was asked for without these claims", ` +
			`claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNyJ9fX0="`
		if got.status != 401 || got.header.Get("WWW-Authenticate") != challenge {
			t.Errorf("%s: got %d %v", name, got.status, got.header)
		}
	}
	if got := call(t, h, ""); got.header.Get("WWW-Authenticate") != `Bearer realm="cctest"` {
		t.Errorf("without a token: got %d %v", got.status, got.header)
	}
}

func TestRevokeAllSparesLaterTokens(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	old := newToken(t, s)
	s.RevokeAll()
	if got := call(t, s.Protect(ok), "Bearer "+old); got.status != 401 {
		t.Errorf("the old token: %d", got.status)
	}
	if got := call(t, s.Protect(ok), "Bearer "+newToken(t, s)); got.status != 200 {
		t.Errorf("the new token: %d", got.status)
	}
}

func TestIntrospectionAndRevocation(t *testing.T) {
	s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "client", Secret: "secret"},
		{ID: "other", Secret: "secret"}}})
	token := newToken(t, s, "scope", "a b", "resource", "https://api.example", "audience", "x")
	ask := func(client, endpoint string, pairs ...string) reply {
		r := form(t.Context(), "https://as.example/"+endpoint, pairs...)
		if client != "" {
			r.SetBasicAuth(client, "secret")
		}
		return do(t, s.RoundTripper(), r)
	}
	got := ask("other", "introspect", "token", token)
	if got.members["active"] != true || got.str("scope") != "a b" || got.str("client_id") != "client" ||
		got.str("token_type") != "Bearer" ||
		got.str("iss") != "https://as.example" || len(got.members["aud"].([]any)) != 2 ||
		got.members["exp"].(float64)-got.members["iat"].(float64) != 3600 {
		t.Fatalf("got %s", got.body)
	}
	for name, got := range map[string]reply{
		"introspection, nobody":   ask("", "introspect", "token", token),
		"revocation, nobody":      ask("", "revoke", "token", token),
		"introspection, no token": ask("client", "introspect"),
		"revocation, no token":    ask("client", "revoke"),
	} {
		if got.status < 400 {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	if got := ask("client", "introspect", "token", "unknown"); got.body != `{"active":false}` {
		t.Errorf("an unknown token: %s", got.body)
	}
	if got := ask("other", "revoke", "token", token); got.status != 200 {
		t.Errorf("another's token: %d", got.status)
	}
	if got := ask("client", "introspect", "token", token); got.members["active"] != true {
		t.Error("another client revoked the token")
	}
	if got := ask("client", "revoke", "token", token, "token_type_hint", "access_token"); got.status != 200 {
		t.Errorf("revocation: %d", got.status)
	}
	if got := ask("client", "introspect", "token", token); got.members["active"] != false {
		t.Error("the token is not revoked")
	}
	if len(s.TokenRequests()) != 1 {
		t.Error("other endpoints count as token requests")
	}
}

func TestMetadataIsWhereTheStandardsHaveIt(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	for issuer, urls := range map[string][]string{
		"https://as.example": {"https://as.example/.well-known/oauth-authorization-server",
			"https://as.example/.well-known/openid-configuration"},
		"http://127.0.0.1:99/tenant": {"http://127.0.0.1:99/.well-known/oauth-authorization-server/tenant",
			"http://127.0.0.1:99/.well-known/openid-configuration/tenant",
			"http://127.0.0.1:99/tenant/.well-known/openid-configuration"},
	} {
		for _, u := range urls {
			r, _ := http.NewRequest(http.MethodGet, u, nil)
			got := do(t, s.RoundTripper(), r)
			if got.status != 200 || got.str("issuer") != issuer || got.str("token_endpoint") != issuer+"/token" {
				t.Errorf("%s: %d %s", u, got.status, got.body)
			}
		}
	}
	r, _ := http.NewRequest(http.MethodGet, "https://as.example/other", nil)
	if got := do(t, s.RoundTripper(), r); got.status != 404 {
		t.Errorf("elsewhere: %d", got.status)
	}
	if n := s.Stats().MetadataRequests; n != 5 {
		t.Errorf("counted %d", n)
	}
}
