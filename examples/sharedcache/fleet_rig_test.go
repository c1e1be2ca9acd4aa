//go:build unix

package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache/rediscache/redistest"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// These are real processes, on this machine's clock, as many as fifty. So that a slow machine fails no test, counts and
// the order of events are looked at, and times only by what they must be at least, or with room enough.
const fleetSize = 50

// life is that of a token where it matters.
const life = 4 * time.Second

// apart is how far two token requests are from each other that belong to different token lives. A token is refreshed
// after 0.75 of its life or later, and requests may take a while to arrive.
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

// issues returns a func that reports whether a token was given out since.
func (r *rig) issues() func() bool {
	before := r.tokens()
	return func() bool { return r.tokens() > before }
}

// end stops the fleet and returns the time of its slowest call: none may have failed.
func (r *rig) end() time.Duration {
	r.t.Helper()
	slowest, err := r.fleet.stop()
	r.must(err)
	failed := r.failed()
	if len(failed) > 0 {
		r.t.Errorf("%d of %d calls failed, the first: %s", len(failed), r.servers.answered()+len(failed), failed[0])
	}
	r.row("calls that failed, of all", fmt.Sprintf("%d of %d", len(failed), r.servers.answered()+len(failed)))
	r.row("the slowest call", ms(slowest))
	return slowest
}

// row prints a row of the table.
func (r *rig) row(what string, value any) {
	r.t.Helper()
	store := "Redis"
	if r.settings.Store.Redis == "" {
		store = "files"
	}
	r.t.Logf("| %s | %s | %v |", what, store, value)
}

// perLife checks that these token requests belong to different token lives.
func (r *rig) perLife(who string, requests []cctest.RecordedRequest) {
	r.t.Helper()
	for i, q := range requests {
		if i > 0 && q.Time.Sub(requests[i-1].Time) < apart {
			r.t.Errorf("%s made two token requests %v apart, with tokens that live for %v",
				who, q.Time.Sub(requests[i-1].Time), life)
		}
	}
}

// perLifeEach checks that no process made more than one token request in a token life.
func (r *rig) perLifeEach() {
	r.t.Helper()
	requests := make(map[string][]cctest.RecordedRequest)
	for _, q := range r.auth.TokenRequests() {
		id := q.Header.Get(processHeader)
		requests[id] = append(requests[id], q)
	}
	for id, requests := range requests {
		r.perLife("process "+id, requests)
	}
}

// shares waits for a token life in which the fleet makes one token request. A process that Redis has refused several
// times leaves it alone for seconds; in the end all share again.
func (r *rig) shares() {
	r.t.Helper()
	r.until("a token life with one token request", func() bool {
		since := time.Now().Add(-life)
		recent := 0
		for _, q := range r.auth.TokenRequests() {
			if q.Time.After(since) {
				recent++
			}
		}
		return recent <= 1
	})
}

// eachStore runs f with each kind of store, side by side.
func eachStore(t *testing.T, f func(t *testing.T, store storeSettings)) {
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		f(t, storeSettings{Dir: filepath.Join(t.TempDir(), "tokens")})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		f(t, storeSettings{Redis: redistest.Start(t).Addr})
	})
}
