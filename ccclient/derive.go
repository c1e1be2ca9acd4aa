package ccclient

import "github.com/ccclient/go-ccclient/cache"

// For returns a client for other scopes, another audience or other resources with the same credentials. Its token is its
// own. What t leaves open is inherited from c; see [Target].
//
// Clients are remembered, as many as Config.Cache.MaxKeys allows, so For may be called for each request: the same t
// returns the same client, and costs no more than looking it up. A fault in t is the error of every Token.
func (c *Client) For(t Target) *Client {
	if !c.made() || t.empty() {
		return c
	}
	r := c.registration
	t = t.inherit(c.target) // copied only if the client is new
	var buf [64]byte
	key := t.key(buf[:0], r.key)
	r.mu.Lock()
	known := r.derived[string(key)]
	r.mu.Unlock()
	if known != nil {
		return known
	}
	return r.derive(string(key), t.clone())
}

// derive makes the client for t and remembers it by the key of t.
func (r *registration) derive(key string, t Target) *Client {
	c := r.client(key, t)
	r.mu.Lock()
	known := r.derived[key]
	if known == nil {
		r.derived[key] = c
	}
	r.mu.Unlock()
	if known != nil {
		return known
	}
	switch kept := c.tokens.(type) {
	case *cache.Entry:
		// If its entry was evicted before the client was remembered, forget came too early.
		if r.cache.Entry(key, c.fetch) != kept {
			r.forget(key)
		}
	case *rotating:
		kept.entryFor(r.certificate.Last()) // Only what has an entry is ever evicted, and forgotten.
	}
	return c
}

// hold notes that the client that is remembered by key now keeps its token under entryKey, and no longer under before.
// It is for clients whose certificate may rotate.
func (r *registration) hold(key, entryKey, before string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.holders, before)
	if r.derived[key] != nil {
		r.holders[entryKey] = key
	}
}

// forget is told by the cache that an entry had to make room. The client whose token was there is made anew when For is
// asked for it.
func (r *registration) forget(entryKey string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := entryKey
	if r.certificate.Rotates() {
		key = r.holders[entryKey] // none, if the entry is that of a certificate before
		delete(r.holders, entryKey)
	}
	delete(r.derived, key)
}
