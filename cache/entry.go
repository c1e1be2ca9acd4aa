package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// An Entry is one token, kept fresh. Its methods may be called concurrently. Cache.Entry makes it; a zero Entry returns
// an error.
//
// A token is fresh, and handed out; then stale, and handed out while one background fetch replaces it; then gone, and
// callers share one fetch, each waiting on its own context. In the last stretch before the expiry (see
// Options.ExpiryMargin) callers wait for the fetch as well, but get the living token if that fails.
type Entry struct {
	// What a cached token needs comes first, so that it lies together.
	current atomic.Pointer[snapshot] // nil: none
	cache   *Cache
	stretch atomic.Uint32 // of the last use that was noted, see touch
	place   int32         // in Cache.recency; Cache.mu guards it
	used    atomic.Uint64 // Cache.uses at the last use that was noted

	key     string
	fetch   Fetch
	stamp   uint64 // used, as the heap knows it; Cache.mu guards it
	evicted bool   // not among Cache.entries; mu guards it

	mu         sync.Mutex  // guards what follows and the storing of current; never held while calling out
	failed     *cooldown   // since the last success; nil: none
	rejections *rejections // nil: none yet
	keeper     *keeper     // nil unless KeepFresh
}

// Token returns a token that is alive, from memory if it can. Otherwise it waits for a fetch, which it shares with all
// who wait, or until ctx ends; the fetch goes on for the others.
//
// While a failed fetch cools down and there is no living token, its error is returned at once; once a second a caller
// sees whether another process has put a token into the Store. The error is that of the Fetch, ctx's, [ErrExpired] or
// [ErrClosed].
func (e *Entry) Token(ctx context.Context) (*oauth2.Token, error) {
	if e.cache == nil {
		return nil, errZeroEntry
	}
	now := e.cache.now()
	if s := e.current.Load(); s != nil {
		left := now.until(s.expiry)
		if left > s.ahead {
			e.touch(now)
			if e.cache.opt.KeepFresh && !s.wanted.Load() {
				s.wanted.Store(true)
			}
			return s.token, nil
		}
		if left > s.margin && now.mono < s.refreshDue.Load() {
			return s.token, nil
		}
	}
	return e.tokenSlow(ctx, now)
}

// tokenSlow is Token for whatever is not decided by one look at a fresh token: act on a remembered rejection, take a
// view, decide, claim what the action claims, act.
func (e *Entry) tokenSlow(ctx context.Context, now instant) (*oauth2.Token, error) {
	ctx = orBackground(ctx)
	e = e.registered()
	e.mu.Lock()
	e.heedRejection(now)
	v := e.view(now)
	s, f := e.current.Load(), e.failed
	act := decide(v)
	e.claim(act, v, now)
	e.mu.Unlock()

	if e.cache.life.Err() != nil {
		return nil, ErrClosed
	}
	switch act {
	case serve:
		e.touch(now)
		return s.token, nil
	case serveRefresh:
		e.startFlight(ctx, v.cooling) // It lands by itself; Close joins it.
		return s.token, nil
	case refuse:
		return nil, f.err
	}
	if ctx.Err() != nil {
		return nil, gaveUp(ctx)
	}
	patience := time.Duration(0)
	if act == waitBriefly {
		patience = max(1, now.until(s.expiry)/200)
	}
	return e.wait(ctx, e.startFlight(ctx, v.cooling), patience)
}

// view returns what a decision depends on. e.mu is held.
func (e *Entry) view(now instant) view {
	s, f, store := e.current.Load(), e.failed, e.cache.second != nil
	v := view{
		phase:   s.phase(now),
		cooling: f.cooling(now),
		slow:    f != nil || store,
	}
	v.due = v.phase == stale && now.mono >= s.refreshDue.Load()
	v.probeDue = f.probeDue(now, store && v.phase <= expiring)
	return v
}

// claim books what act is about to do, so that nobody else does it too. e.mu is held.
func (e *Entry) claim(act action, v view, now instant) {
	if act == serve && v.due { // The failure is still cooling down.
		e.scheduleRefresh(0)
	}
	if act == serveRefresh && v.phase == stale {
		e.current.Load().refreshDue.Store(never)
	}
	if v.cooling && (act == serveRefresh || act == wait) {
		e.failed.probedAt = now
	}
	if e.keeper != nil {
		e.keeper.lastUse = now
	}
}

// wait waits for a flight, until ctx ends, or, unless patience is zero, until that has passed. Whatever comes in its
// way, a living token is given out.
func (e *Entry) wait(ctx context.Context, flight <-chan singleflight.Result, patience time.Duration) (*oauth2.Token, error) {
	var enough <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		enough = t.C
	}
	var err error
	select {
	case r := <-flight:
		if r.Err == nil {
			e.touch(e.cache.now())
			return r.Val.(*oauth2.Token), nil
		}
		err = r.Err
	case <-ctx.Done():
		err = gaveUp(ctx)
	case <-enough:
	case <-e.cache.life.Done():
	}
	if e.cache.life.Err() != nil {
		return nil, ErrClosed
	}
	now := e.cache.now()
	if s := e.current.Load(); s.phase(now) != gone {
		return s.token, nil
	}
	if err == nil { // Out of patience, and the token died meanwhile.
		return e.tokenSlow(ctx, now)
	}
	return nil, err
}

// Refresh gets a new token whatever is held, and publishes it. It joins no flight, heeds no cool-down, and runs on ctx
// alone: FetchTimeout does not bound it, and its failure cools nothing down.
func (e *Entry) Refresh(ctx context.Context) (*oauth2.Token, error) {
	if e.cache == nil {
		return nil, errZeroEntry
	}
	e = e.registered()
	if !e.cache.begin() {
		return nil, ErrClosed
	}
	defer e.cache.end()
	ctx, cancel := context.WithCancel(orBackground(ctx))
	defer cancel()
	defer context.AfterFunc(e.cache.life, cancel)()
	s, err := e.fetchNew(ctx)
	switch {
	case e.cache.life.Err() != nil:
		return nil, ErrClosed
	case err != nil:
		return nil, err
	}
	if l := e.cache.second; l != nil {
		l.put(ctx, e, s)
	}
	return e.publish(s, e.current.Load())
}

// registered returns the entry that serves e's key: e, unless it was evicted and another was made since.
func (e *Entry) registered() *Entry {
	e.mu.Lock()
	evicted := e.evicted
	e.mu.Unlock()
	if evicted {
		return e.cache.readmit(e)
	}
	return e
}

// forget drops the token of an entry that is no longer among the cache's.
func (e *Entry) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.evicted = true
	e.current.Store(nil)
	e.keeper.stop()
	e.keeper = nil
}

// Format prints e's key; never a token.
func (e *Entry) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "cache.Entry{%q}", e.key) }

// orBackground takes no context for the background: a fresh token needs none, so that a caller without one would only
// fail when the token has run out.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

var errZeroEntry = errors.New("cache: a zero Cache or Entry: a Cache is made by cache.New, an Entry by Cache.Entry")

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("ccclient: gave up waiting for a token: %w", ctx.Err())
}
