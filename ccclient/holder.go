package ccclient

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/cachekey"
	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/outlook"
)

// A holder keeps one token: a *cache.Entry, or a *rotating where the client certificate may rotate.
type holder interface {
	Token(context.Context) (*oauth2.Token, error)
	Refresh(context.Context) (*oauth2.Token, error)
	Invalidate(rejected *oauth2.Token)
	Evict()              // drops the token; use brings it back
	Evicted() bool       // the token was dropped, or had to make room
	Held() *oauth2.Token // the one that is held, alive or not; nil if there is none
	Status() cache.Status
}

// notMade stands in for the tokens of a Client that is nil or a zero value.
type notMade struct{}

func (notMade) Token(context.Context) (*oauth2.Token, error)   { return nil, errNotMade() }
func (notMade) Refresh(context.Context) (*oauth2.Token, error) { return nil, errNotMade() }
func (notMade) Invalidate(*oauth2.Token)                       {}
func (notMade) Evict()                                         {}
func (notMade) Evicted() bool                                  { return true }
func (notMade) Held() *oauth2.Token                            { return nil }
func (notMade) Status() cache.Status                           { return cache.Status{State: cache.StateNone} }

// made reports whether New or For made c.
func (c *Client) made() bool { return c != nil && c.registered != nil }

// kept returns where c's token is kept.
func (c *Client) kept() holder {
	if !c.made() {
		return notMade{}
	}
	return c.holder
}

// rotating keeps the token of a client whose certificate may rotate. Tokens may be bound to the certificate (RFC 8705,
// section 3), so there is a cache entry for each.
type rotating struct {
	registered func() *registration
	key        string      // of the target
	label      string      // of the target
	local      bool        // see Client.fetchFor
	fetch      cache.Fetch // gets a token with whatever certificate is shown

	current atomic.Pointer[certified] // nil: none yet
}

// A certified entry is for tokens that were got with one certificate.
type certified struct {
	*cache.Entry
	thumbprint string // of the certificate
}

// errRotated ends a fetch that began with another certificate than is shown now. What it may have brought could be
// bound to either.
var errRotated error = rotatedError{}

type rotatedError struct{}

func (rotatedError) Error() string {
	return "the client certificate changes again and again: " +
		"GetClientCertificate in TLS should return the same one until it is replaced"
}

// CoolDown says that it is about this certificate's token alone, and says nothing of the server.
func (rotatedError) CoolDown() cache.CoolDown { return cache.CoolDown{Local: true} }

func (k *rotating) Token(ctx context.Context) (*oauth2.Token, error) {
	return k.withCurrent(ctx, (*cache.Entry).Token)
}

func (k *rotating) Refresh(ctx context.Context) (*oauth2.Token, error) {
	return k.withCurrent(ctx, (*cache.Entry).Refresh)
}

func (k *rotating) Invalidate(rejected *oauth2.Token) {
	if now := k.current.Load(); now != nil {
		now.Invalidate(rejected)
	}
}

// A getter is a method of an entry.
type getter func(*cache.Entry, context.Context) (*oauth2.Token, error)

// withCurrent calls get with the entry of the certificate that is shown now, and again when that rotated meanwhile.
func (k *rotating) withCurrent(ctx context.Context, get getter) (tok *oauth2.Token, err error) {
	if ctx == nil { // as an entry takes it
		ctx = context.Background()
	}
	for range clientcert.RotationBurst + 2 { // more rotations are not followed so soon
		tok, err = get(k.entryFor(k.registered().certificate.Recent(ctx)), ctx)
		if !errors.Is(err, errRotated) {
			break
		}
	}
	return tok, err
}

// Held returns the token that was got with the certificate that was used last.
func (k *rotating) Held() *oauth2.Token {
	now := k.current.Load()
	if now == nil {
		return nil
	}
	return now.Entry.Held()
}

// Evict drops the token for the certificate that was used last.
func (k *rotating) Evict() {
	if now := k.current.Load(); now != nil {
		now.Entry.Evict()
	}
}

// Evicted reports whether there is no token for the certificate that was used last.
func (k *rotating) Evicted() bool {
	now := k.current.Load()
	return now == nil || now.Entry.Evicted()
}

// Status returns what the token is doing that is got with the certificate that was used last.
func (k *rotating) Status() cache.Status {
	if now := k.current.Load(); now != nil {
		return now.Entry.Status()
	}
	return notMade{}.Status()
}

// entryFor returns the entry for tokens got with the certificate of this thumbprint, and makes it the current one.
func (k *rotating) entryFor(thumbprint string) *cache.Entry {
	if now := k.current.Load(); now != nil && now.thumbprint == thumbprint {
		return now.Entry
	}
	next := &certified{thumbprint: thumbprint}
	fetch := func(ctx context.Context) (*oauth2.Token, error) { return k.fetchWith(ctx, next) }
	next.Entry = k.registered().adopt(new(cache.Entry), certifiedKey(k.key, thumbprint), k.label, k.local, fetch)
	k.current.Store(next)
	return next.Entry
}

// fetchWith gets a token with one certificate. It looks at what is shown before and after: a token that lies under a
// certificate's key is bound to no other.
func (k *rotating) fetchWith(ctx context.Context, with *certified) (*oauth2.Token, error) {
	certificate := k.registered().certificate
	if !certificate.Check(ctx) && ctx.Err() != nil {
		err := fmt.Errorf("GetClientCertificate does not answer: %w", ctx.Err())
		return nil, k.registered().failed(&Error{Err: err, outlook: outlook.Passing, unasked: true})
	}
	if certificate.Last() == with.thumbprint {
		tok, err := k.fetch(ctx)
		// Perhaps the old one was refused; and connections of Config.HTTPClient do not tell when they show another.
		brief, cancel := context.WithTimeout(ctx, time.Second)
		certificate.Check(brief)
		cancel()
		if certificate.Last() == with.thumbprint {
			return tok, outdatedBy(err, func(ctx context.Context) bool {
				return certificate.Recent(ctx) != with.thumbprint
			})
		}
	}
	with.Evict() // Nobody asks for it any more, KeepFresh aside.
	return nil, errRotated
}

// outdatedBy has err, of a fetch that has just ended, outdated also when replaced reports that its certificate was
// replaced. It cools down the whole client, and so the tokens for the new certificate too.
func outdatedBy(err error, replaced func(context.Context) bool) error {
	if e, ok := errors.AsType[*Error](err); ok {
		before := e.outdated
		e.outdated = func(ctx context.Context) bool { return replaced(ctx) || before != nil && before(ctx) }
	}
	return err
}

// certifiedKey is the cache key of tokens that may be bound to a certificate; key is that of their target.
func certifiedKey(key, thumbprint string) string {
	var h cachekey.Hash
	h.Add(key)
	h.Add(thumbprint)
	sum, _ := h.Sum(nil, cachekey.Secrets{})
	return string(sum)
}
