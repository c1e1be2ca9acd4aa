package interop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient"
)

// startMockServer serves oauth2-mock-server, and an api that checks the
// signatures of its JWTs. Nothing can be revoked there: the api does it.
func startMockServer() (*server, func(), error) {
	var urls struct{ Issuer, Token, JWKS string }
	node, err := startNode("mock.mjs", map[string]any{"lifetime": int(lifetime / time.Second)}, &urls)
	if err != nil {
		return nil, nil, err
	}
	keys, err := fetchKeys(urls.JWKS)
	if err != nil {
		node.stop()
		return nil, nil, err
	}
	protected := &api{check: func(token string) (string, bool) { return "", signedNow(token, urls.Issuer, keys) }}
	ts := httptest.NewServer(protected)

	s := &server{issuer: urls.Issuer, tokenURL: urls.Token, api: ts.URL + "/api"}
	s.revoke = func(token string) error {
		protected.deny(token)
		return nil
	}
	with := func(id string, auth ccclient.Auth, resources ...string) cell {
		return cell{
			config: ccclient.Config{
				TokenURL: s.tokenURL, ClientID: id, Auth: auth, Scopes: []string{"read"}, Resources: resources,
			},
			note: "unchecked by the server",
		}
	}
	plain, special := ccclient.SecretString(plainSecret), ccclient.SecretString(specialSecret)
	s.cells = map[string]cell{
		"client_secret_basic":                     with("basic", ccclient.ClientSecretBasic(plain)),
		"client_secret_basic, special characters": with(specialID, ccclient.ClientSecretBasic(special)),
		"client_secret_post":                      with("post", ccclient.ClientSecretPost(plain)),
		"client_secret_post, special characters":  with(specialID, ccclient.ClientSecretPost(special)),
	}
	s.lacks("no mTLS", "tls_client_auth", "self_signed_tls_client_auth")
	s.lacks("checks no assertions", "client_secret_jwt", "private_key_jwt", "client assertion")
	s.lacks("no bound tokens", "private_key_jwt, certificate-bound", "DPoP")
	s.lacks("no RFC 8707", "resource indicator")
	return s, func() { ts.Close(); node.stop() }, nil
}

func fetchKeys(url string) (*jose.JSONWebKeySet, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var keys jose.JSONWebKeySet
	return &keys, json.NewDecoder(resp.Body).Decode(&keys)
}

// signedNow reports whether token is a JWT of the issuer's that is still valid.
func signedNow(token, issuer string, keys *jose.JSONWebKeySet) bool {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return false
	}
	payload, err := signed.Verify(keys)
	if err != nil {
		return false
	}
	var claims struct {
		Issuer string `json:"iss"`
		Expiry int64  `json:"exp"`
	}
	return json.Unmarshal(payload, &claims) == nil && claims.Issuer == issuer && time.Now().Unix() < claims.Expiry
}
