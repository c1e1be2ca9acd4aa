package cache

import (
	"log/slog"
	"math"
	"time"
)

// Options says when a Cache refreshes and what it may hold. The zero value is a good default; a value out of range is
// brought into it.
type Options struct {
	// ExpiryMargin is how close to its expiry a token is no longer handed out without a try to replace it. Zero means
	// 10 s. It never takes more than a tenth of a token's life.
	ExpiryMargin time.Duration

	// RefreshAt is the part of its life after which a token is refreshed in the background while callers go on with it.
	// Zero means 0.8; up to 0.05 is taken off, drawn once per token, so that a fleet does not ask all at once. 1 means
	// no background refresh: callers wait at each expiry. Unless it is 1, a "refresh_in" that the server sent with the
	// token goes before it.
	RefreshAt float64

	// DefaultLifetime is how long a token is taken to live when the server does not say. Zero means 5 min.
	DefaultLifetime time.Duration

	// FetchTimeout bounds one fetch with all its attempts. Zero means 30 s.
	FetchTimeout time.Duration

	// KeepFresh refreshes a token on time though nobody asks for it: from the first Token on, until Close, eviction, or
	// a day unasked.
	KeepFresh bool

	// MaxKeys bounds how many tokens are held. Zero means 10,000. The expired and the least recently used make room.
	MaxKeys int

	// Store is a second level that outlives the process or is shared by several: a token found there spares a fetch. If
	// it is a Locker too, all who share it make one fetch. Nil: this process only. A Store that fails or hangs is a
	// miss, and costs a caller half a second in all, once in a while. A caller with a living token waits for it only
	// inside ExpiryMargin, and then a two-hundredth of the time left at most.
	//
	// It holds tokens: wrap it with Seal unless what lies behind it may read them.
	Store Store

	// Logger hears of what callers do not see (warn), once until it is over, and of details (debug). Nil is silent.
	Logger *slog.Logger

	// Trace hears of what happens, for metrics. Nil: nobody does.
	Trace *Trace

	// CountServed counts the tokens that are served from memory: see Counts. That takes a few nanoseconds each.
	CountServed bool
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	if o.ExpiryMargin == 0 {
		o.ExpiryMargin = 10 * time.Second
	}
	o.ExpiryMargin = max(o.ExpiryMargin, 0)
	def(&o.DefaultLifetime, 5*time.Minute)
	def(&o.FetchTimeout, 30*time.Second)
	if math.IsNaN(o.RefreshAt) || o.RefreshAt <= 0 {
		o.RefreshAt = 0.8
	}
	o.RefreshAt = min(o.RefreshAt, 1)
	if o.MaxKeys <= 0 {
		o.MaxKeys = 10_000
	}
	return o
}
