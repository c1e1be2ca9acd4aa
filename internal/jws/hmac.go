package jws

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strings"
)

// HMACAlgorithms returns the algorithms of RFC 7518, section 3.2, the one to prefer first.
func HMACAlgorithms() []string { return []string{"HS256", "HS384", "HS512"} }

// NewHMACSigner returns a Signer for a shared secret, which has to be as long as the algorithm's hash (RFC 7518,
// section 3.2). An empty algorithm means the first of [HMACAlgorithms]; "alg" is added to header. The secret is kept
// out of reach of fmt.
func NewHMACSigner(secret, algorithm string, header map[string]any) (*Signer, error) {
	fitting := HMACAlgorithms()
	if algorithm == "" {
		algorithm = fitting[0]
	}
	var newHash func() hash.Hash
	switch algorithm {
	case "HS256":
		newHash = sha256.New
	case "HS384":
		newHash = sha512.New384
	case "HS512":
		newHash = sha512.New
	default:
		return nil, fmt.Errorf("algorithm %.40q does not fit a secret, which can do %s",
			algorithm, strings.Join(fitting, ", "))
	}
	if size := newHash().Size(); len(secret) < size {
		return nil, fmt.Errorf("the secret is shorter than the %d bytes that %s needs", size, algorithm)
	}
	return newSigner(algorithm, header, func(message []byte) ([]byte, error) {
		mac := hmac.New(newHash, []byte(secret))
		mac.Write(message)
		return mac.Sum(nil), nil
	})
}
