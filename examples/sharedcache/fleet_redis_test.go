//go:build unix

package main

import (
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache/rediscache/redistest"
)

func TestFleetOutlivesRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	redis.Kill()
	r := newRig(t, storeSettings{Redis: redis.Addr}, life)
	r.start()
	if n := r.requests(); n > fleetSize {
		t.Errorf("%d token requests of %d processes that start without Redis", n, fleetSize)
	}
	r.row("Redis is down at the start: token requests", r.requests())
	r.until("a second token for each", func() bool { return r.tokens() >= 2*fleetSize })
	redis.Restart()
	r.shares()

	before := r.requests()
	redis.Kill()
	r.until("a token for each", func() bool { return r.requests() >= before+fleetSize })
	redis.Restart()
	r.calls(5)
	r.perLifeEach()
	r.row("Redis is killed: token requests in a token life", r.requests()-before)
	r.end()
}

func TestFleetOutlivesRedisThatIsPausedOrEmptied(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	r := newRig(t, storeSettings{Redis: redis.Addr}, life)
	r.start()
	if n := r.requests(); n != 1 {
		t.Errorf("%d token requests of a fleet that starts cold, want 1", n)
	}

	before := r.requests()
	redis.Pause()
	r.until("a token for each", func() bool { return r.requests() >= before+fleetSize })
	r.row("Redis is paused: token requests in a token life", r.requests()-before)
	redis.Resume()
	r.shares()
	r.perLifeEach()

	r.until("a new token", r.issues())
	redis.Kill()
	redis.Restart()
	before = r.requests()
	r.until("the second token after that", func() bool { return r.tokens() >= before+2 })
	r.calls(5) // All have it by then, and would have asked for one of their own.
	if n := r.requests() - before; n != 2 {
		t.Errorf("%d token requests in two token lives after Redis came back empty, want 2", n)
	}
	r.row("Redis comes back empty: token requests in two token lives", r.requests()-before)
	if slowest := r.end(); slowest > 3*time.Second {
		t.Errorf("a call took %v, while Redis may cost it half a second", slowest)
	}
}
