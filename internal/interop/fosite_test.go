package interop_test

import (
	"context"
	"crypto"
	"net/http"
	"net/http/httptest"

	josev3 "github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"

	"github.com/ccclient/go-ccclient/ccclient"
)

// startFosite serves ory/fosite with opaque tokens, and an api that asks it
// about them.
func startFosite() (*server, func(), error) {
	mux := http.NewServeMux()
	ts := httptest.NewServer(mux)
	s := &server{tokenURL: ts.URL + "/token", api: ts.URL + "/api"}

	config := &fosite.Config{
		AccessTokenLifespan: lifetime,
		GlobalSecret:        randomSecret(),
		TokenURL:            s.tokenURL,
		HashCost:            4,
		// A rejection says why, so that a test that fails says why.
		SendDebugMessagesToClients: true,
		// These have defaults, which fosite writes at the first use of each: a data race.
		ScopeStrategy:            fosite.ExactScopeStrategy,
		AudienceMatchingStrategy: fosite.DefaultAudienceMatchingStrategy,
	}
	hasher := &fosite.BCrypt{Config: config}
	config.ClientSecretsHasher = hasher
	store := storage.NewMemoryStore()
	add := func(id, method, secret string, key crypto.Signer, alg string) {
		c := &fosite.DefaultOpenIDConnectClient{
			DefaultClient: &fosite.DefaultClient{
				ID:         id,
				GrantTypes: []string{"client_credentials"},
				Scopes:     []string{"read"},
			},
			TokenEndpointAuthMethod:           method,
			TokenEndpointAuthSigningAlgorithm: alg,
		}
		if secret != "" {
			c.Secret = must(hasher.Hash(context.Background(), []byte(secret)))
		}
		if key != nil {
			c.JSONWebKeys = &josev3.JSONWebKeySet{Keys: []josev3.JSONWebKey{{Key: key.Public(), KeyID: id, Use: "sig"}}}
		}
		store.Clients[id] = c
	}
	add("basic", "client_secret_basic", plainSecret, nil, "")
	add(specialID, "client_secret_basic", specialSecret, nil, "")
	add("post", "client_secret_post", plainSecret, nil, "")
	add(specialID+" post", "client_secret_post", specialSecret, nil, "")
	add("rs256", "private_key_jwt", "", rsaKey, "RS256")
	add("ps256", "private_key_jwt", "", rsaKey, "PS256")
	add("es256", "private_key_jwt", "", ecKey, "ES256")

	provider := compose.Compose(config, store, compose.NewOAuth2HMACStrategy(config),
		compose.OAuth2ClientCredentialsGrantFactory,
		compose.OAuth2TokenIntrospectionFactory,
	)
	introspect := func(token string) (fosite.AccessRequester, error) {
		session := &fosite.DefaultSession{}
		_, request, err := provider.IntrospectToken(context.Background(), token, fosite.AccessToken, session)
		return request, err
	}
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		request, err := provider.NewAccessRequest(r.Context(), r, &fosite.DefaultSession{})
		if err != nil {
			provider.WriteAccessError(r.Context(), w, request, err)
			return
		}
		for _, scope := range request.GetRequestedScopes() {
			request.GrantScope(scope)
		}
		response, err := provider.NewAccessResponse(r.Context(), request)
		if err != nil {
			provider.WriteAccessError(r.Context(), w, request, err)
			return
		}
		provider.WriteAccessResponse(r.Context(), w, request, response)
	})
	mux.Handle("/api", &api{check: func(token string) (string, bool) {
		request, err := introspect(token)
		if err != nil {
			return "", false
		}
		return request.GetClient().GetID(), true
	}})
	s.revoke = func(token string) error {
		request, err := introspect(token)
		if err != nil {
			return err
		}
		return store.RevokeAccessToken(context.Background(), request.GetID())
	}

	with := func(id string, auth ccclient.Auth) cell {
		return cell{config: ccclient.Config{TokenURL: s.tokenURL, ClientID: id, Auth: auth, Scopes: []string{"read"}}}
	}
	s.cells = map[string]cell{
		"client_secret_basic":                     with("basic", ccclient.ClientSecretBasic(ccclient.SecretString(plainSecret))),
		"client_secret_basic, special characters": with(specialID, ccclient.ClientSecretBasic(ccclient.SecretString(specialSecret))),
		"client_secret_post":                      with("post", ccclient.ClientSecretPost(ccclient.SecretString(plainSecret))),
		"client_secret_post, special characters":  with(specialID+" post", ccclient.ClientSecretPost(ccclient.SecretString(specialSecret))),
		"private_key_jwt RS256":                   with("rs256", ccclient.PrivateKeyJWT(rsaKey, ccclient.AssertionOptions{KeyID: "rs256"})),
		"private_key_jwt PS256":                   with("ps256", ccclient.PrivateKeyJWT(rsaKey, ccclient.AssertionOptions{KeyID: "ps256", Algorithm: "PS256"})),
		"private_key_jwt ES256":                   with("es256", ccclient.PrivateKeyJWT(ecKey, ccclient.AssertionOptions{KeyID: "es256"})),
		"private_key_jwt, opaque signer":          with("es256", ccclient.PrivateKeyJWT(opaqueSigner{ecKey}, ccclient.AssertionOptions{KeyID: "es256"})),
		"client assertion made elsewhere":         with("es256", ccclient.ClientAssertion(assertion("es256", ecKey, s.tokenURL))),
	}
	s.lacks("no mTLS", "tls_client_auth", "self_signed_tls_client_auth")
	s.lacks("no client_secret_jwt", "client_secret_jwt")
	s.lacks("no EdDSA", "private_key_jwt Ed")
	s.lacks("no bound tokens", "private_key_jwt, certificate-bound", "DPoP")
	s.lacks("no RFC 8707", "resource indicator")
	return s, ts.Close, nil
}
