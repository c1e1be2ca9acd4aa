package storetest

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The suite itself is checked against stores that are broken in one way each: for each the checks that are there to see
// it fail, and each check is failed by one store at least. Time is virtual here.

func TestHealthyStorePassesEveryCheck(t *testing.T) {
	for name, failures := range runAll(t, func(*fake) {}) {
		t.Errorf("%s fails: %q", name, failures)
	}
}

func TestEveryBrokenStoreIsSeen(t *testing.T) {
	unseen := map[string]bool{}
	for _, c := range dataChecks {
		unseen[c.name] = true
	}
	for _, c := range lockChecks {
		unseen[c.name] = true
	}
	for _, broken := range brokenStores {
		t.Run(broken.name, func(t *testing.T) {
			failed := runAll(t, broken.fault)
			for _, name := range broken.seenBy {
				if failed[name] == nil {
					t.Errorf("%s passes", name)
				}
				delete(unseen, name)
			}
		})
	}
	if len(unseen) > 0 {
		t.Errorf("no broken store is there to fail the checks %v", slices.Sorted(maps.Keys(unseen)))
	}
}

func TestHandlesThatDoNotShareAreSeen(t *testing.T) {
	failed := runPair(t, func() (a, b *fake) { return healthy(), healthy() })
	for _, name := range []string{"WhatWasPutComesOut", "ALockExcludesOthers", "OfManyAtOnceOneGetsTheLock"} {
		if failed[name] == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func runAll(t *testing.T, fault func(*fake)) map[string][]string {
	return runPair(t, func() (a, b *fake) {
		f := healthy()
		fault(f)
		return f, f
	})
}

// runPair runs every check and returns the messages of those that failed.
func runPair(t *testing.T, open func() (a, b *fake)) map[string][]string {
	failed := map[string][]string{}
	one := func(name string, run func(t testing.TB, a, b *fake)) {
		synctest.Test(t, func(t *testing.T) {
			a, b := open()
			r := &recorder{TB: t}
			done := make(chan struct{})
			go func() { // FailNow ends the goroutine that calls it
				defer close(done)
				run(r, a, b)
			}()
			<-done
			time.Sleep(long) // what the check gave up waiting for comes to its end
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.failures != nil {
				failed[name] = r.failures
			}
		})
	}
	for _, c := range dataChecks {
		one(c.name, func(t testing.TB, a, b *fake) { c.run(t, a, b) })
	}
	for _, c := range lockChecks {
		one(c.name, func(t testing.TB, a, b *fake) { c.run(t, lockStore{a, a}, lockStore{b, b}) })
	}
	return failed
}

// recorder is a testing.TB that writes failures down instead of failing.
type recorder struct {
	testing.TB
	mu       sync.Mutex // guards failures
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Error(args ...any) { r.Errorf("%s", fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
