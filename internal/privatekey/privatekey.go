// Package privatekey reads private keys for signatures in the forms that they come in: PEM (PKCS #8, PKCS #1, SEC 1)
// and JWK. Its errors say what the data is instead and what to do; none repeats any of the data.
package privatekey

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"

	"github.com/ccclient/go-ccclient/internal/jws"
)

// A Key is a private key with what stood beside it. Do not print one: it would show the key.
type Key struct {
	Signer      crypto.Signer
	ID          string            // "kid" of a JWK; empty for PEM
	Algorithm   string            // "alg" of a JWK; empty for PEM
	Certificate *x509.Certificate // the key's, if the PEM or the JWK's x5c holds it; else nil
}

// Parse reads the one private key in data: PEM, with certificates beside it if need be, a JWK, or a JWK Set of one. The
// key is one that jws can sign with.
func Parse(data []byte) (key Key, err error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) // some editors begin with a BOM
	switch {
	case len(data) == 0:
		return Key{}, errors.New("empty")
	case data[0] == '{':
		key, err = parseJWK(data)
	case bytes.Contains(data, []byte("-----BEGIN")):
		key, err = parsePEM(data)
	default:
		err = errors.New("neither PEM nor JWK (DER? openssl pkcs8 -topk8 -nocrypt -inform DER -in FILE makes PEM of it)")
	}
	if err != nil {
		return Key{}, err
	}
	if _, err := jws.Public(key.Signer); err != nil {
		return Key{}, err
	}
	return key, nil
}
