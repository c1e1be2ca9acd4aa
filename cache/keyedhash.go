package cache

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
)

// A KeyedHasher is a Store for whose keys secrets may count. Package ccclient makes the key of a token from all that
// shapes it; where a secret is among that, a plain hash would let whoever can read the Store's keys try guesses.
// Without a KeyedHasher such tokens go into no Store. [Seal] returns one.
type KeyedHasher interface {
	// KeyedHash returns a hash of data, 16 bytes or more, that nobody can compute who does not have a key, and so not
	// whoever can read the Store. It is the same in all processes that share the Store. It does no I/O.
	KeyedHash(data []byte) []byte
}

// keyedHash returns HMAC-SHA-256 under a key of its own, derived from that which seals.
func keyedHash(sealKey []byte) (func(data []byte) []byte, error) {
	key, err := hkdf.Key(sha256.New, sealKey, nil, "ccclient keyed hash", sha256.Size)
	if err != nil {
		return nil, err
	}
	return func(data []byte) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write(data)
		return mac.Sum(nil)
	}, nil
}
