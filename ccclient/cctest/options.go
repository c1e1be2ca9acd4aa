package cctest

import (
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

// Client authentication methods, by the names that RFC 7591 and RFC 8705
// registered with IANA.
const (
	ClientSecretBasic       = "client_secret_basic"
	ClientSecretPost        = "client_secret_post"
	ClientSecretJWT         = "client_secret_jwt"
	PrivateKeyJWT           = "private_key_jwt"
	TLSClientAuth           = "tls_client_auth"
	SelfSignedTLSClientAuth = "self_signed_tls_client_auth"

	// ClientSecretBasicUnencoded is the way of servers that take the
	// parts of the Basic header as they are, without the form-encoding
	// that RFC 6749, section 2.3.1 asks for. It is no registered name.
	ClientSecretBasicUnencoded = "client_secret_basic_unencoded"
)

// Options say what a Server knows and how it behaves. The zero value is a
// server with one client (DefaultClientID, DefaultClientSecret), any scope,
// and opaque bearer tokens that live for an hour.
type Options struct {
	// Clients are the registered clients; empty: one, with the default id
	// and secret.
	Clients []Client

	// Scopes are all that the server knows; nil: any. Others are answered
	// with invalid_scope.
	Scopes []string

	// GrantTypes are those that the server answers; nil: client_credentials.
	// Whatever its name, a grant is treated as client credentials.
	GrantTypes []string

	// Issuer is the server's issuer identifier. Empty: the origin that a
	// request was sent to, with what its path has before the endpoint's
	// name, so that https://as.example/tenant/token belongs to the issuer
	// https://as.example/tenant, whatever the host is called.
	Issuer string

	// Lifetime of tokens; zero: DefaultLifetime; negative: dead at birth.
	// The server tells whole seconds, at least one for a positive lifetime.
	Lifetime time.Duration

	// RepeatToken makes the server answer the same question with the same
	// token until that expires, revoked or not, as some servers do.
	RepeatToken bool

	// TokenResponse, if set, may change the members of a successful token
	// response before it is sent: drop expires_in, turn it into a string,
	// add what a provider adds. An access_token that it changes is the one
	// that the server honours. It runs without any lock held.
	TokenResponse func(TokenRequest, map[string]any)
}

// A Client is a registered client. Its secret is left out when it is printed.
type Client struct {
	ID     string
	Secret string

	// AuthMethods are the methods that the client may use; nil: all that
	// it has credentials for, but for ClientSecretBasicUnencoded, which
	// must be named.
	AuthMethods []string

	// Scopes are those that the client may ask for, and what it gets if it
	// asks for none; nil: whatever the server knows, and none if it asks
	// for none.
	Scopes []string
}

// Format prints the client's id and methods, for every verb.
func (c Client) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "cctest.Client{ID: %q, AuthMethods: %q}", c.ID, c.AuthMethods)
}
