package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
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
	stretch atomic.Uint32          // of the last use that was noted, see touch
	place   int32                  // in Cache.recency; Cache.mu guards it
	used    atomic.Uint64          // Cache.uses at the last use that was noted
	counts  atomic.Pointer[counts] // nil: they are all zero, and there is no label

	key     string
	fetch   Fetch
	stamp   uint64 // used, as the heap knows it; Cache.mu guards it
	evicted bool   // not among Cache.entries; mu guards it
	local   bool   // it goes into no Store; fixed
	fetches atomic.Uint32

	mu         sync.Mutex  // guards what follows and the storing of current; never held while calling out
	failed     *backoff    // of this key since the last success; nil: none
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
		if left > s.ahead || left > s.margin && now.mono < s.refreshDue.Load() {
			e.touch(now)
			if e.cache.noting {
				e.note(s)
			}
			return s.token, nil
		}
	}
	return e.tokenSlow(orBackground(ctx))
}

// tokenSlow is Token for whatever is not decided by one look at the token.
func (e *Entry) tokenSlow(ctx context.Context) (*oauth2.Token, error) {
	v := visit{began: time.Now()}
	tok, err := e.tokenFor(ctx, &v)
	e.noteVisit(ctx, &v, err)
	if err == nil && v.waited && time.Until(tok.Expiry) <= 0 { // while a hook was told of it
		return e.tokenFor(ctx, &visit{began: v.began})
	}
	return tok, err
}

// tokenFor is tokenSlow for one visit: act on a remembered rejection, take a view, decide, claim what the action
// claims, act.
func (e *Entry) tokenFor(ctx context.Context, visit *visit) (*oauth2.Token, error) {
	for brought := 0; ; { // how many flights brought a token that was dead when it was to be handed out
		if e.cache.closing.Err() != nil {
			return nil, ErrClosed
		}
		e = e.readmitted()
		e.mu.Lock()
		now := e.cache.now()
		e.heedRejection(now)
		s := e.current.Load()
		v, f := e.view(now)
		act := decide(v)
		if v.cooling && (act == wait || act == serveRefresh) && !f.claimProbe(now) {
			v.probeDue = false // Another caller has just claimed it.
			act = decide(v)
		}
		if ctx.Err() != nil && (act == wait || act == waitBriefly) {
			e.mu.Unlock()
			return e.instead(e.gaveUp(ctx, visit.began))
		}
		fl, news, started := e.claim(ctx, act, v, f, now)
		e.mu.Unlock()

		e.touch(now)
		patience := time.Duration(0)
		switch act {
		case serve, serveRefresh: // A flight lands by itself; Close joins it.
			return s.token, nil
		case refuse:
			return nil, f.err
		case waitBriefly:
			patience = max(1, now.until(s.expiry)/200)
		}
		visit.waited = true
		tok, err := e.wait(ctx, visit.began, fl, news, patience)
		if err != errLookAgain {
			visit.source = fl.sourceOf(tok, started)
			return tok, err
		}
		// A token that was rejected or replaced meanwhile says nothing of the next one; one that died on its way does.
		if e.cache.flights.landed(fl) && fl.err == nil && fl.token.phase(e.cache.now()) == gone {
			if brought++; brought == 2 {
				return nil, ErrExpired
			}
		}
	}
}

// claim books what act is about to do, so that nobody else does it too. e.mu is held.
func (e *Entry) claim(
	ctx context.Context, act action, v view, f *backoff, now instant,
) (fl *flight, news <-chan struct{}, started bool) {
	if e.keeper != nil {
		e.keeper.lastUse = now
	}
	switch act {
	case serve:
		if v.due { // The failure is still cooling down.
			e.scheduleRefresh(now, 0)
		}
	case serveRefresh, wait, waitBriefly:
		if v.phase == stale {
			e.current.Load().refreshDue.Store(never) // until the flight lands
		}
		return e.join(ctx, f, now)
	}
	return nil, nil, false
}

// errLookAgain has a caller, or a flight, begin anew with a view of how things are now.
var errLookAgain = errors.New("cache: look again")

// wait waits for news of a flight, until ctx ends, or, unless patience is zero, until that has passed. What the flight
// brings is judged by when it is taken. Whatever comes in its way, a living token is handed out.
func (e *Entry) wait(
	ctx context.Context, began time.Time, fl *flight, news <-chan struct{}, patience time.Duration,
) (*oauth2.Token, error) {
	var enough <-chan time.Time
	if patience > 0 {
		t := time.NewTimer(patience)
		defer t.Stop()
		enough = t.C
	}
	select {
	case <-news:
	case <-enough:
		return e.instead(errLookAgain)
	case <-ctx.Done():
		return e.instead(e.gaveUp(ctx, began))
	case <-e.cache.closing.Done():
		return nil, ErrClosed
	}
	if !e.cache.flights.landed(fl) {
		return e.instead(errLookAgain)
	}
	if fl.err != nil {
		return e.instead(fl.err)
	}
	e = e.readmitted()
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.cache.now()
	if e.current.Load() == nil && !e.rejections.knows(fl.token.token.AccessToken) && fl.token.phase(now) != gone {
		// It was evicted, and nobody has asked since.
		e.publish(fl.token, nil, now, new(notice))
		e.scheduleRefresh(now, 0)
		e.keep(now)
	}
	if s := e.current.Load(); s.phase(now) != gone {
		return s.token, nil
	}
	return nil, errLookAgain
}

// instead returns a living token rather than err.
func (e *Entry) instead(err error) (*oauth2.Token, error) {
	if e.cache.closing.Err() != nil {
		return nil, ErrClosed
	}
	if s := e.current.Load(); s.phase(e.cache.now()) != gone {
		return s.token, nil
	}
	return nil, err
}

// readmitted returns the entry that serves e's key: e, unless it was evicted and another was made since.
func (e *Entry) readmitted() *Entry {
	e.mu.Lock()
	evicted := e.evicted
	e.mu.Unlock()
	if evicted {
		return e.cache.readmit(e)
	}
	return e
}

// lockServing returns the entry that serves e's key, with its mutex held: e, unless it was evicted and another was made
// since. Unlike readmitted it readmits nothing, so what it returns may have been evicted.
func (e *Entry) lockServing() *Entry {
	for {
		e.mu.Lock()
		if !e.evicted {
			return e
		}
		e.mu.Unlock()
		other := e.cache.lookUp(e.key)
		if other == nil || other == e {
			e.mu.Lock()
			return e
		}
		e = other
	}
}

// secondLevel returns where e's token is shared, nil if nowhere.
func (e *Entry) secondLevel() *secondLevel {
	if e.local {
		return nil
	}
	return e.cache.second
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
