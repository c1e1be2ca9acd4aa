package ccclient

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// For gives a client for other scopes, another audience or other resources
// with the same credentials. Its tokens are its own. What r leaves open is
// inherited from c.
//
// Clients are remembered, as many as Config.Cache.MaxKeys allows, so For may
// be called for each request: the same r gives the same client, and costs no
// more than looking it up. A fault in r is the error of every Token.
func (c *Client) For(r Target) *Client {
	if r.Scopes == nil && r.Audience == "" && r.Resources == nil && len(r.EndpointParams) == 0 {
		return c
	}
	// Looked up first with what is inherited in place, copied only if new.
	look := r
	if look.Scopes == nil {
		look.Scopes = c.request.Scopes
	}
	if look.Audience == "" {
		look.Audience = c.request.Audience
	}
	if look.Resources == nil {
		look.Resources = c.request.Resources
	}
	if len(look.EndpointParams) == 0 {
		look.EndpointParams = c.request.EndpointParams
	} else if len(c.request.EndpointParams) > 0 {
		look = r.over(c.request)
	}
	var buf [64]byte
	key := look.key(buf[:0], c.clientKey)
	c.mu.Lock()
	known := c.memo[string(key)]
	c.mu.Unlock()
	if known != nil {
		return known
	}
	return c.derive(string(key), r.over(c.request))
}

// derive makes a client and remembers it.
func (c *Client) derive(key string, r Target) *Client {
	d := &Client{core: c.core, request: r}
	if !c.certificate.Rotates() {
		d.entry = c.cache.Entry(key, d.obtain)
	}
	c.mu.Lock()
	if known := c.memo[key]; known != nil {
		c.mu.Unlock()
		return known
	}
	c.memo[key] = d
	c.mu.Unlock()
	// If the entry was evicted before the memo held its client, forget came
	// too early.
	if d.entry != nil && c.cache.Entry(key, d.obtain) != d.entry {
		c.forget(key)
	}
	return d
}

// forget is told by the cache that a key had to make room.
func (c *core) forget(key string) {
	key, _, _ = strings.Cut(key, ".")
	c.mu.Lock()
	delete(c.memo, key)
	c.mu.Unlock()
}

// form gives the parameters of a token request, without the authentication.
func (r *Target) form() url.Values {
	form := maps.Clone(r.EndpointParams)
	if form == nil {
		form = url.Values{}
	}
	if len(r.Scopes) > 0 {
		form.Set("scope", strings.Join(r.Scopes, " "))
	}
	if r.Audience != "" {
		form.Set("audience", r.Audience)
	}
	if len(r.Resources) > 0 {
		form["resource"] = slices.Clone(r.Resources)
	}
	return form
}
