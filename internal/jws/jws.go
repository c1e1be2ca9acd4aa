// Package jws signs JSON Web Signatures (RFC 7515, compact serialization) with any [crypto.Signer], so that a key
// which never leaves a KMS or an HSM serves as well as one in memory, and with shared secrets (HMAC).
//
// What does not change from one signature to the next, the protected header, is encoded once.
package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// A Signer signs payloads with one key or secret, one algorithm and one protected header.
// It is safe for concurrent use if the key is.
type Signer struct {
	algorithm string
	header    string // encoded, with the dot that follows it
	sign      func(message []byte) ([]byte, error)
}

// NewSigner returns a Signer for key. An empty algorithm means the first of [Algorithms]; "alg" is added to header.
// The key is kept out of reach of fmt.
func NewSigner(key crypto.Signer, algorithm string, header map[string]any) (*Signer, error) {
	pub, err := Public(key)
	if err != nil {
		return nil, err
	}
	fitting, err := Algorithms(pub)
	if err != nil {
		return nil, err
	}
	if algorithm == "" {
		algorithm = fitting[0]
	}
	if !slices.Contains(fitting, algorithm) {
		return nil, fmt.Errorf("algorithm %.40q does not fit the key, which can do %s",
			algorithm, strings.Join(fitting, ", "))
	}
	return newSigner(algorithm, header, raw(key, pub, algorithm))
}

func newSigner(algorithm string, header map[string]any, sign func(message []byte) ([]byte, error)) (*Signer, error) {
	full := maps.Clone(header)
	if full == nil {
		full = make(map[string]any, 1)
	}
	full["alg"] = algorithm
	encoded, err := json.Marshal(full)
	if err != nil {
		return nil, fmt.Errorf("encode the protected header: %w", err)
	}
	return &Signer{algorithm, base64.RawURLEncoding.EncodeToString(encoded) + ".", sign}, nil
}

// Algorithm returns the value of the "alg" header.
func (s *Signer) Algorithm() string { return s.algorithm }

// Sign returns the compact serialization of payload: header, payload and signature, joined by dots.
func (s *Signer) Sign(payload []byte) (string, error) {
	const room = 344 // an RSA signature of 2048 bits, encoded
	encoding := base64.RawURLEncoding
	buf := make([]byte, 0, len(s.header)+encoding.EncodedLen(len(payload))+1+room)
	buf = append(buf, s.header...)
	buf = encoding.AppendEncode(buf, payload)
	signature, err := s.sign(buf)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", s.algorithm, err)
	}
	buf = append(buf, '.')
	return string(encoding.AppendEncode(buf, signature)), nil
}

// raw returns the function that computes the bare signature of a message. The algorithm must fit the key.
func raw(key crypto.Signer, pub crypto.PublicKey, algorithm string) func([]byte) ([]byte, error) {
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[2:]]
	switch k := pub.(type) {
	case *rsa.PublicKey:
		var opts crypto.SignerOpts = hash
		if strings.HasPrefix(algorithm, "PS") { // RFC 7518, section 3.5: the salt is as long as the hash.
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
		}
		return func(message []byte) ([]byte, error) { return key.Sign(rand.Reader, digest(hash, message), opts) }
	case *ecdsa.PublicKey:
		size := (k.Curve.Params().BitSize + 7) / 8
		return func(message []byte) ([]byte, error) {
			der, err := key.Sign(rand.Reader, digest(hash, message), hash)
			if err != nil {
				return nil, err
			}
			return fixed(der, size)
		}
	default: // Ed25519 hashes for itself.
		return func(message []byte) ([]byte, error) { return key.Sign(rand.Reader, message, crypto.Hash(0)) }
	}
}

func digest(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// fixed turns the ASN.1 signature that a crypto.Signer makes into the two integers of fixed size, one after the
// other, that RFC 7518, section 3.4, asks for.
func fixed(der []byte, size int) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil || len(rest) > 0 {
		return nil, errors.New("the key gave an ECDSA signature that is not ASN.1")
	}
	for _, n := range []*big.Int{sig.R, sig.S} {
		if n.Sign() <= 0 || n.BitLen() > 8*size {
			return nil, errors.New("the key gave an ECDSA signature of another curve")
		}
	}
	out := make([]byte, 2*size)
	sig.R.FillBytes(out[:size])
	sig.S.FillBytes(out[size:])
	return out, nil
}
