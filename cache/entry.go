package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// An Entry is one token, kept fresh. Its methods may be called concurrently.
//
// A token is fresh, and handed out; then stale, and handed out while one
// background fetch replaces it; then gone, and callers share one fetch, each
// waiting on its own context. In the last stretch before the expiry (see
// Options.ExpiryMargin) callers wait for the fetch as well, but get the living
// token if that fails.
type Entry struct {
	cache *Cache
	key   string
	fetch Fetch

	current atomic.Pointer[snapshot] // nil: none
	used    atomic.Uint64            // Cache.clock at the last use that was noted

	stamp   uint64 // used, as the heap knows it; Cache.mu guards it
	place   int32  // in Cache.recency; Cache.mu guards it
	evicted bool   // not among Cache.entries; mu guards it

	mu         sync.Mutex  // guards what follows and the storing of current; never held while calling out
	failed     *failure    // since the last success; nil: none
	rejections *rejections // nil: none yet
	keeper     *keeper     // nil unless KeepFresh
}

// Token gives a token that is alive, from memory if it can. Otherwise it waits
// for a fetch, which it shares with all who wait, or until ctx ends; the fetch
// goes on for the others.
//
// While a failed fetch cools down its error is given at once, if there is no
// living token; once a second a caller looks whether another process has put
// one into the Store. The error is that of the Fetch, ctx's, ErrExpired or ErrClosed.
func (e *Entry) Token(ctx context.Context) (*oauth2.Token, error) {
	now := e.cache.at(time.Now())
	if s := e.current.Load(); s != nil {
		left := now.until(s.expiry)
		if left > s.ahead {
			e.touch()
			if e.cache.opt.KeepFresh && !s.asked.Load() {
				s.asked.Store(true)
			}
			return s.token, nil
		}
		if left > s.margin && now.mono < s.look.Load() {
			return s.token, nil
		}
	}
	return e.slow(ctx, now)
}

// slow is Token for a token that is not fresh, or is due to be looked at.
func (e *Entry) slow(ctx context.Context, now instant) (*oauth2.Token, error) {
	ctx = some(ctx)
	e = e.registered()
	e.mu.Lock()
	e.heedRejection(now)
	s, f := e.current.Load(), e.failed
	phase := s.phase(now)
	probe := f.cooling(now) && f.probe(now, e.cache.shared != nil && phase <= margin)
	quiet := f.cooling(now) && !probe // the server gets no request now
	looked := phase != stale || now.mono >= s.look.Load()
	if phase == stale && looked {
		s.look.Store(never)
		if quiet {
			s.look.Store(e.nextLook(s, 0))
		}
	}
	if e.keeper != nil {
		e.keeper.asked = now
	}
	e.mu.Unlock()

	switch {
	case e.cache.life.Err() != nil:
		return nil, ErrClosed
	case quiet && phase == gone:
		return nil, f.err
	case quiet, phase == fresh, !looked:
		e.touch()
		return s.token, nil
	case phase == stale, phase == margin && probe:
		e.fly(ctx, probe) // The flight lands by itself; Close joins it.
		return s.token, nil
	case ctx.Err() != nil:
		return nil, gaveUp(ctx)
	}
	flight := e.fly(ctx, probe)
	if phase == margin && (f != nil || e.cache.shared != nil) {
		// The last fetch failed and this one may as well, or the Store is
		// slow, or another process fetches: do not hold up for long those
		// who can be served.
		return e.wait(ctx, flight, max(1, now.until(s.expiry)/200))
	}
	return e.wait(ctx, flight, 0)
}

// wait waits for a flight, until ctx ends, or, unless patience is zero, until
// that has passed. Whatever comes in its way, a living token is given out.
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
			e.touch()
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
	now := e.cache.at(time.Now())
	if s := e.current.Load(); s.phase(now) != gone {
		return s.token, nil
	}
	if err == nil { // Out of patience, and the token died meanwhile.
		return e.slow(ctx, now)
	}
	return nil, err
}

// Refresh gets a new token whatever is held, and publishes it. It joins no
// flight, heeds no cool-down, and runs on ctx alone: FetchTimeout does not
// bound it, and its failure cools nothing down.
func (e *Entry) Refresh(ctx context.Context) (*oauth2.Token, error) {
	e = e.registered()
	if !e.cache.begin() {
		return nil, ErrClosed
	}
	defer e.cache.end()
	ctx, cancel := context.WithCancel(some(ctx))
	defer cancel()
	defer context.AfterFunc(e.cache.life, cancel)()
	s, err := e.ask(ctx)
	switch {
	case e.cache.life.Err() != nil:
		return nil, ErrClosed
	case err != nil:
		return nil, err
	}
	if h := e.cache.shared; h != nil {
		h.put(ctx, e, s)
	}
	return e.publish(s, e.current.Load())
}

// registered gives the entry that serves e's key: e, unless it was evicted and
// another was made since.
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

// some takes no context for the background: a fresh token needs none, so that
// a caller without one would only fail when the token has run out.
func some(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}

func gaveUp(ctx context.Context) error {
	return fmt.Errorf("cache: gave up waiting for a token: %w", ctx.Err())
}
