package ccclient

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/internal/jws"
)

// ClientSecretJWT proves knowledge of the secret without sending it: an assertion is signed with the secret, with HS256
// unless o.Algorithm says HS384 or HS512, for each attempt at a token request (client_secret_jwt). A secret shorter
// than the algorithm's hash, 32 bytes for HS256, is an error at the token request (RFC 7518, section 3.2).
func ClientSecretJWT(s Secret, o AssertionOptions) Auth {
	m := withSecret(s, facts{
		name:       "client_secret_jwt",
		listed:     []string{"client_secret_jwt"},
		parameters: assertionParameters,
		signs:      true,
		remedy:     "check ClientID, the secret, " + wantedRemedy + "; if they are right, try ClientSecretBasic",
		identity:   o.identity(),
	}, func(r Request, secret string) (Credentials, error) {
		algorithm, err := o.algorithm(r, jws.HMACAlgorithms())
		if err != nil {
			return Credentials{}, err
		}
		signer, err := jws.NewHMACSigner(secret, algorithm, o.header(r))
		if err != nil {
			return Credentials{}, fmt.Errorf("%w: ask for a longer one, or use ClientSecretBasic", err)
		}
		return o.sign(r, signer)
	})
	m.fault = errors.Join(m.fault, o.fault(jws.HMACAlgorithms()))
	if o.Certificate != nil {
		m.fault = errors.Join(m.fault, errors.New("AssertionOptions.Certificate: a secret has none"))
	}
	return m
}

// ClientAssertion sends a JWT that somebody else has signed: a Kubernetes projected token, a cloud's identity token,
// the assertion of a signing service. With [SecretFile] it is read at each token request, so it may rotate. A server
// knows it as private_key_jwt.
func ClientAssertion(s Secret) Auth {
	return readyAssertion(s, assertionJWT, facts{
		name:   "private_key_jwt",
		listed: []string{"private_key_jwt"},
		remedy: readyRemedy,
	})
}

const (
	privateKeyRemedy = "check ClientID, that the server knows the key (AssertionOptions.KeyID), " + wantedRemedy
	wantedRemedy     = "the audience, the algorithm and the type that the server wants (AssertionOptions.Audience, " +
		"AssertionOptions.Algorithm, AssertionOptions.Type, of which some know \"JWT\" alone) and the clock"
)

// SPIFFEAssertion sends a SPIFFE JWT-SVID, whose audience should be the server's issuer alone. It is [ClientAssertion]
// with the assertion type of draft-ietf-oauth-spiffe-client-auth (spiffe_jwt).
func SPIFFEAssertion(s Secret) Auth {
	return readyAssertion(s, assertionSPIFFE, facts{
		name:   "spiffe_jwt", // a draft's name, which Keycloak takes and does not list
		remedy: "check ClientID and the credentials",
	})
}

const readyRemedy = "check ClientID, that the server trusts whoever signed the assertion, and the assertion's audience, " +
	"algorithm and lifetime"

func readyAssertion(s Secret, kind string, f facts) Auth {
	f.parameters = assertionParameters
	return withSecret(s, f, func(r Request, assertion string) (Credentials, error) {
		assertion = strings.TrimSpace(assertion)
		if !looksLikeJWT(assertion) {
			return Credentials{}, errors.New("the assertion is not a JWT: three base64url parts joined by dots")
		}
		return assertionForm(r, kind, assertion), nil
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

// The two kinds of client assertion: RFC 7523, section 2.2, and draft-ietf-oauth-spiffe-client-auth.
const (
	assertionJWT    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionSPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
)

var assertionParameters = []string{"client_id", "client_assertion_type", "client_assertion"}

// assertionForm returns the assertion with the client id, which RFC 7521, section 4.2, leaves open: several servers
// need it to find the client.
func assertionForm(r Request, kind, assertion string) Credentials {
	return Credentials{Form: url.Values{
		"client_id": {r.ClientID}, "client_assertion_type": {kind}, "client_assertion": {assertion},
	}}
}

// AssertionOptions shape the JWT with which a client authenticates (RFC 7523, rfc7523bis). The zero value suits servers
// that follow these.
type AssertionOptions struct {
	// KeyID becomes the "kid" header, by which the server finds the public key. Empty: no such header.
	KeyID string

	// Algorithm is the JWS algorithm, "PS256" for instance. Empty: RS256 for RSA, ES256, ES384 or ES512 by curve,
	// EdDSA for Ed25519, HS256 for a secret; where the server publishes a list without that one, another that is on
	// the list and fits the key. "Ed25519" is EdDSA by its newer name (RFC 9864), which some servers want.
	Algorithm string

	// Audience becomes the "aud" claim. Empty: the issuer or, where none is known, the token URL.
	Audience string

	// Type becomes the "typ" header. Empty: "client-authentication+jwt" where the issuer is known, else "JWT".
	Type string

	// Lifetime is the time from "iat", which is now, to "exp", at least a second; zero: 60 seconds. Servers may
	// refuse a long one.
	Lifetime time.Duration

	// Certificate, if set, must belong to the key that signs. Its thumbprint becomes the "x5t#S256" header (RFC 7515,
	// section 4.1.8), by which Entra ID finds the key.
	Certificate *x509.Certificate
}

// fault returns what is wrong with o. fitting are the algorithms that the key can do.
func (o AssertionOptions) fault(fitting []string) error {
	var errs []error
	if o.Algorithm != "" && !slices.Contains(fitting, o.Algorithm) {
		errs = append(errs, fmt.Errorf("AssertionOptions.Algorithm: %.40q does not fit the key, which can do %s",
			o.Algorithm, strings.Join(fitting, ", ")))
	}
	return errors.Join(append(errs, o.lifetimeFault())...)
}

func (o AssertionOptions) lifetimeFault() error {
	if o.Lifetime != 0 && o.Lifetime < time.Second {
		return fmt.Errorf("AssertionOptions.Lifetime: %v is less than a second", o.Lifetime)
	}
	return nil
}

// certificateFault returns what is wrong with o.Certificate. pub is the public half of the key that signs.
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

// identity returns what of o tells one registered key from another.
func (o AssertionOptions) identity() []string {
	return []string{o.Algorithm, o.KeyID, o.thumbprint()}
}

// thumbprint returns the certificate's "x5t#S256" of RFC 7515, section 4.1.8; empty without one.
func (o AssertionOptions) thumbprint() string {
	if o.Certificate == nil {
		return ""
	}
	sum := sha256.Sum256(o.Certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// algorithm returns the one to sign r with. fitting are those that the key can do, the best first.
func (o AssertionOptions) algorithm(r Request, fitting []string) (string, error) {
	if o.Algorithm != "" {
		return o.Algorithm, nil
	}
	if len(r.Algorithms) == 0 {
		return fitting[0], nil
	}
	for _, alg := range fitting {
		if slices.Contains(r.Algorithms, alg) {
			return alg, nil
		}
	}
	return "", fmt.Errorf("the server lists the signature algorithms %.200q, but this key can do %s: "+
		"use another key, or set AssertionOptions.Algorithm to try one nevertheless",
		strings.Join(r.Algorithms, " "), strings.Join(fitting, ", "))
}

// header returns the protected header for r, but for "alg".
func (o AssertionOptions) header(r Request) map[string]any {
	h := map[string]any{"typ": cmp.Or(o.Type, "JWT")}
	if o.Type == "" && r.Issuer != "" {
		h["typ"] = "client-authentication+jwt" // rfc7523bis, section 4
	}
	if o.KeyID != "" {
		h["kid"] = o.KeyID
	}
	if o.Certificate != nil {
		h["x5t#S256"] = o.thumbprint()
	}
	return h
}

const defaultAssertionLifetime = 60 * time.Second

// sign returns a new assertion for r. It has no "nbf": servers with a clock behind ours refuse one that the RFCs do
// not ask for.
func (o AssertionOptions) sign(r Request, s *jws.Signer) (Credentials, error) {
	now := time.Now()
	payload, err := json.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"` // a string: rfc7523bis wants the sole audience, some servers no array
		ID       string `json:"jti"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{
		r.ClientID, r.ClientID, cmp.Or(o.Audience, r.Issuer, r.TokenURL), rand.Text(),
		now.Unix(), now.Add(cmp.Or(o.Lifetime, defaultAssertionLifetime)).Unix(),
	})
	if err != nil {
		return Credentials{}, err
	}
	assertion, err := s.Sign(payload)
	if err != nil {
		return Credentials{}, err
	}
	return assertionForm(r, assertionJWT, assertion), nil
}
