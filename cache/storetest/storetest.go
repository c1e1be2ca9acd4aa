// Package storetest checks that a cache.Store keeps the contract.
//
// An author of a store calls Run from a test, and RunShared if several processes can share the store:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) cache.Store {
//			return mystore.New(startServer(t))
//		})
//	}
//
// The checks run in real time, since the clock that ends a ttl may be another machine's. They wait for what must come
// about in the end, so a slow machine does not fail them, and take a few seconds together.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

// Run checks a store by itself: what it keeps, for how long, under which keys, with contexts that end, used
// concurrently; and its locks, if it is a cache.Locker.
//
// It calls open once for each of its subtests, with that subtest's t, on which open may register a cleanup. What open
// returns need not be empty, and may be the same store each time: every check uses keys of its own.
func Run(t *testing.T, open func(t *testing.T) cache.Store) {
	t.Helper()
	RunShared(t, func(t *testing.T) (a, b cache.Store) {
		s := open(t)
		return s, s
	})
}

// RunShared makes the checks of Run through two handles on one store, as two processes have them: what goes in by one
// must come out by the other, and a lock that one holds must exclude the other.
func RunShared(t *testing.T, open func(t *testing.T) (a, b cache.Store)) {
	t.Helper()
	for _, c := range dataChecks {
		t.Run(c.name, func(t *testing.T) {
			a, b := open(t)
			c.run(t, a, b)
		})
	}
	for _, c := range lockChecks {
		t.Run(c.name, func(t *testing.T) {
			a, b := open(t)
			la, aLocks := a.(cache.Locker)
			lb, bLocks := b.(cache.Locker)
			switch {
			case aLocks && bLocks:
				c.run(t, lockStore{a, la}, lockStore{b, lb})
			case aLocks != bLocks:
				t.Errorf("of two handles on one store, one is a Locker and the other is not: %T, %T", a, b)
			default:
				t.Skipf("%T is not a cache.Locker", a)
			}
		})
	}
}

type dataCheck struct {
	name string
	run  func(t testing.TB, a, b cache.Store)
}

type lockCheck struct {
	name string
	run  func(t testing.TB, a, b lockStore)
}

type lockStore struct {
	cache.Store
	cache.Locker
}

const (
	// long outlives every check.
	long = time.Hour

	// short is the ttl of what a check sees expire. Some servers count in no less than milliseconds, and a loaded
	// machine may take some for a call.
	short = 300 * time.Millisecond

	// patience bounds the wait for what must happen.
	patience = 20 * time.Second

	pollInterval = 10 * time.Millisecond
)

// newKey returns a key that nobody else uses.
func newKey() string { return "storetest-" + rand.Text() }

func put(t testing.TB, s cache.Store, key string, data []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Put(t.Context(), key, data, ttl); err != nil {
		t.Fatalf("Put of %d bytes under %.80q for %v: %v", len(data), key, ttl, err)
	}
}

// holds checks that key holds want.
func holds(t testing.TB, s cache.Store, key string, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get of %.80q: %v, want %d bytes", key, err, len(want))
	}
	if string(got) != string(want) {
		t.Fatalf("Get of %.80q: %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

// misses reports whether key is a miss, and fails the test if Get says anything that is neither a hit nor a miss.
func misses(t testing.TB, s cache.Store, key string) bool {
	t.Helper()
	data, err := s.Get(t.Context(), key)
	if err != nil && !errors.Is(err, cache.ErrMiss) {
		t.Fatalf("Get of %.80q: %v, want data or an error that is cache.ErrMiss", key, err)
	}
	if errors.Is(err, cache.ErrUnreadable) {
		t.Fatalf("Get of %.80q: %v is cache.ErrUnreadable, and there is nothing under the key", key, err)
	}
	if err != nil && data != nil {
		t.Fatalf("Get of %.80q returned both data and the error %v", key, err)
	}
	return err != nil
}

func wantMiss(t testing.TB, s cache.Store, key, why string) {
	t.Helper()
	if !misses(t, s, key) {
		t.Fatalf("Get of %.80q: data, want cache.ErrMiss: %s", key, why)
	}
}

// expires waits until gone reports true, which must not be before ttl has passed since start, and must be some time
// after it. start is taken before the ttl began to run, so however slow the machine, nothing that keeps its ttl can be
// gone before start+ttl.
func expires(t testing.TB, what string, start time.Time, ttl time.Duration, gone func() bool) {
	t.Helper()
	// Clocks of two machines may run at slightly different speeds.
	earliest := ttl - ttl/10
	for !gone() {
		if time.Since(start) > ttl+patience {
			t.Fatalf("%s with a ttl of %v is still there after %v", what, ttl, time.Since(start))
		}
		time.Sleep(pollInterval)
	}
	if lived := time.Since(start); lived < earliest {
		t.Fatalf("%s with a ttl of %v was gone after %v", what, ttl, lived)
	}
}

// promptly fails the test if f takes long.
func promptly(t testing.TB, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1) // f may outlive the check
	go func() { done <- f() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		t.Fatalf("%s has not returned after %v", what, patience)
		return nil
	}
}

// endedContexts are the two kinds of context that have ended, each with the error that must be recognisable in what a
// store returns for it.
func endedContexts(t testing.TB) map[error]context.Context {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	return map[error]context.Context{
		context.Canceled:         cancelled,
		context.DeadlineExceeded: expired,
	}
}
