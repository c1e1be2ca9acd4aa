//go:build unix

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestFleetFailsFastWhileTheServerIsDown(t *testing.T) {
	eachStore(t, func(t *testing.T, store storeSettings) {
		r := newRig(t, store, life)
		const delay = 200 * time.Millisecond // of an attempt, also of one that fails
		r.auth.SetDelay(delay)
		r.settings.MaxAttempts = 1 // so that each token request is a fetch of its own
		r.start()
		r.until("the second token", func() bool { return r.tokens() == 2 })
		before := r.requests()
		last := r.auth.TokenRequests()[before-1].Time
		dead := last.Add(life) // No token lives from then on.
		r.auth.SetDown(cctest.NoAnswer)
		r.must(pause(t.Context(), time.Until(last.Add(2*life))))

		r.auth.SetDown(0)
		back := time.Now()
		asked := r.auth.TokenRequests()[before:]
		r.until("a token", func() bool { return r.tokens() == 3 })
		r.calls(12) // All have it by then, and would have asked for one of their own.
		if n := r.requests() - before - len(asked); n != 1 {
			t.Errorf("%d token requests when the server was back, want 1", n)
		}

		// While the token lives a pause ends at its margin, and at its expiry. Then they double, less a quarter.
		if n := len(asked); n == 0 || n > 6 {
			t.Errorf("%d token requests while the server was down, want one a pause, and so 6 at most", n)
		}
		for i, q := range asked {
			if i == 0 || asked[i-1].Time.Before(dead) {
				continue
			}
			if since := q.Time.Sub(asked[i-1].Time); since < time.Second {
				t.Errorf("a token request %v after another, while no token lived", since)
			}
		}
		longest := min(time.Second<<max(0, len(asked)-1), 10*time.Second) // pause there was

		slowest, err := r.fleet.stop()
		r.must(err)
		if slowest > 3*time.Second { // FetchTimeout is 6 s, an attempt takes a fifth of one
			t.Errorf("a call took %v, while an attempt takes %v", slowest, delay)
		}
		failed := r.failed()
		if len(failed) < fleetSize {
			t.Errorf("only %d calls failed", len(failed))
		}
		var lastFailed time.Time
		for _, f := range failed {
			if f.ended().Before(dead.Add(-500 * time.Millisecond)) { // for the way to the server
				t.Errorf("a call failed %v before the token had run out: %v", dead.Sub(f.ended()), f)
			}
			if f.ended().After(lastFailed) {
				lastFailed = f.ended()
			}
		}
		took := max(0, lastFailed.Sub(back))
		if took > longest+2*time.Second { // two, for the looks into the store and a machine that is slow
			t.Errorf("the last call failed %v after the server was back; a pause is %v at most", took, longest)
		}
		r.row("the server is down for two token lives: token requests", len(asked))
		r.row("when it is back: token requests", r.requests()-before-len(asked))
		all := r.answered() + len(failed)
		r.row("calls that failed, all while no token lived", fmt.Sprintf("%d of %d", len(failed), all))
		r.row("the slowest call", ms(slowest))
		r.row("the last failed call ended after the server's return by", ms(took))
	})
}
