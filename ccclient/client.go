package ccclient

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/transport"
)

// ErrClosed is the error of Token and Refresh after Close.
var ErrClosed = cache.ErrClosed

// A Client gets tokens for one client of one authorization server, keeps them,
// and spends them. It is safe for concurrent use; make one per process and
// configuration, and Close it at the end.
//
// What it gets is a cached token: Token from memory while it is fresh, renewed
// in the background before it expires, and shared by all callers.
type Client struct {
	*core
	request Target // complete: nothing is inherited any more

	entry   *cache.Entry            // nil: the certificate may rotate, see binding
	binding atomic.Pointer[binding] // nil: none yet
}

// A core is what a Client shares with those that For makes of it.
type core struct {
	clientKey    []byte
	tokens       *requester
	endpoints    endpoints
	certificate  *clientcert.Certificate // nil: none
	cache        *cache.Cache
	connections  *connections
	dpop         *transport.DPoP // nil: bearer tokens
	auth         Auth
	allowedHosts []string
	insecureHTTP bool
	root         *Client

	mu   sync.Mutex // guards memo
	memo map[string]*Client
}

// New makes a Client. It does no I/O; the first token is asked for when it is
// needed. Its error tells every fault of cfg at once, each with the name of
// its field.
func New(cfg Config) (*Client, error) {
	f := cfg.validate()
	c := &core{
		auth:         cfg.Auth,
		allowedHosts: slices.Clone(cfg.AllowedHosts),
		insecureHTTP: cfg.InsecureHTTP,
		memo:         make(map[string]*Client),
	}
	var err error
	if cfg.DPoPKey != nil {
		if c.dpop, err = transport.NewDPoP(cfg.DPoPKey); err != nil {
			f.add("DPoPKey", "%w", errors.Unwrap(err)) // without the prefix
		}
	}
	var config *tls.Config
	c.certificate, config = clientcert.New(cfg.TLS, func() { c.connections.renew() })
	c.connections = newConnections(config)
	// A copy, with the default transport of now: a program may later make
	// the authorized client its default, and a token request that went
	// through that would wait for itself.
	httpClient := &http.Client{Transport: c.connections}
	if cfg.HTTPClient != nil {
		*httpClient = *cfg.HTTPClient
		if httpClient.Transport == nil {
			httpClient.Transport = http.DefaultTransport
		}
	}
	if c.endpoints, err = newEndpoints(&cfg, httpClient, c.dpop, c.certificate != nil); err != nil {
		f.add("Issuer", "%w", err)
	}
	if err := f.err("invalid Config"); err != nil {
		return nil, err
	}

	c.clientKey = cfg.clientKey(c.dpop, c.certificate)
	c.tokens = newRequester(requester{
		clientID: cfg.ClientID, auth: withHeader(cfg.Auth, cfg.EndpointHeader), client: httpClient, retry: cfg.Retry, dpop: c.dpop, log: logger{cfg.Logger},
	})
	o := cfg.Cache
	o.Logger = cfg.Logger
	theirs := o.Evicted
	o.Evicted = func(key string) {
		c.forget(key)
		if theirs != nil {
			theirs(key)
		}
	}
	c.cache = cache.New(o)
	c.root = &Client{core: c, request: Target{cfg.Scopes, cfg.Audience, cfg.Resources, maps.Clone(cfg.EndpointParams)}.over(Target{})}
	if !c.certificate.Rotates() {
		c.root.entry = c.cache.Entry(string(c.root.request.key(nil, c.clientKey)), c.root.obtain)
	}
	return c.root, nil
}

// Token gives a token that can be used now: from memory, without a lock or an
// allocation, while it is fresh; otherwise it waits for a token request, which
// it shares with all who wait, until ctx ends. Its error is an [*Error],
// ctx's, or [ErrClosed]. The token is shared: do not modify it.
//
// Its Expiry is always set. Its Extra gives what the server answered beside
// the fields that it has; "scope" as one string, whatever the server wrote.
func (c *Client) Token(ctx context.Context) (*oauth2.Token, error) {
	if c.entry == nil {
		return c.bound(ctx, (*cache.Entry).Token)
	}
	return c.entry.Token(ctx)
}

// Refresh gets a new token from the server, whatever is cached, and makes it the
// current one. It runs on ctx, joins no other request and heeds no cool-down:
// it is for diagnosis, and for those who know better. Use Token.
func (c *Client) Refresh(ctx context.Context) (*oauth2.Token, error) {
	if c.entry == nil {
		return c.bound(ctx, (*cache.Entry).Refresh)
	}
	return c.entry.Refresh(ctx)
}

// Invalidate says that a resource rejected a token. If that is still the
// current one, the next Token gets another; forced refreshes are spaced, so a
// resource that rejects everything does not cause a token request each time.
// Clients from [Client.HTTPClient] do this by themselves.
func (c *Client) Invalidate(rejected *oauth2.Token) {
	e := c.entry
	if b := c.binding.Load(); b != nil {
		e = b.entry
	}
	if e != nil {
		e.Invalidate(rejected)
	}
}

// TokenSource gives an oauth2.TokenSource for whatever takes one. It keeps no
// context: a call waits as long as a token request may take, see
// [cache.Options].
func (c *Client) TokenSource() oauth2.TokenSource { return tokenSource{c} }

type tokenSource struct{ c *Client }

func (s tokenSource) Token() (*oauth2.Token, error) { return s.c.Token(context.Background()) }

// Close ends background work, also that of clients which For made, and joins
// it. It is idempotent. On a client that For made it does nothing.
func (c *Client) Close() error {
	if c != c.root {
		return nil
	}
	err := c.cache.Close()
	c.endpoints.close()
	c.connections.CloseIdleConnections()
	return err
}

// obtain is the cache's Fetch.
func (c *Client) obtain(ctx context.Context) (*oauth2.Token, error) {
	if err := c.request.validate(c.auth).err("invalid Target"); err != nil {
		return nil, err // For has no other way to tell.
	}
	return c.endpoints.fetch(ctx, c.tokens, c.request.form())
}
