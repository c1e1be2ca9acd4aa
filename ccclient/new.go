package ccclient

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/cachekey"
	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/memo"
	"github.com/ccclient/go-ccclient/transport"
)

// New makes a Client. It does no I/O; the first token is asked for when it is needed. Its error lists every fault of
// cfg at once, each with the name of its field.
func New(cfg Config) (*Client, error) {
	f := cfg.validate()
	identity, err := identityOf(cfg.Auth)
	f.AddError("Auth", err)
	r := newRegistration(&cfg)
	f.AddError("DPoPKey", r.bindTokens(&cfg))
	f.AddError("WrapTransport", r.connect(&cfg))
	f.AddError("Issuer", r.locate(&cfg))
	if err := f.Err("invalid Config"); err != nil {
		return nil, fmt.Errorf("ccclient: %w", err)
	}
	r.prepareExchanges(&cfg)
	r.openCache(&cfg, identity)
	target := cfg.target()
	r.root = r.client(target)
	r.observer.opened(r.root)
	return r.root, nil
}

// A registration is a client that is registered at a server: all that a Client has in common with those that For makes
// of it.
type registration struct {
	clientID    string
	server      string // where it is registered, as it is printed: the issuer, or the host of the token endpoint
	host        string // that of server, as errors have it
	key         []byte // what the cache keys of all its tokens begin with, see Config.clientKey
	secretHash  cachekey.Secrets
	stored      bool // tokens go into a Store
	auth        Auth
	endpoints   endpoints
	exchanger   *exchanger
	certificate *clientcert.Certificate // nil: none
	dpop        *transport.DPoP         // nil: bearer tokens
	cache       *cache.Cache
	root        *Client              // the one that New returned
	self        func() *registration // returns it

	connections  *connections.Pool // the library's own; unused if Config has an HTTPClient
	uncertified  *connections.Pool // such that show no certificate; nil: those above have none, or are unused
	link         *link.Link        // what is known of what everything goes through
	httpClient   http.Client       // what everything goes through, token requests and API calls alike
	outside      http.RoundTripper // what API calls go through that may not have the token and the certificate; or nil
	allowedHosts []string
	insecureHTTP bool
	replayLimit  int64
	stepUp       bool // resources may ask for more

	derived memo.Memo[Client] // the clients that For made, by what their tokens are for
	seed    maphash.Seed      // of the hashes in it

	observer *observer

	warnedOfLocal atomic.Bool
}

// newRegistration begins a registration with what is only copied.
func newRegistration(cfg *Config) *registration {
	r := &registration{
		clientID:     cfg.ClientID,
		observer:     newObserver(cfg),
		server:       cfg.server(),
		host:         endpoint.Host(cmp.Or(cfg.Issuer, cfg.TokenURL)),
		auth:         cfg.Auth,
		allowedHosts: slices.Clone(cfg.AllowedHosts),
		insecureHTTP: cfg.InsecureHTTP,
		replayLimit:  cfg.ReplayLimit,
		seed:         maphash.MakeSeed(),
		stepUp:       cfg.StepUp,
	}
	r.self = func() *registration { return r }
	return r
}

// bindTokens prepares the proofs of possession that go with tokens which are bound to a key.
func (r *registration) bindTokens(cfg *Config) (err error) {
	if cfg.DPoPKey == nil {
		return nil
	}
	if r.dpop, err = transport.NewDPoP(cfg.DPoPKey); err != nil {
		return cmp.Or(errors.Unwrap(err), err) // without the prefix
	}
	return nil
}

// connect decides what everything goes through, and which certificate it shows.
func (r *registration) connect(cfg *Config) (err error) {
	certificate, config := clientcert.New(cfg.TLS, func() { r.connections.Renew() })
	r.certificate, r.connections = certificate, connections.New(config)
	r.link = link.New(cfg.TLS, cfg.HTTPClient, certificate)
	if cfg.HTTPClient == nil {
		r.httpClient.Transport, err = r.connections.Wrapped(cfg.WrapTransport)
		if err != nil || certificate == nil {
			return err
		}
		r.uncertified = r.connections.WithoutCertificate()
		r.outside, err = r.uncertified.Wrapped(cfg.WrapTransport)
		return err
	}
	r.httpClient = *cfg.HTTPClient
	if r.httpClient.Transport == nil {
		// The default transport of now: a program may later make the authorized client its default, and a token
		// request that went through that would wait for itself.
		r.httpClient.Transport = http.DefaultTransport
	}
	r.certificate, _ = clientcert.New(tlsConfigOf(r.httpClient.Transport), r.httpClient.CloseIdleConnections)
	return nil
}

// locate says where token requests go.
func (r *registration) locate(cfg *Config) (err error) {
	r.endpoints, err = newEndpoints(cfg, &r.httpClient, r.dpop, r.certificate != nil, r.observer)
	return err
}

// prepareExchanges says how token requests are made.
func (r *registration) prepareExchanges(cfg *Config) {
	r.exchanger = newExchanger(exchanger{
		clientID: cfg.ClientID, auth: cfg.Auth, header: cfg.EndpointHeader, client: &r.httpClient, retry: cfg.Retry,
		dpop: r.dpop,
		link: r.link, observer: r.observer,
	})
}

// tlsConfigOf returns a copy of the TLS configuration with which t makes connections, nil if that cannot be seen. It
// looks into wrappers that can be unwrapped, in the way of errors or in that of Kubernetes' client-go.
func tlsConfigOf(t http.RoundTripper) *tls.Config {
	for range 16 { // One may lead back to itself.
		switch wrapper := t.(type) {
		case *http.Transport:
			if wrapper == nil {
				return nil
			}
			return wrapper.Clone().TLSClientConfig // The field itself is written to by the first request.
		case interface{ Unwrap() http.RoundTripper }:
			t = wrapper.Unwrap()
		case interface{ WrappedRoundTripper() http.RoundTripper }:
			t = wrapper.WrappedRoundTripper()
		default:
			return nil
		}
	}
	return nil
}

// openCache opens the cache in which the tokens are kept; identity is that of Auth.
func (r *registration) openCache(cfg *Config, identity []string) {
	o := cfg.Cache
	o.Logger, o.Trace = r.observer.logger, r.observer.cacheTrace(r.explain)
	o.CountServed = o.CountServed || cfg.Trace != nil && cfg.Trace.Client != nil
	var secret bool
	r.secretHash = cachekey.SecretsOf(o.Store)
	r.key, secret = cfg.clientKey(identity, r.dpop, r.certificate, r.secretHash)
	switch {
	case o.Store == nil:
	case len(identity) == 0:
		o.Store = nil // It could not tell the tokens of one such Auth from those of another.
		r.observer.storeUnused("Auth has no Identity to tell them apart")
	case secret && !r.secretHash.Shared:
		o.Store = nil // Its keys would show whether a guess at the secret is right.
		r.observer.storeUnused("TokenURL has a query, or EndpointHeader a field that by its name holds a secret: " + sealHint)
	}
	r.stored = o.Store != nil
	r.cache = cache.New(o)
	r.derived.Init(r.cache.MaxKeys(), func(c *Client) bool { return !c.tokens.Evicted() })
}

// failed completes e with who asked whom.
func (r *registration) failed(e *Error) *Error {
	e.client, e.host = r.clientID, r.host
	return e
}
