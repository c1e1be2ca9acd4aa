package cache

import (
	"context"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// A flight gets a token for all who wait for one key. It is known by its key, not by the Entry that started it: that
// may be evicted meanwhile, and what the flight brings goes to the one that has taken its place.
//
// Whoever claims a refresh starts the flight, or joins it, under Entry.mu, under which it lands too. So a claim is
// always that of a flight that is still to land, and landing is the one place where it ends.
type flight struct {
	entry   *Entry    // whose Fetch is called
	held    *snapshot // its token when the flight started
	probe   *backoff  // the failure whose probe was claimed by whoever started the flight; nil: none
	answers uint64    // of gate.answers, when the flight started

	news chan struct{} // closed, and replaced, when there is something to look at; flights.mu guards it

	// Set before the flight lands.
	token  *snapshot
	source Source // of a token that it brought; empty: of none
	err    error

	// What it holds on its way, touched by its own goroutine only.
	asked  time.Time     // when the server was last asked; zero: not yet
	heeded *backoff      // the failure of all keys, cooled down or to be probed, that it has seen; nil: none
	inside bool          // it has entered the gate, and not left
	lease  lease         // the right to fetch for the fleet
	marked time.Time     // until then another process fetches without a lease
	store  time.Duration // what is left of storeTimeout for the Store's part
}

// flights are those under way. Its mutex is the innermost: it is taken with Entry.mu held.
type flights struct {
	mu    sync.Mutex // guards what follows, and flight.news
	byKey map[string]*flight
}

// join returns e's flight and what to wait for, and starts it if there is none. The leader's values reach the fetch,
// its cancellation does not. e.mu is held.
func (e *Entry) join(
	ctx context.Context, probe *backoff, now instant,
) (fl *flight, news <-chan struct{}, started bool) {
	all := &e.cache.flights
	all.mu.Lock()
	defer all.mu.Unlock()
	if fl := all.byKey[e.key]; fl != nil {
		return fl, fl.news, false
	}
	fl = &flight{entry: e, held: e.current.Load(), probe: probe, answers: e.cache.gate.answers.Load(),
		news: make(chan struct{}), store: storeTimeout}
	ctx = context.WithValue(context.WithoutCancel(ctx), reasonKey{}, e.reason(now))
	if all.byKey == nil {
		all.byKey = make(map[string]*flight)
	}
	all.byKey[e.key] = fl
	go fl.run(ctx) // Close joins it.
	return fl, fl.news, true
}

// wake lets those who wait for key's flight look at what was published beside it. Entry.mu is held.
func (all *flights) wake(key string) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if fl := all.byKey[key]; fl != nil {
		close(fl.news)
		fl.news = make(chan struct{})
	}
}

// land ends fl: who comes now starts another. Entry.mu is held.
func (all *flights) land(fl *flight) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byKey, fl.entry.key)
	close(fl.news)
}

// landed reports whether fl has landed, so that its result can be read.
func (all *flights) landed(fl *flight) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byKey[fl.entry.key] != fl
}

// An outcome is how a flight ended.
type outcome struct {
	token      *snapshot // what those who wait may have
	new        bool      // it is to be published
	fetched    bool      // and shared
	err        error
	adopted    *backoff // a failure of another process, of which err is the error
	deferUntil int64    // until then (instant.mono) another process refreshes
}

// source returns where the token came from.
func (o *outcome) source() Source {
	switch {
	case o.fetched:
		return SourceServer
	case o.new:
		return SourceStore
	}
	return SourceFlight // It was there when the flight looked again.
}

// run is the flight: find out, publish, and only then share, for which nobody waits.
func (fl *flight) run(ctx context.Context) {
	c := fl.entry.cache
	if !c.begin() {
		fl.land(ctx, &outcome{err: ErrClosed})
		return
	}
	defer c.end()
	limited, cancel := context.WithTimeout(ctx, c.opt.FetchTimeout)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()

	o := fl.find(limited)
	failed := fl.land(ctx, &o)
	if l := fl.entry.secondLevel(); l != nil {
		l.share(limited, fl, o, failed)
	}
}

// find gets a token as the table in decide.go says: from the second level if there is one, or from the server.
func (fl *flight) find(ctx context.Context) outcome {
	e := fl.entry
	c, second := e.cache, e.secondLevel()
	for {
		e.mu.Lock()
		now := c.now()
		held := e.current.Load()
		fl.heeded = c.gate.failed.Load() // before the view, so that what comes between is seen by enter
		v, f := e.view(now)
		e.mu.Unlock()
		v.due = true // claimed by whoever started this flight, as is the probe
		v.probeDue = v.cooling && f == fl.probe
		switch decide(v) {
		case serve:
			return outcome{token: held}
		case refuse:
			return outcome{err: f.err}
		}
		if second != nil {
			if o, ok := second.lookUp(ctx, fl); ok {
				return o
			}
		}
		if v.cooling && !f.outdated(ctx, c) {
			return outcome{err: f.err}
		}
		var o outcome
		if second == nil {
			o = fl.fetchNew(ctx)
		} else {
			o = second.find(ctx, fl)
		}
		if o.err != errLookAgain {
			return o
		}
	}
}

// fetchNew asks the server for a token, when the gate lets it.
func (fl *flight) fetchNew(ctx context.Context) outcome {
	c := fl.entry.cache
	g, patience := &c.gate, c.opt.FetchTimeout
	if fl.heeded == nil {
		patience /= 3 // It may be the one key that hangs; there is time left to ask for this one.
	}
	if err := g.enter(ctx, fl, patience); err != nil {
		if f := g.failed.Load(); f != nil && err != errLookAgain {
			err = f.err
		}
		return outcome{err: err}
	}
	fl.inside = true
	fl.asked = time.Now()
	s, err := fl.entry.fetchNew(ctx, fl.asked, fetchGrace)
	return outcome{token: s, new: err == nil, fetched: err == nil, err: err}
}

// fetchNew gets a token from the server.
func (e *Entry) fetchNew(ctx context.Context, sent time.Time, grace time.Duration) (*snapshot, error) {
	if e.cache.closing.Err() != nil {
		return nil, ErrClosed // ctx may not have heard of it yet.
	}
	e.mu.Lock()
	e.rejections.spend(e.cache.at(sent))
	e.mu.Unlock()
	e.fetches.Add(1)
	tok, err := callAside(ctx, e.cache, grace, e.fetch)
	if err == nil {
		var s *snapshot
		if s, err = e.cache.newSnapshot(e.keepKnownExpiry(tok, sent), sent, time.Now()); err == nil {
			return s, nil
		}
	}
	e.counted().failures.Add(1)
	return nil, err
}

// keepKnownExpiry returns tok with the expiry that is known of it, if it is the current token once more and nobody says
// how long it lives now. Some servers give one token until it has expired, with what is left of its life in whole
// seconds, and so 0 in the last of them.
func (e *Entry) keepKnownExpiry(tok *oauth2.Token, sent time.Time) *oauth2.Token {
	s := e.current.Load()
	if s == nil || s.token.ExpiresIn <= 0 || tok == nil || tok.AccessToken != s.token.AccessToken ||
		!tok.Expiry.IsZero() || tok.ExpiresIn != 0 {
		return tok
	}
	expiry := sent.Add(time.Second)
	if s.token.Expiry.After(expiry) {
		expiry = s.token.Expiry
	}
	tok = withExpiry(tok, expiry)
	tok.ExpiresIn = s.token.ExpiresIn
	return tok
}
