package ccclient

import "github.com/ccclient/go-ccclient/cache"

// bind gives c the cache entry of key.
func (c *Client) bind(key string, fetch cache.Fetch) {
	c.entry.Store(c.cache.Entry(key, fetch))
}

// bound gives c's entry. Where the client certificate rotates, that is the one
// of the certificate that is shown now, since tokens may be bound to it.
func (c *Client) bound() (*cache.Entry, error) {
	for {
		if e := c.entry.Load(); e != nil {
			return e, nil
		}
		thumbprint, err := c.certificate.current()
		if err != nil {
			return nil, &Error{Err: err}
		}
		// The dot tells forget where the key of the memo ends.
		c.bind(string(c.request.key(nil, c.clientKey))+"."+thumbprint, c.obtain)
		if c.certificate.seen() != thumbprint { // rebind came in between
			c.entry.Store(nil)
		}
	}
}

// rebind is called when the client certificate has changed. Tokens bound to
// the old one, and connections that show it, are of no use any more.
func (c *core) rebind() {
	c.connections.renew()
	c.root.entry.Store(nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.memo {
		d.entry.Store(nil)
	}
}
