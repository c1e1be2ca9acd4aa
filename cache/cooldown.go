package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// A CoolDown says how long a Fetch that failed leaves the server alone.
type CoolDown struct {
	RetryAfter time.Duration // the server's word (Retry-After), heeded for an hour at most; 0: none
	Permanent  bool          // a retry without a change cannot help: 5 s doubling to 60 s, rather than 1 s doubling to 10 s
}

// A CoolDowner is an error of a [Fetch] that says how it wants to cool down. It is found with errors.As.
type CoolDowner interface {
	error
	CoolDown() CoolDown
}

// An Outdater is an error of a [Fetch] whose cause may go before its time: a secret that is rotated. While it cools down
// it is asked, at most once a second, whether its cause has gone; that ends the cool-down. It is found with errors.As.
type Outdater interface {
	error
	Outdated(ctx context.Context) bool
}

const (
	minRetryAfter = time.Second
	maxRetryAfter = time.Hour
	probeEvery    = time.Second
)

// A cooldown is the last of a row of fetches that failed; a success ends it. Entry.mu guards its fields.
type cooldown struct {
	err      error
	row      int     // how many failed, one after the other
	until    instant // no fetch before this
	probedAt instant // when somebody last saw whether it may end before its time
}

func (f *cooldown) cooling(now instant) bool { return f != nil && now.before(f.until) }

// probeDue reports whether it is time to see if the cool-down may end before its time: its error may know whether its
// cause has gone, and another process may have put a token into the Store, if that is looked into.
func (f *cooldown) probeDue(now instant, store bool) bool {
	return f.cooling(now) && (store || outdater(f.err) != nil) && !now.before(f.probedAt.add(probeEvery))
}

// pauseAfter says how long to leave the server alone after a row of failures of which err is the last, for a draw in
// [0, 1). left is how long a live token can still be handed out, zero if there is none.
func pauseAfter(err error, row int, left time.Duration, draw float64) time.Duration {
	said := coolDownOf(err)
	if d := said.RetryAfter; d > 0 {
		// The server's word: never sooner, even if the token runs out. It has no unit below the second; less is what a
		// date that is nearly over comes to, and would be no pause at all.
		d = min(max(d, minRetryAfter), maxRetryAfter)
		return min(d+time.Duration(draw*float64(d)/10), maxRetryAfter)
	}
	first, most := time.Second, 10*time.Second
	if left > 0 {
		most = time.Minute
	}
	if said.Permanent {
		first, most = 5*time.Second, time.Minute
	}
	d := most
	if row = max(row, 1); row < 16 {
		d = min(first<<(row-1), most)
	}
	d -= time.Duration(draw * float64(d) / 4)
	if left > 0 {
		d = min(d, left)
	}
	return d
}

func coolDownOf(err error) CoolDown {
	if e, ok := errors.AsType[CoolDowner](err); ok {
		return e.CoolDown()
	}
	return CoolDown{}
}

// outdater returns the error that can be asked whether its cause has gone, nil if there is none.
func outdater(err error) Outdater {
	e, _ := errors.AsType[Outdater](err)
	return e
}

// fail notes that a fetch failed. e.mu is held.
func (e *Entry) fail(err error, now instant) *cooldown {
	f := &cooldown{err: err, row: 1, probedAt: now}
	if e.failed != nil {
		f.row = e.failed.row + 1
	}
	left := time.Duration(0)
	switch s := e.current.Load(); s.phase(now) {
	case fresh, stale:
		left = now.until(s.expiry) - s.margin
	case expiring:
		left = now.until(s.expiry)
	}
	f.until = now.add(pauseAfter(err, f.row, left, rand.Float64()))
	e.failed = f
	return f
}

// outdated asks the error whether its cause has gone.
func (f *cooldown) outdated(ctx context.Context, c *Cache) bool {
	o := outdater(f.err)
	if o == nil {
		return false
	}
	gone, err := callAside(ctx, c, grace, func(ctx context.Context) (bool, error) { return o.Outdated(ctx), nil })
	return err == nil && gone
}
