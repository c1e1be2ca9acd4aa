// Package backoff computes the pauses between attempts, and makes them.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Exponential returns base doubled n times, at most limit. It is limit where the doubling would overflow, and 0 where
// base or limit is not positive. A negative n counts as 0.
func Exponential(base, limit time.Duration, n int) time.Duration {
	if base <= 0 || limit <= 0 {
		return 0
	}
	for range n {
		if base > limit/2 {
			return limit
		}
		base *= 2
	}
	return min(base, limit)
}

// Full returns a random pause from 0 to Exponential(base, limit, n): full jitter, which spreads a crowd that failed
// together best.
func Full(base, limit time.Duration, n int) time.Duration {
	d := Exponential(base, limit, n)
	if d <= 0 {
		return 0
	}
	// The uint64 has room for the one more that includes d itself.
	return time.Duration(rand.Uint64N(uint64(d) + 1))
}

// Sleep reports whether d went by before ctx ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
