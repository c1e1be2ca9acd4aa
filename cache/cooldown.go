package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A CoolDown says how long a [Fetch] that failed leaves the server alone, and for which keys. What it says nothing of
// pauses from 1 s, doubling to 10 s, or to 60 s while a token lives. Up to a quarter is taken off each pause, but it is
// never below 1 s; to a RetryAfter up to a tenth is added.
type CoolDown struct {
	RetryAfter time.Duration // the server's word (Retry-After), heeded for an hour at most; 0: none
	Permanent  bool          // a retry without a change cannot help: pauses double from 5 s to 60 s
	Shared     bool          // it is about all keys of the Cache: they cool down together, and one of them tries again
	Local      bool          // the server was not asked: no word of it is left in the Store for other processes
}

// A CoolDowner is an error of a [Fetch] that says how it wants to cool down. It is found with errors.As.
type CoolDowner interface {
	error
	CoolDown() CoolDown
}

// An Outdater is an error of a [Fetch] whose cause may go before its time: a secret that is rotated. While it cools
// down it is asked, at most once a second, whether its cause has gone; that ends the cool-down. It is found with
// errors.As.
type Outdater interface {
	error
	Outdated(ctx context.Context) bool
}

const (
	minPause      = time.Second
	maxRetryAfter = time.Hour
	maxDeadPause  = 10 * time.Second // while there is no living token: callers wait for a server that is back
	maxLivePause  = time.Minute      // while there is one, and for permanent errors
	probeEvery    = time.Second
)

// A failure is an error of a Fetch with what it says of itself. It is asked once, with no mutex held.
type failure struct {
	err      error
	tells    bool // it is a CoolDowner
	answered bool // the server has answered, and not with what is about all keys
	said     CoolDown
	outdater Outdater // nil: it cannot be asked whether its cause has gone
}

func newFailure(err error) failure {
	f := failure{err: err}
	var c CoolDowner
	if c, f.tells = errors.AsType[CoolDowner](err); f.tells {
		f.said = c.CoolDown()
	}
	f.outdater, _ = errors.AsType[Outdater](err)
	f.answered = !f.said.Shared && !f.said.Local && !errors.As(err, new(*panicError)) &&
		!errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
	return f
}

// A backoff is the last of a row of fetches that failed; a success ends it. All but probedAt is fixed.
type backoff struct {
	failure
	row   int     // how many failed, one after the other
	asked instant // when the last one began
	at    instant // when it failed
	from  instant // when the first one did
	draw  float64 // for jitter, in [0, 1)

	origin   int64        // names it within a fleet: when it happened, by the clock of its host (ms)
	probedAt atomic.Int64 // when somebody last saw whether it may end before its time (instant.mono)
}

// after returns the cool-down for a failure that follows last in a row; last may be nil.
func (last *backoff) after(why failure, now instant, draw float64) *backoff {
	f := &backoff{
		failure: why, row: 1, asked: now, at: now, from: now, draw: draw, origin: now.wall / int64(time.Millisecond),
	}
	if last != nil {
		f.row, f.from = last.row+1, last.from
	}
	f.probedAt.Store(now.mono)
	return f
}

// until returns when f ends for an entry that holds s. The pause follows the need: it is short without a living token,
// and with one it does not reach into the time when that is to be replaced first, nor beyond its expiry. But a second
// it takes.
func (f *backoff) until(s *snapshot, now instant) instant {
	alive := s.phase(now) != gone
	end := f.at.add(pauseAfter(f.said, f.row, alive, f.draw))
	if f.said.RetryAfter > 0 || s == nil || !f.at.before(s.expiry) {
		return end
	}
	last := s.expiry.later(f.asked.add(minPause))
	switch {
	case !alive && f.said.Permanent:
		return end
	case !alive:
		return end.sooner(last)
	}
	needed := s.expiry
	if margin := s.expiry.add(-s.margin); f.at.before(margin) {
		needed = margin
	}
	end = end.sooner(needed.later(f.at.add(minPause)))
	if s.expiry.add(-minPause).before(end) {
		return last // Then somebody needs one, and a try shortly before would be in its way.
	}
	return end
}

// longer returns which of two ends later without a living token. f may be nil.
func (f *backoff) longer(g *backoff, now instant) *backoff {
	if f != nil && g.until(nil, now).before(f.until(nil, now)) {
		return f
	}
	return g
}

// claimProbe reports whether it is now the caller's turn to see whether f may end before its time.
func (f *backoff) claimProbe(now instant) bool {
	last, probed := f.probedAt.Load(), now.mono
	if f.outdater == nil { // It is only for the Store, into which a fleet should not look all at once.
		probed += int64(probeEvery/100 + rand.N(probeEvery/20))
	}
	return now.mono >= last+int64(probeEvery) && f.probedAt.CompareAndSwap(last, probed)
}

// outdated asks the error whether its cause has gone.
func (f *backoff) outdated(ctx context.Context, c *Cache) bool {
	if f.outdater == nil {
		return false
	}
	gone, err := callAside(ctx, c, fetchGrace, func(ctx context.Context) (bool, error) {
		return f.outdater.Outdated(ctx), nil
	})
	return err == nil && gone
}

// pauseAfter says how long to leave the server alone after a row of failures, of which the last said so much, for a
// draw in [0, 1).
func pauseAfter(said CoolDown, row int, alive bool, draw float64) time.Duration {
	if d := said.RetryAfter; d > 0 {
		// The server's word: never sooner, even if the token runs out. It has no unit below the second; less is what a
		// date that is nearly over comes to, and would be no pause at all.
		d = min(max(d, minPause), maxRetryAfter)
		return min(d+time.Duration(draw*float64(d)/10), maxRetryAfter)
	}
	first, most := minPause, maxDeadPause
	if alive {
		most = maxLivePause
	}
	if said.Permanent {
		first, most = 5*time.Second, maxLivePause
	}
	d := most
	if row = max(row, 1); row < 16 {
		d = min(first<<(row-1), most)
	}
	return max(d-time.Duration(draw*float64(d)/4), minPause)
}
