package cctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// tokenKeyID names the one key that signs access tokens.
const tokenKeyID = "cctest"

// newTokenKey returns the key that signs access tokens, if they are JWTs.
func newTokenKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil { // only if the system has no randomness
		panic("cctest: " + err.Error())
	}
	return key
}

// newToken returns the text of a token for g: opaque, or a JWT by RFC 9068.
func (s *Server) newToken(g *grant) string {
	id := rand.Text()
	if !s.o.JWTAccessTokens {
		return id
	}
	claims := g.claims()
	claims["jti"] = id
	if len(g.audience) == 0 {
		claims["aud"] = g.issuer // RFC 9068 demands one: a default resource
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return id
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.tokenKey(), KeyID: tokenKeyID}},
		(&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		return id
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return id
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		return id
	}
	return token
}

// serveKeys answers with the key set that verifies access tokens.
func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	keys := []any{}
	if s.o.JWTAccessTokens {
		keys = append(keys, jose.JSONWebKey{Key: &s.tokenKey().PublicKey, KeyID: tokenKeyID, Algorithm: "ES256",
			Use: "sig"})
	}
	writeJSON(w, http.StatusOK, map[string]any{"keys": keys})
}
