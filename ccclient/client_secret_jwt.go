package ccclient

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
)

// hmacAlgorithms are those of RFC 7518, section 3.2, the one to prefer first.
var hmacAlgorithms = []string{"HS256", "HS384", "HS512"}

var hmacHashes = map[string]struct {
	size int // of the hash, and so of the least key, in bytes
	new  func() hash.Hash
}{
	"HS256": {sha256.Size, sha256.New},
	"HS384": {sha512.Size384, sha512.New384},
	"HS512": {sha512.Size, sha512.New},
}

// ClientSecretJWT proves knowledge of the secret without sending it: an
// assertion is signed with the secret, with HS256 unless o.Algorithm says HS384
// or HS512, for each attempt at a token request (client_secret_jwt). A secret
// shorter than the algorithm's hash, 32 bytes for HS256, is an error at the
// token request (RFC 7518, section 3.2).
func ClientSecretJWT(s Secret, o AssertionOptions) Auth {
	m := withSecret("client_secret_jwt", s, func(r *Request, secret string) error {
		algorithm, err := o.algorithm(r, hmacAlgorithms)
		if err != nil {
			return err
		}
		assertion, err := hmacAssertion(r, o, algorithm, secret)
		if err != nil {
			return err
		}
		r.setAssertion(assertionJWT, assertion)
		return nil
	})
	m.identity = o.identity()
	m.fault = errors.Join(m.fault, o.fault(hmacAlgorithms))
	if o.Certificate != nil {
		m.fault = errors.Join(m.fault, errors.New("AssertionOptions.Certificate: a secret has none"))
	}
	return m
}

func hmacAssertion(r *Request, o AssertionOptions, algorithm, secret string) (string, error) {
	hash := hmacHashes[algorithm]
	if len(secret) < hash.size {
		return "", fmt.Errorf("the secret is shorter than the %d bytes that %s needs: ask for a longer one, or use ClientSecretBasic", hash.size, algorithm)
	}
	h := o.header(r)
	h["alg"] = algorithm
	header, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	payload, err := o.payload(r)
	if err != nil {
		return "", err
	}
	encoding := base64.RawURLEncoding
	signed := encoding.EncodeToString(header) + "." + encoding.EncodeToString(payload)
	mac := hmac.New(hash.new, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encoding.EncodeToString(mac.Sum(nil)), nil
}
