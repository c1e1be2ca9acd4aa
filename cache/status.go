package cache

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// A State says how the token of an Entry is.
type State string

const (
	StateNone     State = "none"     // there is no token that lives
	StateFresh    State = "fresh"    // it is handed out
	StateStale    State = "stale"    // it is handed out; its replacement is due, or being fetched
	StateExpiring State = "expiring" // within Options.ExpiryMargin of its expiry: callers wait for the next one
)

// A Status says what an Entry is doing. Times without a meaning at the moment are zero.
type Status struct {
	State    State
	Fetching bool      // a fetch, or a look into the Store, is under way
	Obtained time.Time // when the token was asked for
	Expiry   time.Time // when it expires
	Refresh  time.Time // from then on the next Token starts a refresh

	Err      error     // why the last fetch failed; nil if it did not
	Shared   bool      // that says that it is about all keys
	InARow   int       // how many fetches have failed, one after the other
	Since    time.Time // when the first of them did
	FailedAt time.Time // when the last of them did
	CoolDown time.Time // until then the server is left alone

	Counts Counts
}

// Counts are those of an Entry since it was made.
type Counts struct {
	Fetches  uint64 `json:"fetches"`  // token requests, each with all its attempts
	Failures uint64 `json:"failures"` // those of them that brought no token
	Rejected uint64 `json:"rejected"` // calls of Invalidate: a resource has rejected a token
	Served   uint64 `json:"served"`   // tokens served from memory; 0 without Options.CountServed
}

// Status returns what e is doing. It changes nothing, and does not wait for a fetch.
func (e *Entry) Status() Status {
	if e.cache == nil {
		return Status{State: StateNone}
	}
	e.mu.Lock()
	s := e.current.Load()
	now := e.cache.now()
	cooling := e.coolingDown(now)
	last := cooling
	for _, f := range [...]*backoff{e.failed, e.cache.gate.failed.Load()} {
		if f != nil && (last == nil || last.at.before(f.at)) {
			last = f
		}
	}
	e.mu.Unlock()

	st := Status{State: s.state(now), Fetching: e.cache.flights.underWay(e.key), Counts: e.readCounts()}
	if st.State != StateNone {
		st.Obtained = s.refreshedAt()
		st.Expiry = s.expiry.time()
		if due := s.refreshDue.Load(); due != never {
			refresh := s.turnsStale()
			st.Refresh = refresh.add(max(0, time.Duration(due-refresh.mono))).time()
		}
	}
	if last != nil {
		st.Err, st.Shared, st.InARow = last.err, last.said.Shared, last.row
		st.Since, st.FailedAt = last.from.time(), last.at.time()
	}
	if cooling != nil {
		st.CoolDown = cooling.until(s, now).time()
	}
	return st
}

func (s *snapshot) state(now instant) State {
	switch s.phase(now) {
	case fresh:
		return StateFresh
	case stale:
		return StateStale
	case expiring:
		return StateExpiring
	}
	return StateNone
}

// refreshedAt returns when s was asked for.
func (s *snapshot) refreshedAt() time.Time { return s.expiry.add(-s.life).time() }

// counts are the Counts of an Entry, but for the fetches, and its label. With CountServed one is written to for each
// token that is served from memory: so they lie apart from what is read for each, in a cache line of their own.
type counts struct {
	label string

	served, failures, rejected atomic.Uint64

	_ [3]uint64
}

// label returns what e is called where it is told of.
func (e *Entry) label() string {
	if n := e.counts.Load(); n != nil {
		return n.label
	}
	return ""
}

// counted returns the counts of e.
func (e *Entry) counted() *counts {
	if n := e.counts.Load(); n != nil {
		return n
	}
	e.counts.CompareAndSwap(nil, new(counts))
	return e.counts.Load()
}

func (e *Entry) readCounts() Counts {
	c := Counts{Fetches: uint64(e.fetches.Load())}
	if n := e.counts.Load(); n != nil {
		c.Served, c.Failures, c.Rejected = n.served.Load(), n.failures.Load(), n.rejected.Load()
	}
	return c
}

// note notes that s was served from memory, where that is worth noting.
func (e *Entry) note(s *snapshot) {
	if e.cache.opt.KeepFresh && !s.wanted.Load() {
		s.wanted.Store(true)
	}
	if e.cache.opt.CountServed {
		e.counted().served.Add(1)
	}
}

// A visit is a call of Token that is not served by one look at the token.
type visit struct {
	began  time.Time
	waited bool
	source Source // of the token that was waited for; empty: it was in memory
}

// noteVisit counts a visit that has ended, and tells of it.
func (e *Entry) noteVisit(ctx context.Context, v *visit, err error) {
	c := e.cache
	if err == nil && v.source == "" && c.opt.CountServed {
		e.counted().served.Add(1)
	}
	if !v.waited || len(c.listeners) == 0 {
		return
	}
	c.tellWaited(ctx, WaitInfo{Label: e.label(), Took: time.Since(v.began), Err: err})
	if err == nil && v.source != "" {
		c.tellServed(ctx, ServedInfo{Label: e.label(), Source: v.source})
	}
}

// sourceOf returns where tok came from, for one who has waited for fl, or has started it.
func (fl *flight) sourceOf(tok *oauth2.Token, started bool) Source {
	switch {
	case tok == nil || !fl.entry.cache.flights.landed(fl) || fl.token == nil || fl.token.token != tok:
		return "" // a token that lived on
	case started:
		return fl.source
	}
	return SourceFlight
}

// reason returns why a token is asked for at now. e.mu is held.
func (e *Entry) reason(now instant) Reason {
	s := e.current.Load()
	switch {
	case e.rejections != nil && e.rejections.forced, s != nil && s.rejected:
		return ReasonRejected
	case s == nil:
		return ReasonCold
	case s.phase(now) >= stale:
		return ReasonAhead
	}
	return ReasonExpired
}

// underWay reports whether there is a flight for key.
func (all *flights) underWay(key string) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byKey[key] != nil
}
