package privatekey

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// A jwkHead holds the members of a JWK (RFC 7517) or a JWK Set that tell what it is, so that the error for one that
// cannot be used says why. Of the private members d, p and q it matters only whether they are there.
type jwkHead struct {
	Keys       []json.RawMessage `json:"keys"`
	Ciphertext json.RawMessage   `json:"ciphertext"`
	Kty        string            `json:"kty"`
	Crv        string            `json:"crv"`
	Use        string            `json:"use"`
	Alg        string            `json:"alg"`
	D          json.RawMessage   `json:"d"`
	P          json.RawMessage   `json:"p"`
	Q          json.RawMessage   `json:"q"`
}

// parseJWK reads a private JWK, or a JWK Set of one. The errors of encoding/json and go-jose are not passed on: nothing
// is promised of what they repeat.
func parseJWK(data []byte) (Key, error) {
	var head jwkHead
	if json.Unmarshal(data, &head) != nil {
		return Key{}, errors.New("damaged: not a JWK")
	}
	if head.Kty == "" && head.Keys != nil {
		if len(head.Keys) != 1 {
			return Key{}, fmt.Errorf("a JWK Set of %d keys: leave the one to use", len(head.Keys))
		}
		data, head = head.Keys[0], jwkHead{}
		if json.Unmarshal(data, &head) != nil {
			return Key{}, errors.New("damaged: not a JWK Set")
		}
	}
	if err := head.fault(); err != nil {
		return Key{}, err
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(data) != nil {
		return Key{}, errors.New("damaged: not a JWK")
	}
	signer, ok := jwk.Key.(crypto.Signer)
	if !ok || !consistent(signer) {
		return Key{}, errors.New("damaged: a JWK whose private and public halves differ")
	}
	key := Key{Signer: signer, ID: jwk.KeyID, Algorithm: jwk.Algorithm}
	if len(jwk.Certificates) > 0 {
		key.Certificate = jwk.Certificates[0] // the key's (RFC 7517, section 4.7): go-jose refuses another's
	}
	return key, nil
}

// fault returns why the JWK cannot be used, as far as that can be said without its values.
func (h jwkHead) fault() error {
	switch h.Kty {
	case "":
		if h.Ciphertext != nil {
			return errors.New("an encrypted JWK: decrypt it first")
		}
		return errors.New(`JSON, but not a JWK: it has no "kty"`)
	case "oct":
		return errors.New("a symmetric key, not a private one: use ClientSecretJWT")
	case "RSA", "EC", "OKP":
	default:
		return fmt.Errorf("a JWK of type %.40q: use RSA, EC or OKP", h.Kty)
	}
	if h.D == nil {
		return errors.New("a public key, not a private one")
	}
	if h.Use == "enc" {
		return errors.New(`a key for encryption ("use": "enc"), not for signatures`)
	}
	switch h.Kty + " " + h.Crv {
	case "EC P-256", "EC P-384", "EC P-521", "OKP Ed25519":
		return nil
	case "RSA " + h.Crv:
		if h.P == nil || h.Q == nil { // RFC 7518, section 6.3.2, lets them be left out.
			return errors.New("an RSA key without its primes p and q")
		}
		return nil
	}
	return fmt.Errorf("a key on the curve %.40q: use P-256, P-384, P-521 or Ed25519", h.Crv)
}

// consistent reports whether the private half of a key belongs to its public half: a JWK holds both. go-jose checks
// that for RSA and Ed25519, so only ECDSA is left.
func consistent(key crypto.Signer) bool {
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return true
	}
	d, err := k.Bytes()
	if err != nil {
		return false
	}
	derived, err := ecdsa.ParseRawPrivateKey(k.Curve, d)
	return err == nil && derived.PublicKey.Equal(&k.PublicKey)
}
