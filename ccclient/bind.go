package ccclient

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/clientcert"
)

// A binding is the cache entry for a client's tokens while a certificate that
// may rotate is the current one: tokens may be bound to it (RFC 8705, section
// 3), so another has an entry of its own.
type binding struct {
	entry      *cache.Entry
	thumbprint string
}

// errRotated ends a fetch that began with another certificate than is shown
// now. What it may have brought could be bound to either.
var errRotated = errors.New("the client certificate changes again and again: GetClientCertificate in Config.TLS should give the same one until it is replaced")

// bound calls get with the entry of the certificate that is shown now. It is
// for clients whose certificate may rotate.
func (c *Client) bound(ctx context.Context, get func(*cache.Entry, context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	for range clientcert.RotationBurst + 2 { // more are not followed so soon
		tok, err := get(c.bind(), ctx)
		if err == nil || !errors.Is(err, errRotated) {
			return tok, err
		}
	}
	return nil, &Error{Err: errRotated}
}

func (c *Client) bind() *cache.Entry {
	shown := c.certificate.Recent()
	if b := c.binding.Load(); b != nil && b.thumbprint == shown {
		return b.entry
	}
	// The dot tells forget where the key of the memo ends.
	key := string(c.request.key(nil, c.clientKey)) + "." + shown
	entry := c.cache.Entry(key, func(ctx context.Context) (*oauth2.Token, error) {
		return c.obtainAs(ctx, key, shown)
	})
	c.binding.Store(&binding{entry, shown})
	return entry
}

// obtainAs is the Fetch of a binding. It looks at the certificate before and
// after: a token that lies under a certificate's key is bound to no other.
func (c *Client) obtainAs(ctx context.Context, key, shown string) (*oauth2.Token, error) {
	c.certificate.Check()
	if c.certificate.Last() == shown {
		tok, err := c.obtain(ctx)
		if err != nil {
			c.certificate.Check() // perhaps the old one was refused
		}
		if c.certificate.Last() == shown {
			return tok, err
		}
	}
	c.cache.Remove(key) // nobody asks for it any more, KeepFresh aside
	return nil, errRotated
}
