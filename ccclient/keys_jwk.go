package ccclient

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// jwkKind is what of a JWK (RFC 7517) is looked at before it is parsed, to say
// what it is if it will not do. The private parts are only looked for.
type jwkKind struct {
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

// parseJWK reads a private JWK, or a JWK Set of one. Neither json's errors nor
// go-jose's are passed on: what they repeat is not promised.
func parseJWK(data []byte) (crypto.Signer, AssertionOptions, error) {
	var none AssertionOptions
	var kind jwkKind
	if json.Unmarshal(data, &kind) != nil {
		return nil, none, errors.New("damaged: not a JWK")
	}
	if kind.Kty == "" && kind.Keys != nil {
		if len(kind.Keys) != 1 {
			return nil, none, fmt.Errorf("a JWK Set of %d keys: leave the one to use", len(kind.Keys))
		}
		data, kind = kind.Keys[0], jwkKind{}
		if json.Unmarshal(data, &kind) != nil {
			return nil, none, errors.New("damaged: not a JWK Set")
		}
	}
	if err := kind.fault(); err != nil {
		return nil, none, err
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(data) != nil {
		return nil, none, errors.New("damaged: not a JWK")
	}
	key, ok := jwk.Key.(crypto.Signer)
	if !ok || !consistent(key) {
		return nil, none, errors.New("damaged: a JWK whose private and public halves differ")
	}
	return key, AssertionOptions{KeyID: jwk.KeyID, Algorithm: jwk.Algorithm}, nil
}

// fault is what can be said of a JWK without its values.
func (k jwkKind) fault() error {
	switch k.Kty {
	case "":
		if k.Ciphertext != nil {
			return errors.New("an encrypted JWK: decrypt it first")
		}
		return errors.New(`JSON, but not a JWK: it has no "kty"`)
	case "oct":
		return errors.New("a symmetric key, not a private one: use ClientSecretJWT")
	case "RSA", "EC", "OKP":
	default:
		return fmt.Errorf("a JWK of type %.40q: use RSA, EC or OKP", k.Kty)
	}
	if k.D == nil {
		return errors.New("a public key, not a private one")
	}
	if k.Use == "enc" {
		return errors.New(`a key for encryption ("use": "enc"), not for signatures`)
	}
	switch k.Kty + " " + k.Crv {
	case "EC P-256", "EC P-384", "EC P-521", "OKP Ed25519":
		return nil
	case "RSA " + k.Crv:
		if k.P == nil || k.Q == nil { // RFC 7518, section 6.3.2, lets them be left out.
			return errors.New("an RSA key without its primes p and q")
		}
		return nil
	}
	return fmt.Errorf("a key on the curve %.40q: use P-256, P-384, P-521 or Ed25519", k.Crv)
}

// consistent reports whether the private half of an ECDSA key gives its public
// half: a JWK holds both. For RSA and Ed25519 go-jose has seen to it.
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
