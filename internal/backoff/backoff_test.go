package backoff_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/internal/backoff"
)

func TestExponentialDoublesUpToItsLimit(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		base, limit time.Duration
		n           int
		want        time.Duration
	}{
		{200 * ms, 2000 * ms, 0, 200 * ms},
		{200 * ms, 2000 * ms, 1, 400 * ms},
		{200 * ms, 2000 * ms, 2, 800 * ms},
		{200 * ms, 2000 * ms, 3, 1600 * ms},
		{200 * ms, 2000 * ms, 4, 2000 * ms},
		{200 * ms, 2000 * ms, 1 << 40, 2000 * ms},
		{200 * ms, 2000 * ms, -1, 200 * ms},
		{3000 * ms, 2000 * ms, 0, 2000 * ms},
		{1, math.MaxInt64, 62, 1 << 62},
		{1, math.MaxInt64, 63, math.MaxInt64},
		{1, math.MaxInt64, 1000, math.MaxInt64},
		{0, time.Second, 5, 0},
		{-1, time.Second, 5, 0},
		{time.Second, 0, 5, 0},
		{time.Second, -1, 5, 0},
	}
	for _, test := range tests {
		if got := backoff.Exponential(test.base, test.limit, test.n); got != test.want {
			t.Errorf("Exponential(%v, %v, %d) = %v; want %v", test.base, test.limit, test.n, got, test.want)
		}
	}
}

func TestFullJitterUsesTheWholeRangeAndNoMore(t *testing.T) {
	const limit = 800 * time.Millisecond
	var low, high int
	for range 2000 {
		switch d := backoff.Full(200*time.Millisecond, time.Second, 2); {
		case d < 0 || d > limit:
			t.Fatalf("Full = %v; want at most %v", d, limit)
		case d < limit/4:
			low++
		case d > limit-limit/4:
			high++
		}
	}
	// Each quarter expects 500; 300 is far out of what chance gives.
	if low < 300 || high < 300 {
		t.Errorf("%d of 2000 in the lowest quarter, %d in the highest", low, high)
	}
	if d := backoff.Full(math.MaxInt64, math.MaxInt64, 99); d < 0 {
		t.Errorf("Full of the largest duration = %v", d)
	}
	if d := backoff.Full(0, 0, 0); d != 0 {
		t.Errorf("Full(0, 0, 0) = %v", d)
	}
}

func TestSleepReportsWhetherTheTimeWentBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, tc := range []struct {
			pause, took time.Duration
			whole       bool
		}{{-1, 0, true}, {0, 0, true}, {time.Second, time.Second, true}, {time.Hour, 59 * time.Second, false}, {0, 0, false}} {
			began := time.Now()
			if whole := backoff.Sleep(ctx, tc.pause); whole != tc.whole || time.Since(began) != tc.took {
				t.Errorf("%v: %v after %v, want %v after %v", tc.pause, whole, time.Since(began), tc.whole, tc.took)
			}
		}
	})
}
