// Package fleet simulates large fleets in virtual time: what their token server
// sees when they start, are restarted, and lose the server or the store. Each
// process is the library's real cache, or x/oauth2's real token source.
//
// The simulation is a test, since virtual time is for tests:
//
//	go -C internal/bench test ./fleet -v -timeout 1h -processes 10000 -svg "$PWD/docs/fleet.svg"
package fleet

import "time"

// A plan is what happens to a fleet.
type plan struct {
	processes int
	life      time.Duration // of a token
	answer    time.Duration // what a token request takes
	span      time.Duration // of all

	start      window // in which all start, cold
	calm       window // in which nothing happens
	restart    window // in which each process is replaced, at a time of its own
	serverDown window
	storeDown  window
}

// A window is a time between two moments, counted from the beginning.
type window struct{ from, to time.Duration }

func minutes(from, to int) window {
	return window{time.Duration(from) * time.Minute, time.Duration(to) * time.Minute}
}

func (w window) holds(at time.Duration) bool { return w.from <= at && at < w.to }

func (w window) length() time.Duration { return w.to - w.from }

// sixHours is the plan that the figures are about: a cold start within a
// second, a rolling restart within half an hour, an outage of the server that
// begins before a shared token is due to be refreshed and ends before it
// expires, and one of the store that lasts over one refresh of everybody.
func sixHours(processes int) plan {
	return plan{
		processes:  processes,
		life:       time.Hour,
		answer:     300 * time.Millisecond,
		span:       6 * time.Hour,
		start:      window{0, time.Second},
		calm:       minutes(14, 74),
		restart:    minutes(74, 104),
		serverDown: minutes(134, 146),
		storeDown:  minutes(225, 270),
	}
}

// callEvery is how often each process asks for its token. A service does so
// more often, which makes no difference while there is one, and more failed
// calls while there is none.
const callEvery = time.Second
