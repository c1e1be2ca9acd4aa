package ccclient

import (
	"cmp"
	"context"
	"crypto"
	"fmt"
	"sync"

	"github.com/ccclient/go-ccclient/internal/privatekey"
)

// ParsePrivateKey reads a private key for [PrivateKeyJWT] or Config.DPoPKey:
// PEM (PKCS #8, PKCS #1 or SEC 1, with certificates beside it if need be), a
// JWK, or a JWK Set of one key. The options hold what a JWK says of itself, its
// KeyID and Algorithm, and nothing for PEM.
//
// The errors say what the data is if not that: encrypted, a certificate or a
// public key, too short, on a curve that is not supported, several keys. None
// repeats any of the data.
func ParsePrivateKey(data []byte) (crypto.Signer, AssertionOptions, error) {
	key, err := privatekey.Parse(data)
	if err != nil {
		return nil, AssertionOptions{}, fmt.Errorf("ccclient: private key: %w", err)
	}
	return key.Signer, AssertionOptions{KeyID: key.ID, Algorithm: key.Algorithm}, nil
}

// ParsedKey makes a [KeySource] of a Secret that gives a private key in a form
// that [ParsePrivateKey] reads: SecretFile for a mounted key that rotates. Where
// o leaves KeyID and Algorithm empty, those of a JWK are used.
func ParsedKey(s Secret, o AssertionOptions) KeySource {
	var mu sync.Mutex // guards what was parsed last: an RSA key takes long to check
	var last fingerprint
	var key privatekey.Key
	return func(ctx context.Context) (crypto.Signer, AssertionOptions, error) {
		text, err := s.get(ctx)
		if err != nil {
			return nil, o, err
		}
		mu.Lock()
		defer mu.Unlock()
		if now := fingerprintOf(text); key.Signer == nil || now != last {
			k, err := privatekey.Parse([]byte(text))
			if err != nil {
				return nil, o, err
			}
			last, key = now, k
		}
		merged := o
		merged.KeyID = cmp.Or(o.KeyID, key.ID)
		merged.Algorithm = cmp.Or(o.Algorithm, key.Algorithm)
		return key.Signer, merged, nil
	}
}
