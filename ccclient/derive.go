package ccclient

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// For returns a client for other scopes, another audience or other resources with the same credentials. Its token is
// its own. What t leaves open is inherited from c; see [Target].
//
// Clients are remembered, about as many as Config.Cache.MaxKeys allows, so For may be called for each request: the same
// t returns the same client, and costs no more than looking it up: no lock, and no allocation unless c and t both have
// EndpointParams. A fault in t is the error of every Token.
func (c *Client) For(t Target) *Client {
	if !c.made() || t.empty() {
		return c
	}
	r := c.registered()
	base := c.goal()
	t = t.inherit(&base) // copied only if the client is new
	hash := t.hash(r.seed)
	isFor := func(known *Client) bool { return known.isFor(&t) }
	if known := r.derived.Find(hash, isFor); known != nil {
		return known
	}
	return r.derived.Add(hash, r.client(t.clone()), isFor)
}

// isFor reports whether c's token is for t: scopes in any order, labels aside.
func (c *Client) isFor(t *Target) bool {
	own := &c.target
	if own.Audience != t.Audience || !sameScopes(own.Scopes, t.Scopes) || !slices.Equal(own.Resources, t.Resources) {
		return false
	}
	return maps.EqualFunc(c.extras().params, t.EndpointParams, slices.Equal)
}

// client returns a new Client for t, which is complete and not shared.
func (r *registration) client(t Target) *Client {
	sum, secret := t.key(nil, r.key, r.secretHash)
	key, local := string(sum), secret && !r.secretHash.Shared
	has := extra{params: t.EndpointParams}
	t.EndpointParams = nil
	if r.certificate.Rotates() {
		c := (&Client{registered: r.self, target: t}).with(has)
		c.holder = &rotating{registered: r.self, key: key, label: t.Label, local: local, fetch: c.fetchFor(local)}
		return c
	}
	// One allocation, and for the hot path one way to both: many clients are read from memory, not from the processor's
	// caches.
	c := &struct {
		Client
		entry cache.Entry
	}{Client: Client{registered: r.self, target: t}}
	c.with(has)
	c.holder = &c.entry // before others may fetch by it
	if there := r.adopt(&c.entry, key, t.Label, local, c.fetchFor(local)); there != &c.entry {
		c.holder = there
	}
	return &c.Client
}

// adopt makes entry that of a key, unless there is one.
func (r *registration) adopt(entry *cache.Entry, key, label string, local bool, fetch cache.Fetch) *cache.Entry {
	if local {
		return r.cache.AdoptLocal(entry, key, label, fetch)
	}
	return r.cache.Adopt(entry, key, label, fetch)
}

// fetchFor returns the cache's Fetch; local says that the token goes into no Store, since its key would give away a
// secret.
func (c *Client) fetchFor(local bool) cache.Fetch {
	if !local || !c.registered().stored {
		return c.fetch
	}
	return func(ctx context.Context) (*oauth2.Token, error) {
		if r := c.registered(); r.warnedOfLocal.CompareAndSwap(false, true) {
			r.observer.storeUnused("EndpointParams have a parameter that by its name holds a secret: " + sealHint)
		}
		return c.fetch(ctx)
	}
}
