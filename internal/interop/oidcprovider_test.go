package interop_test

import (
	"crypto"
	"crypto/tls"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient"
)

// resource is what a resource indicator (RFC 8707) names here.
const resource = "https://api.example.com/ledger"

// oidcClients are oidc-provider's own registrations, in the terms of RFC 7591.
func oidcClients() []map[string]any {
	secret := func(id, method, secret string) map[string]any {
		return map[string]any{"client_id": id, "token_endpoint_auth_method": method, "client_secret": secret}
	}
	signed := func(id, alg string, key crypto.Signer) map[string]any {
		return map[string]any{
			"client_id": id, "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": alg,
			"jwks": jwks(jwk(key, id)),
		}
	}
	and := func(client map[string]any, name string, value any) map[string]any {
		client[name] = value
		return client
	}
	selfSignedClient := func(id string) map[string]any {
		return map[string]any{
			"client_id": id, "token_endpoint_auth_method": "self_signed_tls_client_auth",
			"jwks": jwks(certJWK(selfSigned)),
		}
	}
	pki := func(id string) map[string]any {
		return map[string]any{
			"client_id": id, "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": clientDNSName,
		}
	}
	const bound, dpop = "tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens"
	return []map[string]any{
		secret("basic", "client_secret_basic", plainSecret),
		secret(specialID, "client_secret_basic", specialSecret),
		secret(strings.ReplaceAll(specialID, ":", ";"), "client_secret_basic", specialSecret),
		secret("post", "client_secret_post", plainSecret),
		secret(specialID+" post", "client_secret_post", specialSecret),
		and(secret("reader", "client_secret_basic", plainSecret), "scope", "read"),
		secret("jwt", "client_secret_jwt", plainSecret),
		signed("rs256", "RS256", rsaKey),
		signed("ps256", "PS256", rsaKey),
		signed("es256", "ES256", ecKey),
		signed("eddsa", "EdDSA", edKey),
		signed("ed25519", "Ed25519", edKey),
		pki("pki"),
		and(pki("pki-bound"), bound, true),
		and(selfSignedClient("self-bound"), bound, true),
		and(signed("es256-bound", "ES256", ecKey), bound, true),
		and(secret("dpop", "client_secret_basic", plainSecret), dpop, true),
		and(secret("dpop-nonce", "client_secret_basic", plainSecret), dpop, true),
		and(signed("dpop-nonce-es256", "ES256", ecKey), dpop, true),
	}
}

// startOIDCProvider serves oidc-provider with opaque tokens, and an api that
// introspects them.
func startOIDCProvider() (*server, func(), error) {
	settings := map[string]any{
		"lifetime": int(lifetime / time.Second),
		"clients":  oidcClients(),
		"resource": resource,
		"tls":      map[string]any{"key": keyPEM(serverCert), "cert": certPEM(serverCert), "ca": certPEM(ca)},
	}
	var urls struct {
		Issuer, Token, API, Revoke string
		MTLSToken                  string `json:"mtls_token"`
		MTLSAPI                    string `json:"mtls_api"`
		TLSToken                   string `json:"tls_token"`
	}
	node, err := startNode("server.mjs", settings, &urls)
	if err != nil {
		return nil, nil, err
	}
	s := &server{issuer: urls.Issuer, tokenURL: urls.Token, api: urls.API, mtls: urls.MTLSToken, unasked: urls.TLSToken}
	s.revoke = revokeAt(urls.Revoke)

	with := func(id string, auth ccclient.Auth, change ...func(*cell)) cell {
		c := cell{
			config: ccclient.Config{Issuer: s.issuer, ClientID: id, Auth: auth, Scopes: []string{"read"}},
			api:    s.api,
		}
		for _, f := range change {
			f(&c)
		}
		return c
	}
	tokenURL := func(c *cell) { c.config.Issuer, c.config.TokenURL = "", s.tokenURL }
	showing := func(certs ...*tls.Certificate) func(*cell) {
		return func(c *cell) { c.config.TLS, c.api = clientTLS(certs...), urls.MTLSAPI }
	}
	mtlsTokenURL := func(c *cell) { c.config.Issuer, c.config.TokenURL = "", urls.MTLSToken }
	bindTo := func(key crypto.Signer) func(*cell) { return func(c *cell) { c.config.DPoPKey = key } }
	forResource := func(c *cell) { c.config.Resources = []string{resource} }

	plain, special := ccclient.SecretString(plainSecret), ccclient.SecretString(specialSecret)
	signed := func(key crypto.Signer, o ccclient.AssertionOptions) ccclient.Auth {
		return ccclient.PrivateKeyJWT(key, o)
	}
	s.cells = map[string]cell{
		"client_secret_basic":                     with("basic", ccclient.ClientSecretBasic(plain)),
		"client_secret_basic, special characters": with(specialID, ccclient.ClientSecretBasic(special), tokenURL),
		"client_secret_post":                      with("post", ccclient.ClientSecretPost(plain)),
		"client_secret_post, special characters":  with(specialID+" post", ccclient.ClientSecretPost(special), tokenURL),
		"client_secret_jwt":                       with("jwt", ccclient.ClientSecretJWT(plain, ccclient.AssertionOptions{})),
		"private_key_jwt RS256":                   with("rs256", signed(rsaKey, ccclient.AssertionOptions{})),
		"private_key_jwt PS256":                   with("ps256", signed(rsaKey, ccclient.AssertionOptions{Algorithm: string(jose.PS256)})),
		"private_key_jwt ES256":                   with("es256", signed(ecKey, ccclient.AssertionOptions{KeyID: "es256"}), tokenURL),
		"private_key_jwt EdDSA":                   with("eddsa", signed(edKey, ccclient.AssertionOptions{})),
		"private_key_jwt Ed25519":                 with("ed25519", signed(edKey, ccclient.AssertionOptions{Algorithm: "Ed25519"})),
		"private_key_jwt, opaque signer":          with("es256", signed(opaqueSigner{ecKey}, ccclient.AssertionOptions{})),
		"client assertion made elsewhere":         with("es256", ccclient.ClientAssertion(assertion("es256", ecKey, s.issuer))),
		"tls_client_auth, bound token":            with("pki-bound", ccclient.TLSClientAuth(), showing(clientCert)),
		"tls_client_auth, token not bound":        with("pki", ccclient.TLSClientAuth(), showing(clientCert)),
		"self_signed_tls_client_auth, bound":      with("self-bound", ccclient.TLSClientAuth(), showing(selfSigned)),
		"private_key_jwt, certificate-bound":      with("es256-bound", signed(ecKey, ccclient.AssertionOptions{}), showing(clientCert), mtlsTokenURL),
		"DPoP ES256":                              with("dpop", ccclient.ClientSecretBasic(plain), bindTo(dpopECKey)),
		"DPoP EdDSA":                              with("dpop", ccclient.ClientSecretBasic(plain), bindTo(dpopEd)),
		"DPoP PS256":                              with("dpop", ccclient.ClientSecretBasic(plain), bindTo(dpopRSAKey)),
		"DPoP ES256, nonces required":             with("dpop-nonce", ccclient.ClientSecretBasic(plain), bindTo(dpopECKey)),
		"DPoP, private_key_jwt, nonces required":  with("dpop-nonce-es256", signed(ecKey, ccclient.AssertionOptions{}), bindTo(dpopECKey)),
		"resource indicator, JWT access token":    with("basic", ccclient.ClientSecretBasic(plain), forResource),
	}
	return s, func() { node.stop() }, nil
}
