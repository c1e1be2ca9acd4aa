//go:build unix

package main

import (
	"testing"
	"time"
)

func TestFleetMakesOneTokenRequestPerTokenLife(t *testing.T) {
	eachStore(t, func(t *testing.T, store storeSettings) {
		r := newRig(t, store, life)
		r.auth.SetDelay(200 * time.Millisecond)
		r.start()
		if n := r.requests(); n != 1 {
			t.Errorf("%d token requests of a fleet that starts cold, want 1", n)
		}
		r.row("cold start: token requests", r.requests())
		r.until("the fifth token", func() bool { return r.tokens() >= 5 })
		r.calls(5) // All have it by then, and would have asked for one of their own.
		if n := r.requests(); n != 5 {
			t.Errorf("%d token requests in five token lives", n)
		}
		r.perLife("the fleet", r.auth.TokenRequests())
		r.row("five token lives: token requests", r.requests())
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
			r.row("the holder is killed: the last was served after", ms(took))
		}
		r.calls(5)
		if n := r.requests(); n != 2 {
			t.Errorf("%d token requests, want one, and one extra for the process that was killed", n)
		}
		r.row("the holder is killed: extra token requests", r.requests()-1)

		r.auth.SetDelay(100 * time.Millisecond)
		r.auth.RevokeAll()
		r.until("a new token", func() bool { return r.tokens() == 2 })
		r.calls(10)
		if n := r.requests(); n != 3 {
			t.Errorf("%d token requests for a token that was revoked, want 1", n-2)
		}
		r.row("the token is revoked: token requests", r.requests()-2)
		if n := r.auth.Stats().ResourceRejected; n < len(r.members) {
			t.Errorf("only %d calls met a 401", n)
		}
		r.end()
	})
}
