package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"reflect"
)

// minRSABits is what RFC 7518, sections 3.3 and 3.5, asks of an RSA key.
const minRSABits = 2048

// Public returns the public half of key, or says what is wrong with key: nil, half-filled, too weak, or of a kind
// that no JWS algorithm fits. It never panics, although the keys of the standard library do when they are empty.
func Public(key crypto.Signer) (crypto.PublicKey, error) {
	if key == nil {
		return nil, errors.New("no key")
	}
	if v := reflect.ValueOf(key); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("no key: a nil %T", key)
	}
	switch k := key.(type) {
	case *ed25519.PrivateKey:
		return Public(*k)
	case ed25519.PrivateKey:
		if len(k) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("Ed25519 private key of %d bytes, not %d", len(k), ed25519.PrivateKeySize)
		}
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 Only a look at whether it is there: signing without it panics.
		if k.D == nil {
			return nil, errors.New("ECDSA key without its private part")
		}
	case *rsa.PrivateKey:
		if k.D == nil {
			return nil, errors.New("RSA key without its private part")
		}
	}
	pub := key.Public()
	if _, err := Algorithms(pub); err != nil {
		return nil, err
	}
	return pub, nil
}

// Algorithms lists the JWS algorithms (RFC 7518, 8037 and 9864) that fit pub, the one to prefer first.
// A key that none fits, or that is too weak, is an error that says so.
func Algorithms(pub crypto.PublicKey) ([]string, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k == nil || k.N == nil {
			return nil, errors.New("empty RSA key")
		}
		if bits := k.N.BitLen(); bits < minRSABits {
			return nil, fmt.Errorf("RSA key of %d bits, at least %d are needed", bits, minRSABits)
		}
		return []string{"RS256", "PS256", "RS384", "PS384", "RS512", "PS512"}, nil
	case *ecdsa.PublicKey:
		return ecdsaAlgorithms(k)
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("Ed25519 public key of %d bytes, not %d", len(k), ed25519.PublicKeySize)
		}
		return []string{"EdDSA", "Ed25519"}, nil
	case nil:
		return nil, errors.New("no public key")
	default:
		return nil, fmt.Errorf("key type %T is not supported: use RSA, ECDSA or Ed25519", pub)
	}
}

// ecdsaAlgorithms binds each curve to its one algorithm: RFC 7518, section 3.4.
func ecdsaAlgorithms(k *ecdsa.PublicKey) ([]string, error) {
	//lint:ignore SA1019 Only a look at whether they are there: Bytes panics without them.
	if k == nil || k.Curve == nil || k.X == nil || k.Y == nil {
		return nil, errors.New("empty ECDSA key")
	}
	name := k.Curve.Params().Name
	alg, ok := map[string]string{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[name]
	if !ok {
		return nil, fmt.Errorf("curve %s is not supported: use P-256, P-384 or P-521", name)
	}
	if _, err := k.Bytes(); err != nil {
		return nil, fmt.Errorf("ECDSA public key is not a point on %s", name)
	}
	return []string{alg}, nil
}
