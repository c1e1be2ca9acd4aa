package ccclient

import (
	"cmp"
	"crypto"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// A Config says where tokens come from, who asks for them and what for. Its zero fields, beyond those that are
// required, are good defaults. [New] copies what it needs: a Config may be changed and used again afterwards.
//
// Printing or logging a Config shows where tokens come from, who asks and what for; of EndpointParams and
// EndpointHeader the names only, and nothing of keys, certificates or clients.
type Config struct {
	// TokenURL is the token endpoint: https, or http on loopback. A query is kept. Exactly one of TokenURL and Issuer
	// is required.
	TokenURL string

	// Issuer is the authorization server's issuer identifier, from which its metadata is discovered when the first
	// token is needed: RFC 8414, then OpenID Connect Discovery 1.0. What the metadata settles (the token endpoint, its
	// alias for mutual TLS, the audience of assertions, algorithms) needs no configuration.
	Issuer string

	// ClientID is the client identifier (RFC 6749, section 2.2). Required.
	ClientID string

	// Auth proves that the client is who it says. Required.
	Auth Auth

	// Scopes are the scopes to ask for, one an element, without order (RFC 6749, section 3.3). None: the server's
	// default.
	Scopes []string

	// Audience is sent as the "audience" parameter, if not empty.
	Audience string

	// Resources are sent as "resource" parameters, in this order: absolute URIs without a fragment (RFC 8707).
	Resources []string

	// EndpointParams are further form parameters. They may set grant_type, for a server with its own; any other name
	// that this Config or Auth sets too, client_id among them, is a fault.
	EndpointParams url.Values

	// EndpointHeader is further header fields of token requests, for servers that find a tenant or an account by one.
	// It is no place for a secret: an [AuthFunc] can add those. A field that the library sets is a fault.
	EndpointHeader http.Header

	// HTTPClient is what everything goes through: token requests, discovery, and the requests of [Client.HTTPClient],
	// which returns a copy of it. Nil: the library's own connections, see TLS and WrapTransport.
	//
	// New copies it, with the http.DefaultTransport of that moment if its Transport is nil. Its Timeout bounds each
	// attempt at a token request, beside Retry.AttemptTimeout. Its redirect policy and cookie jar are not used for
	// token requests, since a token endpoint that redirects is an error.
	//
	// A client certificate is inside of its Transport then. In an *http.Transport it is seen, also behind wrappers that
	// have a method Unwrap() http.RoundTripper: it is part of the cache key, and one from GetClientCertificate is
	// followed as in TLS, but for connections in use, which only New's own can leave. What cannot be seen, such as a
	// certificate in another RoundTripper or a DialTLSContext, or a header field that one adds, tells no tokens apart:
	// two Clients that differ in nothing else need a Store, or a prefix in it, of their own.
	HTTPClient *http.Client

	// TLS configures the library's own connections, for token requests and those of [Client.HTTPClient] alike. Private
	// CAs go here, and client certificates (RFC 8705). Nil: the system's CAs. TLS 1.2 is the least. Together with
	// HTTPClient it is a fault.
	//
	// A certificate that is replaced while the program runs comes from GetClientCertificate, which is asked at
	// handshakes, at token requests, and by callers of Token once a second, so it should answer from memory. After a
	// rotation there are new tokens and new connections.
	//
	// The certificate is shown where the token may go: to the token endpoint, the issuer, and the API, as far as
	// AllowedHosts reaches. No redirect takes it elsewhere, and no https proxy is shown it.
	TLS *tls.Config

	// WrapTransport, if set, returns what everything goes through instead of own: something around it that traces,
	// counts or logs. own are the library's own connections, with TLS in force, also after a certificate has rotated.
	// New calls WrapTransport once, and once more if TLS has a client certificate: for connections without it, which
	// API calls go through that may not have the token. What it returns sees the client's credentials and the tokens.
	// Together with HTTPClient it is a fault.
	WrapTransport func(own http.RoundTripper) http.RoundTripper

	// DPoPKey, if set, binds tokens to this key (RFC 9449): P-256, P-384, P-521, RSA from 2048 bits, or Ed25519.
	DPoPKey crypto.Signer

	// AllowedHosts, if set, are the only hosts that get the token from [Client.HTTPClient] and [Client.Transport]:
	// "api.example.com" (any port), "host:8443", "*.example.com" (one or more labels, not the apex).
	//
	// Empty: every host gets it that the program sends a request to, over https or on loopback. Where a URL comes from
	// outside, out of a user's input, a webhook's registration or an answer's "next" link, whoever chose it is then
	// given a token that is good at your API. Set AllowedHosts unless all URLs are the program's own. (A redirect never
	// takes the token to another origin, whatever is set.)
	AllowedHosts []string

	// InsecureHTTP allows http:// beyond loopback, for the token endpoint and for the API: who can listen can then use
	// the token, and the secret.
	InsecureHTTP bool

	// ReplayLimit is how many bytes of a body without GetBody the transports keep in memory, so that the request can be
	// sent again after a rejected token. 0: none, and such a request is not repeated. See [transport.Transport].
	ReplayLimit int64

	// Retry bounds the attempts at one token request.
	Retry Retry

	// StepUp lets APIs ask for more than the Config does. A 401 or 403 of [Client.HTTPClient] or [Client.Transport]
	// whose challenge says insufficient_scope (RFC 6750, section 3.1) is met by a token for the scopes of the Config
	// and those that the challenge names; one that says insufficient_claims (Microsoft Entra's claims challenge) by a
	// token request with these as "claims", merged with those of EndpointParams. If the server grants that, the request
	// is sent once more, and the Client's transports spend such tokens from then on; if not, the response is the
	// caller's. A Config without Scopes keeps those that the server says it granted; set Scopes if it says nothing.
	//
	// Whoever is given tokens can then have others made, with any scope that the client may have, and be sent them: set
	// AllowedHosts, and let the server grant the client no more than the program needs. New targets are asked for as
	// forced refreshes are: at once, then not before 1 s, doubling to 60 s. [Client.Token] does not step up.
	StepUp bool

	// Cache says when to refresh, how much to hold, and where to share tokens. Its Logger is the one below; it may be
	// set here instead, but both are a fault. Tokens of an Auth of your own go into Store only if it has an identity,
	// see [Auth]. Nor does a token go into it whose key would hold a secret that whoever reads the Store's keys could
	// guess at: where TokenURL has a query, or EndpointParams or EndpointHeader a name that speaks of a secret, a key
	// or a token. A Store from [cache.Seal] hashes those with a key, and takes such tokens. Otherwise there is a
	// warning.
	Cache cache.Options

	// Logger hears of attempts (debug), of what StepUp adds (info) and of failures that callers do not see (warn).
	// Never of a secret or a token.
	// Nil: silent.
	Logger *slog.Logger

	// Trace hears of what happens, for metrics and spans. Nil: nobody does.
	Trace *Trace
}

// Retry bounds the attempts at getting one token. An attempt finds out where the token endpoint is, if an Issuer is set
// and its metadata are not known yet, and makes one token request. Attempted again are network errors (unless a
// certificate does not verify), the statuses 408, 425, 429 and 5xx, and temporarily_unavailable; each time with fresh
// credentials. Pauses are random between zero and a backoff that doubles from MinBackoff to MaxBackoff (full jitter),
// after a Retry-After if the server sent one. There is no pause that the context's deadline would cut short: the error
// comes at once instead.
//
// Beside these attempts a request is repeated at once, once for each cause: if the client was refused and its secret
// turns out to have changed, if the server asks for a DPoP nonce, and if there is no token endpoint any more where the
// Issuer's metadata had it and they now name another.
type Retry struct {
	MaxAttempts    int           // 0: 3; 1: no retry
	AttemptTimeout time.Duration // of one token request, authentication included; 0: 10 s
	MinBackoff     time.Duration // 0: 200 ms
	MaxBackoff     time.Duration // 0: 2 s
}

func (r Retry) withDefaults() Retry {
	if r.MaxAttempts <= 0 {
		r.MaxAttempts = 3
	}
	if r.AttemptTimeout <= 0 {
		r.AttemptTimeout = 10 * time.Second
	}
	if r.MinBackoff <= 0 {
		r.MinBackoff = 200 * time.Millisecond
	}
	if r.MaxBackoff <= 0 {
		r.MaxBackoff = 2 * time.Second
	}
	return r
}

// target is what the tokens of cfg are for.
func (cfg *Config) target() Target {
	t := Target{
		Scopes: cfg.Scopes, Audience: cfg.Audience, Resources: cfg.Resources, EndpointParams: cfg.EndpointParams,
	}
	t = t.inherit(new(Target))
	return t.clone()
}

// server names the authorization server: its issuer, or the host of the token endpoint, whose query may hold a key.
func (cfg *Config) server() string {
	return cmp.Or(cfg.Issuer, endpoint.Host(cfg.TokenURL))
}

// Format prints the fields of cfg that say where tokens come from, who asks and what for; of EndpointParams and
// EndpointHeader the names only, and nothing of keys, certificates or clients, whatever the verb.
func (cfg Config) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Config{TokenURL: %q, Issuer: %q, ClientID: %q, Auth: %s, Scopes: %q, Audience: %q, Resources: %q, "+
		"EndpointParams: %q, EndpointHeader: %q}",
		redact.WithoutQuery(cfg.TokenURL), redact.WithoutQuery(cfg.Issuer), cfg.ClientID, factsOf(cfg.Auth).name,
		cfg.Scopes,
		cfg.Audience, cfg.Resources, redact.Names(cfg.EndpointParams), redact.Names(cfg.EndpointHeader))
}

// String returns what Format prints.
func (cfg Config) String() string { return fmt.Sprint(cfg) }

// MarshalText returns what Format prints, to encoding/json and its like.
func (cfg Config) MarshalText() ([]byte, error) { return []byte(cfg.String()), nil }

// LogValue returns what Format prints.
func (cfg Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("token_url", redact.WithoutQuery(cfg.TokenURL)),
		slog.String("issuer", redact.WithoutQuery(cfg.Issuer)),
		slog.String("client_id", cfg.ClientID),
		slog.String("auth", factsOf(cfg.Auth).name),
		slog.Any("scopes", cfg.Scopes),
		slog.String("audience", cfg.Audience),
		slog.Any("resources", cfg.Resources),
		slog.Any("endpoint_params", redact.Names(cfg.EndpointParams)),
		slog.Any("endpoint_header", redact.Names(cfg.EndpointHeader)),
	)
}
