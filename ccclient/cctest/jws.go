package cctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// macAlgs and signingAlgs are what the server can verify. Ed25519 is the name that RFC 9864 gives to what EdDSA means
// with such a key.
var (
	macAlgs     = []string{"HS256", "HS384", "HS512"}
	signingAlgs = []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256", "PS384", "PS512", "RS256", "RS384",
		"RS512"}
)

// clockSkew is how far ahead a sender's clock may be (FAPI 2.0 asks servers to bear 10 s).
const clockSkew = 10 * time.Second

// A signed is a JWT in compact form (RFC 7515, section 7.1), read but not yet verified.
type signed struct {
	compact string
	header  struct {
		Alg           string          `json:"alg"`
		Typ           string          `json:"typ"`
		KeyID         string          `json:"kid"`
		JWK           json.RawMessage `json:"jwk"`
		CertificateID string          `json:"x5t#S256"`
		Crit          []string        `json:"crit"`
	}
	claims map[string]any
}

func parseSigned(compact string) (*signed, error) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a signed JWT")
	}
	j := &signed{compact: compact}
	for i, into := range []any{&j.header, &j.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			return nil, errors.New("not a signed JWT")
		}
	}
	if j.header.Crit != nil {
		return nil, errors.New("a critical header parameter is not understood")
	}
	return j, nil
}

// verified reports whether the key made the signature. The key says what kind of algorithm may be used: a secret
// ([]byte) never verifies what a public key should, nor the other way round.
func (j *signed) verified(key any) bool {
	alg := j.header.Alg
	if !slices.Contains(algsOf(key), alg) {
		return false
	}
	if alg == "Ed25519" { // go-jose knows the older name only
		dot := strings.LastIndexByte(j.compact, '.')
		signature, err := base64.RawURLEncoding.DecodeString(j.compact[dot+1:])
		return err == nil && ed25519.Verify(key.(ed25519.PublicKey), []byte(j.compact[:dot]), signature)
	}
	jws, err := jose.ParseSignedCompact(j.compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return false
	}
	_, err = jws.Verify(key)
	return err == nil
}

// algsOf returns the algorithms that a key is good for (RFC 7518, sections 3.2 to 3.5, with their minimum sizes).
func algsOf(key any) []string {
	switch k := key.(type) {
	case []byte:
		return macAlgs[:min(3, max(0, len(k)/16-1))] // 32, 48, 64 bytes
	case *rsa.PublicKey:
		if k.N.BitLen() >= 2048 {
			return signingAlgs[5:]
		}
	case *ecdsa.PublicKey:
		return map[string][]string{"P-256": {"ES256"}, "P-384": {"ES384"}, "P-521": {"ES512"}}[k.Curve.Params().Name]
	case ed25519.PublicKey:
		return []string{"EdDSA", "Ed25519"}
	}
	return nil
}

// text returns a claim that is a string; else empty.
func (j *signed) text(claim string) string {
	v, _ := j.claims[claim].(string)
	return v
}

// date returns a claim that is a NumericDate (RFC 7519, section 2).
func (j *signed) date(claim string) (time.Time, bool) {
	v, ok := j.claims[claim].(float64)
	if !ok || v < 0 || v > 1<<40 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(v * 1000)), true
}

// issuedWithin reports whether iat is there, and neither older than age nor in the future.
func (j *signed) issuedWithin(age time.Duration) bool {
	iat, ok := j.date("iat")
	now := time.Now()
	return ok && !iat.After(now.Add(clockSkew)) && now.Sub(iat) <= age
}

// thumbprint returns that of RFC 7638, by SHA-256.
func thumbprint(key jose.JSONWebKey) string {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// once reports whether it is asked about a JWT's jti for the first time within its life. The owner keeps apart what
// different senders name alike.
func (s *Server) once(owner, jti string, life time.Duration) bool {
	now := time.Now()
	key := owner + "\x00" + jti
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, seen := s.seen[key]; seen && now.Before(until) {
		return false
	}
	if len(s.seen) >= s.seenSweepAt {
		for k, until := range s.seen {
			if !now.Before(until) {
				delete(s.seen, k)
			}
		}
		s.seenSweepAt = max(1024, 2*len(s.seen))
	}
	s.seen[key] = now.Add(life)
	return true
}
