package cctest

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"time"
)

// The client that a server registers when Options.Clients is empty.
const (
	DefaultClientID     = "client"
	DefaultClientSecret = "secret"
)

// DefaultLifetime is the life of a token when Options.Lifetime is zero.
const DefaultLifetime = time.Hour

// Client authentication methods, by the names that RFC 7591 and RFC 8705 registered with IANA.
const (
	ClientSecretBasic       = "client_secret_basic"
	ClientSecretPost        = "client_secret_post"
	ClientSecretJWT         = "client_secret_jwt"
	PrivateKeyJWT           = "private_key_jwt"
	TLSClientAuth           = "tls_client_auth"
	SelfSignedTLSClientAuth = "self_signed_tls_client_auth"

	// ClientSecretBasicUnencoded is the way of servers that take the parts of the Basic header as they are, without
	// the form-encoding that RFC 6749, section 2.3.1 asks for. It is no registered name.
	ClientSecretBasicUnencoded = "client_secret_basic_unencoded"

	// SPIFFEJWT is authentication by a JWT-SVID, as the draft on SPIFFE client authentication names it.
	SPIFFEJWT = "spiffe_jwt"
)

// Options say what a Server knows and how it behaves. The zero value is a server with one client (DefaultClientID,
// DefaultClientSecret), any scope, and opaque bearer tokens that live for an hour.
type Options struct {
	// Clients are the registered clients; empty: one, with the default id and secret.
	Clients []Registration

	// Scopes are all that the server knows; nil: any. Others are answered with invalid_scope.
	Scopes []string

	// GrantTypes are those that the server answers; nil: client_credentials. Whatever its name, a grant is treated as
	// client credentials.
	GrantTypes []string

	// Issuer is the server's issuer identifier. Empty: the origin that a request was sent to, with what its path has
	// before the endpoint's name, so that https://as.example/tenant/token belongs to the issuer
	// https://as.example/tenant, whatever the host is called.
	Issuer string

	// Lifetime of tokens; zero: DefaultLifetime; negative: dead at birth. The server tells whole seconds, at least
	// one for a positive lifetime.
	Lifetime time.Duration

	// JWTAccessTokens makes access tokens JWTs by RFC 9068, signed with a key that is at /jwks; else they are opaque.
	JWTAccessTokens bool

	// SigningAlgs are the algorithms that the server lists in its metadata and takes for assertions and DPoP proofs;
	// nil: all that it knows.
	SigningAlgs []string

	// TokenURLAudience lets assertions name the token endpoint, or several audiences, as servers did before
	// rfc7523bis; else the audience is the issuer alone.
	TokenURLAudience bool

	// DPoPNonce makes the token endpoint and the resource demand nonces in DPoP proofs, each its own.
	DPoPNonce bool

	// TLS makes URL an https one, and MTLSURL one where clients are asked for a certificate. ClientTLS has what a
	// client needs for both.
	TLS bool

	// ClientCAs are the authorities that tls_client_auth trusts; nil: Server.CA.
	ClientCAs *x509.CertPool

	// Metadata, if set, may change the members of the metadata before they are sent. It runs without any lock held.
	Metadata func(map[string]any)

	// RepeatToken makes the server answer the same question with the same token until that expires, revoked or not,
	// as some servers do.
	RepeatToken bool

	// TokenResponse, if set, may change the members of a successful token response before it is sent: drop
	// expires_in, turn it into a string, add what a provider adds. An access_token that it changes is the one that
	// the server honours. It runs without any lock held.
	TokenResponse func(RecordedRequest, map[string]any)
}

// A Registration is a registered client. Its secret is left out when it is printed.
type Registration struct {
	ID     string
	Secret string

	// AuthMethods are the methods that the client may use; nil: all that it has credentials for, but for
	// ClientSecretBasicUnencoded, which must be named.
	AuthMethods []string

	// Scopes are those that the client may ask for, and what it gets if it asks for none; nil: whatever the server
	// knows, and none if it asks for none.
	Scopes []string

	// Keys verify the client's assertions, by key id. One with an empty id serves for all ids, and an assertion
	// without an id is tried against all. *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
	Keys map[string]crypto.PublicKey

	// AssertionSubject, if set, says that somebody else makes the client's assertions, such as a Kubernetes cluster
	// or a SPIFFE server: they are about this subject, come from AssertionIssuer (which may be empty for a JWT-SVID),
	// are verified by Keys, and may be used many times.
	AssertionSubject string
	AssertionIssuer  string

	// Certificate is the client's own for self_signed_tls_client_auth, and the one that x5t#S256 in an assertion must
	// name.
	Certificate *x509.Certificate

	// TLSSubjectDN or TLSSAN is how tls_client_auth knows the client: the subject as pkix.Name.String writes it, or
	// else a subject alternative name of any kind.
	TLSSubjectDN string
	TLSSAN       string

	// CertificateBound binds the client's tokens to the certificate of the connection they are asked for on (RFC
	// 8705, section 3), and refuses requests without one.
	CertificateBound bool

	// RequireDPoP refuses token requests without a DPoP proof. With a proof the token is bound to its key anyway.
	RequireDPoP bool
}

// Format prints the client's id and methods, for every verb.
func (c Registration) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "cctest.Registration{ID: %q, AuthMethods: %q}", c.ID, c.AuthMethods)
}
