package ccclient

import (
	"crypto"
	"crypto/tls"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/ccclient/go-ccclient/cache"
)

// A Config says where tokens come from, who asks for them and what for. Its
// zero fields, beyond those that are required, are good defaults. [New] copies
// what it needs: a Config may be changed and used again afterwards.
type Config struct {
	// TokenURL is the token endpoint: https, or http on loopback. A query is
	// kept. Exactly one of TokenURL and Issuer is required.
	TokenURL string

	// Issuer is the authorization server's issuer identifier, from which its
	// metadata is discovered when the first token is needed: RFC 8414, then
	// OpenID Connect Discovery. What the metadata settles (the token
	// endpoint, its alias for mutual TLS, the audience of assertions,
	// algorithms) needs no configuration.
	Issuer string

	// ClientID is the client identifier (RFC 6749, section 2.2). Required.
	ClientID string

	// Auth proves that the client is who it says. Required.
	Auth Auth

	// Scopes are the scopes to ask for, one an element, without order
	// (RFC 6749, section 3.3). None: the server's default.
	Scopes []string

	// Audience is sent as the "audience" parameter, if not empty.
	Audience string

	// Resources are sent as "resource" parameters, in this order: absolute
	// URIs without a fragment (RFC 8707).
	Resources []string

	// EndpointParams are further form parameters. They may set grant_type,
	// for a server with its own; another name that this Config or Auth sets
	// too is an error.
	EndpointParams url.Values

	// EndpointHeader is further header fields of token requests, for servers
	// that find a tenant or an account by one. It is no place for a secret: an
	// [AuthFunc] can add those. A field that the library sets is an error.
	EndpointHeader http.Header

	// HTTPClient makes the token requests; nil: a client of the library's
	// own. It is shallow-copied; its redirect policy and cookie jar are not
	// used, since a token endpoint that redirects is an error.
	HTTPClient *http.Client

	// TLS configures the connections that the library makes itself: token
	// requests, unless HTTPClient is given, and those of [Client.HTTPClient].
	// Private CAs go here, and client certificates (RFC 8705). Nil: the
	// system's CAs. TLS 1.2 is the least.
	//
	// A certificate that is replaced while the program runs comes from
	// GetClientCertificate, which is asked at handshakes, at token requests,
	// and by callers of Token once a second, so it should answer from memory.
	// After a rotation there are new tokens and new connections.
	TLS *tls.Config

	// DPoPKey, if set, binds tokens to this key (RFC 9449): P-256, P-384,
	// P-521, RSA from 2048 bits, or Ed25519.
	DPoPKey crypto.Signer

	// AllowedHosts, if set, are the only hosts that get the token from
	// [Client.HTTPClient] and [Client.Transport]: "api.example.com" (any
	// port), "host:8443", "*.example.com" (one or more labels, not the apex).
	AllowedHosts []string

	// InsecureHTTP allows http:// beyond loopback, for the token endpoint and
	// for the API: who can listen can then use the token, and the secret.
	InsecureHTTP bool

	// Retry bounds the attempts at one token request.
	Retry Retry

	// Cache says when to refresh and how much to hold. Its Logger is ignored
	// in favour of the one below.
	Cache cache.Options

	// Logger hears of attempts (debug) and of failures that callers do not
	// see (warn). Never of a secret or a token. Nil: silent.
	Logger *slog.Logger
}

// A Target says what a token is for, where it differs from the Config.
// A nil field inherits, a non-nil one replaces; EndpointParams are merged key
// by key, and a key without values removes the parameter. An empty Audience
// inherits.
type Target struct {
	Scopes         []string
	Audience       string
	Resources      []string
	EndpointParams url.Values
}

// over gives r with what it leaves open taken from base. It shares nothing
// with r.
func (r Target) over(base Target) Target {
	if r.Scopes == nil {
		r.Scopes = base.Scopes
	}
	if r.Audience == "" {
		r.Audience = base.Audience
	}
	if r.Resources == nil {
		r.Resources = base.Resources
	}
	r.Scopes = slices.Clip(slices.Clone(r.Scopes))
	r.Resources = slices.Clip(slices.Clone(r.Resources))
	if len(r.EndpointParams) == 0 {
		r.EndpointParams = base.EndpointParams // never modified
		return r
	}
	params := maps.Clone(base.EndpointParams)
	if params == nil {
		params = url.Values{}
	}
	for name, values := range r.EndpointParams {
		if len(values) == 0 {
			delete(params, name)
			continue
		}
		params[name] = slices.Clone(values)
	}
	r.EndpointParams = params
	return r
}
