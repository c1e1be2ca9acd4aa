package ccclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/stepup"
	"github.com/ccclient/go-ccclient/transport"
)

// A stepUp is what the transports of a Client spend with Config.StepUp: the token of the Client, until a resource has
// asked for more and the authorization server has granted it; from then on a wider one.
//
// What resources can make it do is bounded: it asks for at most one wider token at a time, no more often than forced
// refreshes are spaced, and remembers one target, of bounded size.
type stepUp struct {
	base  *Client
	wider atomic.Pointer[Client] // whose token has all that was asked for and granted; nil: that of base has it

	mu      sync.Mutex // guards what follows and the storing of wider; never held while calling out
	tried   *Client    // for the target that was asked for last, which is not granted, or not yet; nil: none
	spacing spacing
}

// Token returns the token to spend. If the server no longer grants the wider one, it is that of the Client again.
func (s *stepUp) Token(ctx context.Context) (*oauth2.Token, error) {
	wider := s.wider.Load()
	if wider == nil {
		return s.base.Token(ctx)
	}
	tok, err := wider.Token(ctx)
	if e, ok := errors.AsType[*Error](err); ok && !e.Temporary() && !e.concernsClient() {
		s.narrow(wider)
		return s.base.Token(ctx)
	}
	return tok, err
}

// Invalidate tells both, since the token may be that of either: it is compared by its text.
func (s *stepUp) Invalidate(rejected *oauth2.Token) {
	s.base.Invalidate(rejected)
	if wider := s.wider.Load(); wider != nil {
		wider.Invalidate(rejected)
	}
}

// challenged is for [transport.Transport.Challenged]. It returns nil for what is no challenge to step up, for one that
// the rejected token meets, as far as the server says, and for one that comes too soon after another.
func (s *stepUp) challenged(_ context.Context, rejected *oauth2.Token, resp *http.Response) transport.Source {
	demand := stepup.Parse(resp.Header)
	if demand.Empty() {
		return nil
	}
	source, superseded := s.meet(demand, rejected)
	if superseded != nil {
		superseded.holder.Evict()
	}
	return source
}

// meet returns the source of a token that meets demand, nil if there is to be none, and the client whose place it took,
// nil if there was none.
func (s *stepUp) meet(demand stepup.Demand, rejected *oauth2.Token) (_ transport.Source, superseded *Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.base
	if wider := s.wider.Load(); wider != nil {
		current = wider
	}
	had := current.scopesOf(rejected)
	target, ok := current.goal().widened(demand, had)
	switch {
	case ok && current.isFor(&target):
		return current, nil // Its token may have come since the rejected one was spent.
	case demand.Claims == "" && len(missingScopes(strings.Join(demand.Scopes, " "), had)) == 0:
		return nil, nil // The server says that the token has them.
	case !ok && current != s.base: // What was learnt has become too much: it begins anew.
		target, ok = s.base.goal().widened(demand, s.base.scopesOf(s.base.holder.Held()))
	}
	if !ok {
		return nil, nil
	}
	first := s.tried == nil || !s.tried.isFor(&target)
	if first {
		if !s.spacing.spend(time.Now()) {
			return nil, nil
		}
		superseded, s.tried = s.tried, s.base.registered().client(target.clone())
	}
	forgotten := func(scope string) bool { return !slices.Contains(target.Scopes, scope) }
	required := slices.DeleteFunc(slices.Concat(demand.Scopes, had), forgotten)
	return &attempt{s, s.tried, required, first}, superseded
}

// widen has the token of c, which has been granted, spent from now on, unless something else has been tried since.
func (s *stepUp) widen(c *Client) {
	s.mu.Lock()
	if s.tried != c {
		s.mu.Unlock()
		return
	}
	superseded := s.wider.Swap(c)
	s.tried = nil
	s.mu.Unlock()
	if superseded != nil {
		superseded.holder.Evict()
	}
	c.registered().observer.steppedUp(c.target.Label, c.target.Scopes)
}

// narrow has the token of the Client spent again in place of that of c, which the server no longer grants.
func (s *stepUp) narrow(c *Client) {
	s.mu.Lock()
	narrowed := s.wider.CompareAndSwap(c, nil)
	s.mu.Unlock()
	if narrowed {
		c.holder.Evict()
	}
}

// Format prints what the Client prints.
func (s *stepUp) Format(f fmt.State, verb rune) { s.base.Format(f, verb) }

// An attempt is the source of a wider token that has not been spent yet.
type attempt struct {
	stepUp   *stepUp
	client   *Client  // whose token it is
	required []string // scopes without which that is no better than the one that was rejected
	first    bool     // no other attempt was made at this target before
}

// Token returns the wider token, which is spent from now on.
func (a *attempt) Token(ctx context.Context) (*oauth2.Token, error) {
	tok, err := a.client.Token(ctx)
	if err != nil {
		if a.first && ctx.Err() == nil {
			a.client.registered().observer.notSteppedUp(a.client.target.Label, err)
		}
		return nil, err
	}
	if len(missingScopes(strings.Join(a.required, " "), a.client.scopesOf(tok))) > 0 {
		return nil, errNotGranted
	}
	a.stepUp.widen(a.client)
	return tok, nil
}

var errNotGranted = errors.New("the server granted less than the resource asks for")

// scopesOf returns the scopes that tok has, a token of c or one before: those that the server said it granted, or else
// those that c asks for (RFC 6749, section 5.1). tok may be nil.
func (c *Client) scopesOf(tok *oauth2.Token) []string {
	if tok != nil {
		if granted, ok := tok.Extra("scope").(string); ok {
			return strings.Fields(granted)
		}
	}
	return c.target.Scopes
}

// A spacing spaces what resources can force, as package cache spaces the refreshes that a rejected token forces: the
// first is at once, the next not before 1 s, doubling to 60 s; after 60 s without a try that starts anew.
type spacing struct {
	last, next time.Time
	step       time.Duration
}

// spend reports whether one may be made now, and counts it.
func (p *spacing) spend(now time.Time) bool {
	if now.Sub(p.last) >= time.Minute {
		p.step, p.next = 0, now
	}
	p.last = now
	if now.Before(p.next) {
		return false
	}
	p.step = min(max(2*p.step, time.Second), time.Minute)
	p.next = now.Add(p.step)
	return true
}

// The bounds on a target that resources have a say in.
const (
	maxWiderScopes = 128
	maxWiderText   = 8 << 10 // bytes of all scopes
)

// widened returns t with what is demanded beside what it asks for itself. If that is no scopes, a token of it had some
// all the same. It reports false if that is too much, or claims do not go together.
func (t Target) widened(demand stepup.Demand, had []string) (_ Target, ok bool) {
	if len(demand.Scopes) > 0 {
		if len(t.Scopes) > 0 {
			had = t.Scopes
		}
		t.Scopes = slices.Concat(had, demand.Scopes)
		slices.Sort(t.Scopes)
		t.Scopes = slices.Compact(t.Scopes)
		if len(t.Scopes) > maxWiderScopes || len(strings.Join(t.Scopes, " ")) > maxWiderText {
			return t, false
		}
	}
	if demand.Claims == "" {
		return t, true
	}
	claims, ok := stepup.Merge(strings.Join(t.EndpointParams["claims"], ","), demand.Claims) // two are no object
	t.EndpointParams = mergeParams(url.Values{"claims": {claims}}, t.EndpointParams)
	return t, ok
}

// with returns c, which is new, with what it has of an extra.
func (c *Client) with(has extra) *Client {
	if c.registered().stepUp {
		has.stepUp = &stepUp{base: c}
	}
	if has.stepUp != nil || len(has.params) > 0 {
		c.extra = func() extra { return has }
	}
	return c
}
