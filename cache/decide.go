package cache

// What a Token does follows from two things: how its token is, and whether the last fetch failed.
//
//	                                     no failure, or over   cooling down   cooling down, probe due
//	fresh; stale, refresh not due        serve                 serve          serve
//	stale, refresh due                   serve, refresh        serve          serve, refresh
//	expiring, asked for just now         serve                 serve          serve
//	expiring (inside of the margin)      wait                  serve          serve, refresh
//	gone                                 wait                  refuse         wait
//
// A refresh that is running is not due. Where an expiring token is to be waited for, that is brief if the last fetch
// failed or if there is a Store: both may take long, and there is a token that can be served. A token that was asked
// for less than a second ago is not replaced while it lives, however short its life.
//
// A flight asks the same table before it asks the server, since another may have landed since it was started.

// A view is all that a decision depends on. Taking one changes nothing.
type view struct {
	phase    phase
	due      bool // the refresh of a stale token is due
	justNow  bool // the token was asked for less than a second ago
	cooling  bool // a failure is cooling down
	probeDue bool // and it is time to see whether it may end before its time
	slow     bool // a fetch may take long: the last one failed, or there is a Store
}

type phase int

const (
	gone     phase = iota // there is nothing that may be handed out
	expiring              // it lives, but is to be replaced first
	stale                 // it is handed out, and refreshed in the background
	fresh
)

type action int

const (
	serve        action = iota // hand out the token
	serveRefresh               // hand it out and start a flight
	wait                       // start or join a flight and wait for what it brings
	waitBriefly                // the same, but hand out the token if it takes long
	refuse                     // return the error that is cooling down
)

// decide is the table above.
func decide(v view) action {
	quiet := v.cooling && !v.probeDue // the server is left alone
	switch v.phase {
	case fresh:
		return serve
	case stale:
		if !v.due || quiet {
			return serve
		}
		return serveRefresh
	case expiring:
		switch {
		case quiet, v.justNow:
			return serve
		case v.cooling:
			return serveRefresh
		case v.slow:
			return waitBriefly
		}
		return wait
	}
	if quiet {
		return refuse
	}
	return wait
}

// view returns what a decision depends on, and the failure that is cooling down, if one is. e.mu is held.
func (e *Entry) view(now instant) (view, *backoff) {
	s, store := e.current.Load(), e.secondLevel() != nil
	f := e.coolingDown(now)
	v := view{
		phase:   s.phase(now),
		cooling: f != nil,
		slow:    store || e.failed != nil || e.cache.gate.failed.Load() != nil,
	}
	if s != nil {
		v.due = v.phase == stale && now.mono >= s.refreshDue.Load()
		v.justNow = now.mono < s.sent()+int64(minRefreshIn)
	}
	// An error may know whether its cause has gone, and another process may have put a token into the Store.
	v.probeDue = v.cooling && (store && v.phase <= expiring || f.outdater != nil) &&
		now.mono >= f.probedAt.Load()+int64(probeEvery)
	return v, f
}

// coolingDown returns the failure, of this key or of all, that cools down for longest; nil if none does. e.mu is held.
func (e *Entry) coolingDown(now instant) (longest *backoff) {
	s := e.current.Load()
	var end instant
	for _, f := range [...]*backoff{e.failed, e.cache.gate.failed.Load()} {
		if f == nil {
			continue
		}
		if until := f.until(s, now); now.before(until) && (longest == nil || end.before(until)) {
			longest, end = f, until
		}
	}
	return longest
}
