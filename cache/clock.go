package cache

import "time"

// An instant is a moment on both clocks. The monotonic clock stands still while the host sleeps, the wall clock is
// stepped; so neither alone tells how old a token is.
type instant struct {
	mono int64 // nanoseconds since Cache.epoch
	wall int64 // nanoseconds since 1970
}

// at returns the instant of t, a time that time.Now returned.
func (c *Cache) at(t time.Time) instant { return instant{int64(t.Sub(c.epoch)), t.UnixNano()} }

func (c *Cache) now() instant { return c.at(time.Now()) }

// time returns i by the wall clock.
func (i instant) time() time.Time { return time.Unix(0, i.wall) }

func (i instant) add(d time.Duration) instant { return instant{i.mono + int64(d), i.wall + int64(d)} }

// before reports whether j is still to come on both clocks: the one that says sooner counts.
func (i instant) before(j instant) bool { return i.mono < j.mono && i.wall < j.wall }

// sooner returns on each clock what comes first.
func (i instant) sooner(j instant) instant { return instant{min(i.mono, j.mono), min(i.wall, j.wall)} }

// later returns on each clock what comes last.
func (i instant) later(j instant) instant { return instant{max(i.mono, j.mono), max(i.wall, j.wall)} }

// until returns how long it is from i to j, by the clock that says sooner.
func (i instant) until(j instant) time.Duration {
	return time.Duration(min(j.mono-i.mono, j.wall-i.wall))
}
