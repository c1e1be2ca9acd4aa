//go:build unix

package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"

	"github.com/ccclient/go-ccclient/cache/rediscache/redistest"
)

// These are real processes, on this machine's clock, as many as fifty. So that
// a slow machine fails no test, counts and the order of events are looked at,
// and times only by what they must be at least, or with room enough.
const fleetSize = 50

// life is that of a token where it matters.
const life = 4 * time.Second

// apart is how far two token requests are from each other that belong to
// different token lives. A token is refreshed after 0.75 of its life or later,
// and requests may take a while to arrive.
const apart = life / 2

type rig struct {
	*servers
	*fleet
	t *testing.T
}

func newRig(t *testing.T, store storeSettings, life time.Duration) *rig {
	t.Helper()
	s := startServers(life)
	t.Cleanup(s.Close)
	store.Key = make([]byte, 32)
	r := &rig{servers: s, t: t, fleet: &fleet{settings: settings{
		TokenURL:     s.auth.TokenURL(),
		APIURL:       s.api.URL,
		Store:        store,
		FetchTimeout: 6 * time.Second, // locks are lent for 2 s
		Pause:        100 * time.Millisecond,
	}}}
	t.Cleanup(func() { r.fleet.stop() })
	return r
}

// start starts the fleet and waits until all have been served.
func (r *rig) start() {
	r.t.Helper()
	r.must(r.fleet.start(fleetSize))
	r.must(r.fleet.served())
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) until(what string, happened func() bool) {
	r.t.Helper()
	if err := until(r.t.Context(), happened); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

// calls waits until each process has made some more calls.
func (r *rig) calls(each int) {
	r.t.Helper()
	before := r.servers.answered()
	r.until("calls", func() bool { return r.servers.answered() >= before+each*len(r.members) })
}

// end stops the fleet: no call may have failed.
func (r *rig) end() {
	r.t.Helper()
	slowest, err := r.fleet.stop()
	r.must(err)
	failed := r.failed()
	if len(failed) > 0 {
		r.t.Errorf("%d of %d calls failed, the first: %s", len(failed), r.servers.answered()+len(failed), failed[0])
	}
	r.t.Logf("%d processes: %d calls, %d token requests, %d calls failed; the slowest took %v",
		r.started, r.servers.answered(), r.requests(), len(failed), slowest)
}

// perLife checks that these token requests belong to different token lives.
func (r *rig) perLife(who string, requests []cctest.RecordedRequest) {
	r.t.Helper()
	for i, q := range requests {
		if i > 0 && q.Time.Sub(requests[i-1].Time) < apart {
			r.t.Errorf("%s made two token requests %v apart, with tokens that live for %v", who, q.Time.Sub(requests[i-1].Time), life)
		}
	}
}

// eachStore runs f with each kind of store.
func eachStore(t *testing.T, f func(t *testing.T, store storeSettings)) {
	t.Run("files", func(t *testing.T) {
		f(t, storeSettings{Dir: filepath.Join(t.TempDir(), "tokens")})
	})
	t.Run("redis", func(t *testing.T) {
		f(t, storeSettings{Redis: redistest.Start(t).Addr})
	})
}

func TestFleetMakesOneTokenRequestPerTokenLife(t *testing.T) {
	eachStore(t, func(t *testing.T, store storeSettings) {
		r := newRig(t, store, life)
		r.auth.SetDelay(200 * time.Millisecond)
		r.start()
		if n := r.requests(); n != 1 {
			t.Errorf("%d token requests of a fleet that starts cold, want 1", n)
		}
		r.until("the fifth token", func() bool { return r.tokens() >= 5 })
		r.calls(5) // All have it by then, and would have asked for one of their own.
		if n := r.requests(); n != 5 {
			t.Errorf("%d token requests in five token lives", n)
		}
		r.perLife("the fleet", r.auth.TokenRequests())
		r.end()
	})
}

func TestFleetOutlivesTheProcessThatAsks(t *testing.T) {
	eachStore(t, func(t *testing.T, store storeSettings) {
		r := newRig(t, store, time.Hour)
		const delay = 1500 * time.Millisecond
		r.auth.SetDelay(delay)
		r.must(r.fleet.start(fleetSize))
		asking, err := r.asking(t.Context(), 0)
		r.must(err)
		r.must(r.kill(asking))
		killed := time.Now()
		r.must(r.served())
		lent := r.settings.FetchTimeout / 3
		if took := time.Since(killed); took > lent+delay+5*time.Second { // five, for a machine that is slow
			t.Errorf("all were served %v after the kill; the lock was lent for %v, a token takes %v", took, lent, delay)
		} else {
			t.Logf("all were served %v after the kill", took)
		}
		r.calls(5)
		if n := r.requests(); n != 2 {
			t.Errorf("%d token requests, want one, and one extra for the process that was killed", n)
		}

		r.auth.SetDelay(100 * time.Millisecond)
		r.auth.RevokeAll()
		r.until("a new token", func() bool { return r.tokens() == 2 })
		r.calls(10)
		if n := r.requests(); n != 3 {
			t.Errorf("%d token requests for a token that was revoked, want 1", n-2)
		}
		if n := r.auth.Stats().ResourceRejected; n < len(r.members) {
			t.Errorf("only %d calls met a 401", n)
		}
		r.end()
	})
}

func TestFleetOutlivesRedis(t *testing.T) {
	redis := redistest.Start(t)
	redis.Kill()
	r := newRig(t, storeSettings{Redis: redis.Addr}, life)
	r.start()
	if n := r.requests(); n > fleetSize {
		t.Errorf("%d token requests of %d processes that start without Redis", n, fleetSize)
	}
	r.until("a second token for each", func() bool { return r.tokens() >= 2*fleetSize })
	redis.Restart()

	// A process that was refused several times leaves Redis alone for
	// seconds; in the end all share again.
	r.until("a token life with one token request", func() bool {
		requests := r.auth.TokenRequests()
		since := time.Now().Add(-life)
		recent := 0
		for _, q := range requests {
			if q.Time.After(since) {
				recent++
			}
		}
		return recent <= 1
	})
	before := r.requests()
	redis.Kill()
	r.until("a token for each", func() bool { return r.requests() >= before+fleetSize })
	redis.Restart()
	r.calls(5)

	requests := make(map[string][]cctest.RecordedRequest)
	for _, q := range r.auth.TokenRequests() {
		id := q.Header.Get(processHeader)
		requests[id] = append(requests[id], q)
	}
	for id, requests := range requests {
		r.perLife("process "+id, requests)
	}
	r.end()
}
