package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	minRetryAfter = time.Second
	maxRetryAfter = time.Hour
	probeEvery    = time.Second
)

// A failure is the last of a row of fetches that failed; a success ends it.
// Entry.mu guards its fields.
type failure struct {
	err   error
	row   int     // how many failed, one after the other
	until instant // no fetch before this
	asked instant // when it was last probed
}

func (f *failure) cooling(now instant) bool { return f != nil && now.before(f.until) }

// pause says how long to leave the server alone after a row of failures of
// which err is the last, for a draw in [0, 1). left is how long a live token
// can still be handed out, zero if there is none.
func pause(err error, row int, left time.Duration, draw float64) time.Duration {
	if d := retryAfter(err); d > 0 {
		// The server's word: never sooner, even if the token runs out. It
		// has no unit below the second; less is what a date that is nearly
		// over comes to, and would be no pause at all.
		d = min(max(d, minRetryAfter), maxRetryAfter)
		return min(d+time.Duration(draw*float64(d)/10), maxRetryAfter)
	}
	first, most := time.Second, 10*time.Second
	if left > 0 {
		most = time.Minute
	}
	if permanent(err) {
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

func retryAfter(err error) time.Duration {
	var e interface{ RetryAfter() time.Duration }
	if errors.As(err, &e) {
		return e.RetryAfter()
	}
	return 0
}

func permanent(err error) bool {
	var e interface{ Permanent() bool }
	return errors.As(err, &e) && e.Permanent()
}

// outdater gives the method by which err can be asked whether its cause has
// gone, nil if it has none.
func outdater(err error) func(context.Context) bool {
	var e interface{ Outdated(context.Context) bool }
	if errors.As(err, &e) {
		return e.Outdated
	}
	return nil
}

// fail notes that a fetch failed. e.mu is held.
func (e *Entry) fail(err error, now instant) *failure {
	f := &failure{err: err, row: 1, asked: now}
	if e.failed != nil {
		f.row = e.failed.row + 1
	}
	left := time.Duration(0)
	switch s := e.current.Load(); s.phase(now) {
	case fresh, stale:
		left = now.until(s.expiry) - s.margin
	case margin:
		left = now.until(s.expiry)
	}
	f.until = now.add(pause(err, f.row, left, rand.Float64()))
	e.failed = f
	return f
}

// probe reports whether it is time to look if the cool-down is over before its
// time: the error may know whether its cause has gone, and another process may
// have put a token into the Store. It notes that somebody looks. e.mu is held.
func (f *failure) probe(now instant, store bool) bool {
	if outdater(f.err) == nil && !store || now.before(f.asked.add(probeEvery)) {
		return false
	}
	f.asked = now
	return true
}

// outdated asks the error whether its cause has gone.
func (f *failure) outdated(ctx context.Context, c *Cache) bool {
	ask := outdater(f.err)
	if ask == nil {
		return false
	}
	gone, err := run(c, ctx, grace, func(ctx context.Context) (bool, error) { return ask(ctx), nil })
	return err == nil && gone
}
