package cache

import (
	"errors"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// ErrExpired is the error for a token that had already expired when it came. A clock may be wrong.
var ErrExpired = errors.New("the token had already expired when it came: compare the clocks of this host and of the server")

var errNoToken = errors.New("the fetch returned neither a token nor an error")

// maxLifetime is what a longer lifetime is taken for.
const maxLifetime = 10 * 365 * 24 * time.Hour

// minRefreshIn is the least time before a refresh while the token lives: a server or a RefreshAt that asks for less
// would make a stream of requests.
const minRefreshIn = time.Second

// A snapshot is a token and the turning points of its life. Only its atomic fields change once it is published.
type snapshot struct {
	token  *oauth2.Token
	expiry instant       // not handed out from here on
	margin time.Duration // before the expiry: not handed out without a try to replace it
	ahead  time.Duration // before the expiry, the margin or more: stale
	life   time.Duration

	// rejected says that the token was rejected inside the spacing of forced refreshes; it turns stale when the next
	// one may be.
	rejected bool

	wanted     atomic.Bool  // somebody asked since the keeper last looked; kept only for KeepFresh
	refreshDue atomic.Int64 // stale: the first caller after this (instant.mono) starts a refresh
}

func (s *snapshot) phase(now instant) phase {
	if s == nil {
		return gone
	}
	switch left := now.until(s.expiry); {
	case left <= 0:
		return gone
	case left <= s.margin:
		return expiring
	case left <= s.ahead:
		return stale
	}
	return fresh
}

// turnsStale returns when s does.
func (s *snapshot) turnsStale() instant { return s.expiry.add(-s.ahead) }

// sent is when s was asked for (instant.mono).
func (s *snapshot) sent() int64 { return s.expiry.mono - int64(s.life) }

// pace is how long to leave a token alone after a refresh that has just ended, whatever came of it.
func (s *snapshot) pace(now instant) time.Duration {
	return min(max((now.until(s.expiry)-s.margin)/8, firstPoll), minRefreshIn)
}

// newSnapshot judges a token that was asked for at sent and is here now. Its life counts from the sending, on both
// clocks: the host may have slept in between.
func (c *Cache) newSnapshot(tok *oauth2.Token, sent, now time.Time) (*snapshot, error) {
	if tok == nil || tok.AccessToken == "" {
		return nil, errNoToken
	}
	from, here := c.at(sent), c.at(now)
	expiry := c.expiryOf(tok, sent)
	left := here.until(expiry)
	if left <= 0 {
		return nil, ErrExpired
	}
	if left > maxLifetime {
		left = maxLifetime
		expiry = here.add(left)
	}
	s := &snapshot{token: tok, expiry: expiry, life: max(left, from.until(expiry))}
	if until := now.Add(left); !until.Equal(tok.Expiry) {
		s.token = withExpiry(tok, until)
	}
	// A fetch with several attempts began before the one that was answered: what the server said of the life tells.
	if said := tok.ExpiresIn; said > 0 && said < int64(s.life/time.Second) {
		s.life = max(left, time.Duration(said)*time.Second)
	}
	s.margin = min(c.opt.ExpiryMargin, s.life/10)
	s.ahead = max(s.life-max(c.refreshIn(s), minRefreshIn), s.margin)
	return s, nil
}

// expiryOf returns when a token that was asked for at sent ends, by what it says of itself.
func (c *Cache) expiryOf(tok *oauth2.Token, sent time.Time) instant {
	from := c.at(sent)
	switch {
	case !tok.Expiry.IsZero():
		return instant{from.mono + int64(tok.Expiry.Sub(sent)), tok.Expiry.UnixNano()}
	case tok.ExpiresIn != 0:
		return from.add(seconds.Duration(float64(tok.ExpiresIn)))
	}
	return from.add(c.opt.DefaultLifetime)
}

// refreshIn returns after which part of its life s turns stale, by the server's word if that is one: one of the margin
// or beyond would have everybody wait there.
func (c *Cache) refreshIn(s *snapshot) time.Duration {
	in, said := seconds.Parse(s.token.Extra("refresh_in"))
	if !said || in <= 0 || in >= s.life-s.margin || c.opt.RefreshAt == 1 {
		return c.refreshAfter(s.life, rand.Float64())
	}
	return in
}

// refreshAfter is when in its life a token turns stale, for a draw in [0, 1).
func (c *Cache) refreshAfter(life time.Duration, draw float64) time.Duration {
	if c.opt.RefreshAt == 1 {
		return life
	}
	return time.Duration(float64(life) * max(0, c.opt.RefreshAt-0.05*draw))
}

// withExpiry returns a copy: the fetch may have handed the token to others.
func withExpiry(tok *oauth2.Token, t time.Time) *oauth2.Token {
	cp := *tok
	cp.Expiry = t
	return &cp
}

// rejectedUntil returns the snapshot of a token that was rejected too soon after the last forced refresh: it is handed
// out on, and looked at again at next.
func (s *snapshot) rejectedUntil(next instant) *snapshot {
	r := &snapshot{
		token:    s.token,
		expiry:   s.expiry,
		margin:   s.margin,
		ahead:    max(s.ahead, next.until(s.expiry)),
		life:     s.life,
		rejected: true,
	}
	r.wanted.Store(s.wanted.Load())
	r.refreshDue.Store(min(s.refreshDue.Load(), next.mono))
	return r
}

// never is a refresh that no clock makes due: it is running.
const never = math.MaxInt64
