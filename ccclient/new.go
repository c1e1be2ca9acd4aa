package ccclient

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/cachekey"
	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/field"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/transport"
)

// New makes a Client. It does no I/O; the first token is asked for when it is needed. Its error lists every fault of
// cfg at once, each with the name of its field.
func New(cfg Config) (*Client, error) {
	f := cfg.validate()
	identity, err := identityOf(cfg.Auth)
	f.AddError("Auth", err)
	cfg.Logger = cmp.Or(cfg.Logger, cfg.Cache.Logger)
	r := newRegistration(&cfg)
	f.AddError("DPoPKey", r.bindTokens(&cfg))
	f.AddError("WrapTransport", r.connect(&cfg))
	f.AddError("Issuer", r.prepareExchanges(&cfg))
	if err := f.Err("invalid Config"); err != nil {
		return nil, fmt.Errorf("ccclient: %w", err)
	}
	r.openCache(&cfg, identity)
	target := cfg.target()
	r.root = r.client(target)
	r.observer.opened(r.root)
	return r.root, nil
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

// prepareExchanges says where token requests go, and how they are made.
func (r *registration) prepareExchanges(cfg *Config) error {
	endpoints, err := newEndpoints(cfg, &r.httpClient, r.link, r.dpop, r.certificate != nil, r.observer)
	r.exchanger = newExchanger(exchanger{
		clientID: cfg.ClientID, endpoints: endpoints, auth: cfg.Auth, header: cfg.EndpointHeader, client: &r.httpClient,
		retry: cfg.Retry, dpop: r.dpop, link: r.link, observer: r.observer,
	})
	return err
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
	o.Logger, o.Trace = r.observer.logger, r.observer.cacheTrace(r.traced)
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
	r.derived.Init(r.cache.MaxKeys(), func(c *Client) bool { return !c.holder.Evicted() })
}

// keyVersion changes when what a key covers changes, so that stores shared with other versions of the library do not
// mix tokens up. The keys of version 1 are stable from v0.1.0 on.
const keyVersion = "ccclient/1"

// clientKey covers what all tokens of a client have in common. It reports whether a secret is in it.
func (cfg *Config) clientKey(
	identity []string, dpop *transport.DPoP, cert *clientcert.Certificate, hash cachekey.Secrets,
) (key []byte, secret bool) {
	var h cachekey.Hash
	h.Add(keyVersion)
	h.URL(cfg.TokenURL)
	h.URL(cfg.Issuer)
	h.Add(cfg.ClientID)
	h.List(identity)
	if dpop != nil {
		h.Add(dpop.Thumbprint())
	} else {
		h.Add("")
	}
	if cert != nil {
		h.Add(cert.Last()) // empty if it may rotate: then certifiedKey adds the one that is shown
	} else {
		h.Add("")
	}
	h.Params(field.Canonical(cfg.EndpointHeader)) // one may name a tenant
	return h.Sum(nil, hash)
}
