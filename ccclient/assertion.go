package ccclient

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// AssertionOptions shape the JWT with which a client authenticates (RFC 7523,
// rfc7523bis). The zero value suits servers that follow these.
type AssertionOptions struct {
	// KeyID becomes the "kid" header, by which the server finds the public
	// key. Empty: no such header.
	KeyID string

	// Algorithm is the JWS algorithm, "PS256" for instance. Empty: RS256
	// for RSA, ES256, ES384 or ES512 by curve, EdDSA for Ed25519, HS256 for
	// a secret; where the server publishes a list without that one, another
	// that is on the list and fits the key. "Ed25519" is EdDSA by its newer
	// name (RFC 9864), which some servers want.
	Algorithm string

	// Audience becomes the "aud" claim. Empty: the issuer or, where none is
	// known, the token URL.
	Audience string

	// Type becomes the "typ" header. Empty: "client-authentication+jwt"
	// where the issuer is known, else "JWT".
	Type string

	// Lifetime is the time from "iat", which is now, to "exp", at least a
	// second; zero: 60 seconds. Servers may refuse a long one.
	Lifetime time.Duration

	// Certificate, if set, must belong to the key that signs. Its
	// thumbprint becomes the "x5t#S256" header, by which Entra ID finds the
	// key.
	Certificate *x509.Certificate
}

const defaultAssertionLifetime = 60 * time.Second

// fault is what is wrong with o, for a key that the algorithms in fitting fit.
func (o AssertionOptions) fault(fitting []string) error {
	var errs []error
	if o.Algorithm != "" && !slices.Contains(fitting, o.Algorithm) {
		errs = append(errs, fmt.Errorf("AssertionOptions.Algorithm: %.40q does not fit the key, which can do %s",
			o.Algorithm, strings.Join(fitting, ", ")))
	}
	if o.Lifetime != 0 && o.Lifetime < time.Second {
		errs = append(errs, fmt.Errorf("AssertionOptions.Lifetime: %v is less than a second", o.Lifetime))
	}
	return errors.Join(errs...)
}

// certificateFault is what is wrong with o.Certificate, pub being the key's.
func (o AssertionOptions) certificateFault(pub crypto.PublicKey) error {
	if o.Certificate == nil {
		return nil
	}
	if len(o.Certificate.Raw) == 0 {
		return errors.New("AssertionOptions.Certificate: it has not been parsed: Raw is empty")
	}
	if k, ok := pub.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(o.Certificate.PublicKey) {
		return errors.New("AssertionOptions.Certificate: it belongs to another key")
	}
	return nil
}

// identity is what of o tells one registered key from another.
func (o AssertionOptions) identity() []string {
	return []string{o.Algorithm, o.KeyID, o.thumbprint()}
}

// thumbprint is the "x5t#S256" of RFC 7515, section 4.1.8; empty without a
// certificate.
func (o AssertionOptions) thumbprint() string {
	if o.Certificate == nil {
		return ""
	}
	sum := sha256.Sum256(o.Certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// header is the protected header for r, but for "alg".
func (o AssertionOptions) header(r *Request) map[string]any {
	h := map[string]any{"typ": o.Type}
	if o.Type == "" {
		h["typ"] = "JWT"
		if r.Issuer != "" {
			h["typ"] = "client-authentication+jwt" // rfc7523bis, section 4
		}
	}
	if o.KeyID != "" {
		h["kid"] = o.KeyID
	}
	if o.Certificate != nil {
		h["x5t#S256"] = o.thumbprint()
	}
	return h
}

// payload is a new claims set for r. It has no "nbf": servers with a clock
// behind ours refuse one that the RFCs do not ask for.
func (o AssertionOptions) payload(r *Request) ([]byte, error) {
	lifetime := o.Lifetime
	if lifetime == 0 {
		lifetime = defaultAssertionLifetime
	}
	audience := o.Audience
	if audience == "" {
		audience = r.Issuer
	}
	if audience == "" {
		audience = r.TokenURL
	}
	now := time.Now()
	return json.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"` // a string: rfc7523bis wants the sole audience, some servers no array
		ID       string `json:"jti"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{r.ClientID, r.ClientID, audience, rand.Text(), now.Unix(), now.Add(lifetime).Unix()})
}

// algorithm chooses one of those that fit the key, the first being the one to
// prefer.
func (o AssertionOptions) algorithm(r *Request, fitting []string) (string, error) {
	if o.Algorithm != "" {
		return o.Algorithm, nil
	}
	if len(r.algorithms) == 0 {
		return fitting[0], nil
	}
	for _, alg := range fitting {
		if slices.Contains(r.algorithms, alg) {
			return alg, nil
		}
	}
	return "", fmt.Errorf("the server lists the signature algorithms %.200q, but this key can do %s: use another key, or set AssertionOptions.Algorithm to try one nevertheless",
		strings.Join(r.algorithms, " "), strings.Join(fitting, ", "))
}

// The two kinds of client assertion: RFC 7523, section 2.2, and
// draft-ietf-oauth-spiffe-client-auth.
const (
	assertionJWT    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionSPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
)

// setAssertion adds the assertion to the form, and the client id, which RFC
// 7521, section 4.2, leaves open: several servers need it to find the client.
func (r *Request) setAssertion(kind, assertion string) {
	r.Form.Set("client_id", r.ClientID)
	r.Form.Set("client_assertion_type", kind)
	r.Form.Set("client_assertion", assertion)
}

// ClientAssertion sends a JWT that somebody else has signed: a Kubernetes
// projected token, a cloud's identity token, the assertion of a signing
// service. With [SecretFile] it is read at each token request, so it may
// rotate. A server knows it as private_key_jwt.
func ClientAssertion(s Secret) Auth { return readyAssertion("private_key_jwt", assertionJWT, s) }

// SPIFFEAssertion sends a SPIFFE JWT-SVID, whose audience should be the
// server's issuer alone. It is [ClientAssertion] with the assertion type of
// draft-ietf-oauth-spiffe-client-auth (spiffe_jwt).
func SPIFFEAssertion(s Secret) Auth { return readyAssertion("spiffe_jwt", assertionSPIFFE, s) }

func readyAssertion(name, kind string, s Secret) Auth {
	return withSecret(name, s, func(r *Request, assertion string) error {
		assertion = strings.TrimSpace(assertion)
		if !looksLikeJWT(assertion) {
			return errors.New("the assertion is not a JWT: three base64url parts joined by dots")
		}
		r.setAssertion(kind, assertion)
		return nil
	})
}

// looksLikeJWT catches a path, a PEM key or an empty file before they are sent.
func looksLikeJWT(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return false
	}
	for _, part := range parts {
		if _, err := base64.RawURLEncoding.DecodeString(part); err != nil || part == "" {
			return false
		}
	}
	return true
}
