package cache

import (
	"context"
	"errors"
	"math/rand/v2"
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
	probe   *cooldown // the failure whose probe was claimed by whoever started the flight; nil: none
	answers uint64    // of gate.answers, when the flight started

	news chan struct{} // closed, and replaced, when there is something to look at; flights.mu guards it

	// Set before the flight lands.
	token  *snapshot
	source Source // of a token that it brought; empty: of none
	err    error

	// What it holds on its way, touched by its own goroutine only.
	asked  time.Time     // when the server was last asked; zero: not yet
	heeded *cooldown     // the failure of all keys, cooled down or to be probed, that it has seen; nil: none
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
	ctx context.Context, probe *cooldown, now instant,
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
	adopted    *cooldown // a failure of another process, of which err is the error
	deferUntil int64     // until then (instant.mono) another process refreshes
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
	defer context.AfterFunc(c.life, cancel)()

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
	s, err := fl.entry.fetchNew(ctx, fl.asked, grace)
	return outcome{token: s, new: err == nil, fetched: err == nil, err: err}
}

// fetchNew gets a token from the server.
func (e *Entry) fetchNew(ctx context.Context, sent time.Time, grace time.Duration) (*snapshot, error) {
	if e.cache.life.Err() != nil {
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

// land publishes what the flight found or notes its failure, which it returns if it is one for the fleet, says when the
// next refresh is due, and sends everybody to look.
func (fl *flight) land(ctx context.Context, o *outcome) *cooldown {
	c := fl.entry.cache
	var why failure
	if o.err != nil {
		why = newFailure(o.err)
	}
	e := fl.entry.lockServing()
	now := c.now()
	var failed *cooldown
	var n notice
	switch {
	case c.life.Err() != nil:
		o.err = ErrClosed // A token is shared all the same.
	case o.new:
		if !fl.asked.IsZero() {
			c.gate.answer(now)
		}
		var current *snapshot
		current = e.publish(o.token, fl.held, now, &n)
		o.fetched = o.fetched && current == o.token
		o.token = current
	case o.adopted != nil:
		e.adopt(o.adopted)
		n.began = o.adopted
	case !fl.asked.IsZero():
		failed = e.fail(why, c.at(fl.asked), now, fl.heeded != nil)
		n.began = failed
	}
	removed := e.evicted
	if n.ended[1] = c.gate.over.Swap(nil); n != (notice{}) {
		// Before those who wait see it. Who comes now is served, or refused, without a flight.
		e.mu.Unlock()
		e.tell(ctx, n)
		e = fl.entry.lockServing()
		now = c.now()
	}
	e.scheduleRefresh(now, o.deferUntil)
	e.keep(now)
	fl.token, fl.source, fl.err = o.token, o.source(), o.err
	c.flights.land(fl)
	e.mu.Unlock()

	if fl.inside {
		c.gate.leave()
	}
	if removed || why.said.Local || errors.As(o.err, new(*panicError)) {
		return nil // It is nobody else's business.
	}
	return failed
}

// publish hands a new token to everybody, in place of the one that was held when it was asked for, and returns the one
// that is current then. One that the resource has already rejected is handed out too, there being no other, and again
// is true. e.mu is held.
func (e *Entry) publish(s, held *snapshot, now instant, n *notice) (current *snapshot) {
	if latest := e.current.Load(); latest != held && latest.phase(now) == fresh && !latest.rejected {
		return latest // Refresh got it meanwhile, and asked later.
	}
	n.ended[0], e.failed = e.failed, nil
	if e.rejections != nil {
		e.rejections.forced = false
	}
	if !e.evicted {
		e.current.Store(s)
	}
	n.again = e.rejections.knows(s.token.AccessToken)
	return s
}

// fail notes that a fetch failed: for all keys, if the error says so, or for this one. When the one that probes for all
// fails in a way that says nothing (it hung, it panicked), that is no better than what was. e.mu is held.
func (e *Entry) fail(why failure, sent, now instant, probing bool) *cooldown {
	g := &e.cache.gate
	if why.said.Shared || probing && !why.tells {
		e.failed = nil
		return g.fail(why, sent, now)
	}
	if last := g.failed.Load(); why.answered && (last == nil || why.tells && !sent.before(last.at)) {
		g.answer(now) // to say what is wrong with this key
	}
	e.failed = e.failed.after(why, now, rand.Float64())
	return e.failed
}

// adopt notes a failure of another process. e.mu is held.
func (e *Entry) adopt(f *cooldown) {
	if f.said.Shared {
		e.failed = nil
		e.cache.gate.adopt(f)
		return
	}
	e.failed = e.failed.longer(f, f.at)
}

// scheduleRefresh says when a stale token is to be refreshed next. e.mu is held.
func (e *Entry) scheduleRefresh(now instant, deferUntil int64) {
	s := e.current.Load()
	if s == nil {
		return
	}
	var spaced *rejections
	if s.rejected {
		spaced = e.rejections
	}
	s.refreshDue.Store(nextRefresh(now, s, e.coolingDown(now), spaced, deferUntil))
}

// nextRefresh returns when (instant.mono) a refresh of s is due after one that has ended now: not before deferUntil,
// which leaves it to another process, nor before the failure f has cooled down, unless its error may know better, but
// never at once; a rejected token is replaced as soon as the spacing allows. f and spaced may be nil.
func nextRefresh(now instant, s *snapshot, f *cooldown, spaced *rejections, deferUntil int64) int64 {
	due := deferUntil
	if f != nil {
		due = max(due, f.until(s, now).mono)
		if f.outdater != nil {
			due = min(due, f.probedAt.Load()+int64(probeEvery))
		}
		due = min(due, now.add(maxLivePause).mono) // A success of another key may have ended it.
	}
	due = max(due, now.add(s.pace(now)).mono)
	if spaced != nil {
		due = min(due, spaced.next.mono)
	}
	return due
}
