package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

var lockChecks = []lockCheck{
	{"ALockExcludesOthers", func(t testing.TB, a, b lockStore) {
		key := newKey()
		unlock := lock(t, a, key, long)
		wantHeld(t, b, key, "the other handle holds it")
		wantHeld(t, a, key, "the same handle holds it")
		release(t, unlock)
		release(t, lock(t, b, key, long))
		release(t, lock(t, a, key, long))
	}},
	{"LocksOfDifferentKeysAreIndependent", func(t testing.TB, a, b lockStore) {
		keys := awkwardKeys()
		unlocks := make([]func(context.Context) error, len(keys))
		for i, key := range keys {
			unlocks[i] = lock(t, a, key, long) // though all before it are held
		}
		for i, key := range keys {
			wantHeld(t, b, key, "only those before it were given back")
			release(t, unlocks[i])
		}
	}},
	{"ALockExpires", func(t testing.TB, a, b lockStore) {
		key := newKey()
		start := time.Now()
		lock(t, a, key, short)
		var unlock func(context.Context) error
		expires(t, "a lock", start, short, func() (ok bool) {
			unlock, ok = tryLock(t, b, key, long)
			return ok
		})
		wantHeld(t, a, key, "it expired, and the other handle has taken it")
		release(t, unlock)
	}},
	{"AFormerOwnerLeavesTheNewOwnersLockAlone", func(t testing.TB, a, b lockStore) {
		key := newKey()
		former := lock(t, a, key, short)
		current := lockEventually(t, b, key)
		// The contract leaves open whether this is an error.
		promptly(t, "unlock by a former owner", func() error { return former(t.Context()) })
		wantHeld(t, a, key, "a former owner's unlock is not the new owner's")
		release(t, current)
		release(t, lock(t, a, key, long))
	}},
	{"UnlockingTwiceDoesNoHarm", func(t testing.TB, a, b lockStore) {
		key := newKey()
		first := lock(t, a, key, long)
		release(t, first)
		promptly(t, "a second unlock", func() error { return first(t.Context()) })
		second := lock(t, b, key, long)
		promptly(t, "a third unlock", func() error { return first(t.Context()) })
		wantHeld(t, a, key, "unlocking once more is not the new owner's unlock")
		release(t, second)
	}},
	{"UnlockAfterExpiryLeavesTheKeyFree", func(t testing.TB, a, b lockStore) {
		key := newKey()
		start := time.Now()
		unlock := lock(t, a, key, short)
		time.Sleep(time.Until(start.Add(2 * short)))
		promptly(t, "unlock of an expired lock", func() error { return unlock(t.Context()) })
		release(t, lockEventually(t, b, key))
	}},
	{"AnUnlockHasItsOwnContext", func(t testing.TB, a, b lockStore) {
		key := newKey()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		unlock, ok, err := a.TryLock(ctx, key, long)
		if err != nil || !ok || unlock == nil {
			t.Fatalf("TryLock = %t, %v, want the lock and its unlock", ok, err)
		}
		cancel()
		time.Sleep(short) // whatever watches ctx has had its time
		wantHeld(t, b, key, "the end of the context it was taken with does not give it back")
		release(t, unlock)
		release(t, lock(t, b, key, long))
	}},
	{"LocksAndDataDoNotCollide", func(t testing.TB, a, b lockStore) {
		key := newKey()
		unlock := lock(t, a, key, long)
		wantMiss(t, b, key, "a lock is not data")
		put(t, b, key, []byte("v"), long)
		holds(t, a, key, []byte("v"))
		wantHeld(t, b, key, "data does not replace a lock")
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatalf("Delete of a locked key: %v", err)
		}
		wantMiss(t, a, key, "it was deleted")
		wantHeld(t, b, key, "Delete removes data, not locks")
		put(t, b, key, []byte("v"), long)
		release(t, unlock)
		holds(t, a, key, []byte("v"))
	}},
	{"AnEndedContextIsTheErrorOfTryLock", func(t testing.TB, a, b lockStore) {
		for want, ctx := range endedContexts(t) {
			key := newKey()
			err := promptly(t, "TryLock with a context that has ended", func() error {
				_, ok, err := a.TryLock(ctx, key, long)
				if ok {
					t.Error("TryLock with a context that has ended took the lock")
				}
				return err
			})
			if !errors.Is(err, want) {
				t.Errorf("TryLock with a context that has ended: %v, want an error that is %v", err, want)
			}
			release(t, lockEventually(t, b, key))
		}
	}},
	{"OfManyAtOnceOneGetsTheLock", checkOneWinner},
	{"NeverTwoHoldTheLock", checkExclusion},
}

func tryLock(t testing.TB, l cache.Locker, key string, ttl time.Duration) (func(context.Context) error, bool) {
	t.Helper()
	unlock, ok, err := l.TryLock(t.Context(), key, ttl)
	if err != nil {
		t.Fatalf("TryLock of %.80q for %v: %v", key, ttl, err)
	}
	if ok && unlock == nil {
		t.Fatalf("TryLock of %.80q took the lock and returned no unlock", key)
	}
	return unlock, ok
}

func lock(t testing.TB, l cache.Locker, key string, ttl time.Duration) (unlock func(context.Context) error) {
	t.Helper()
	unlock, ok := tryLock(t, l, key, ttl)
	if !ok {
		t.Fatalf("TryLock of %.80q: somebody holds it, want it free", key)
	}
	return unlock
}

// lockEventually takes a lock that is about to expire.
func lockEventually(t testing.TB, l cache.Locker, key string) (unlock func(context.Context) error) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(pollInterval) {
		unlock, ok := tryLock(t, l, key, long)
		if ok {
			return unlock
		}
		if time.Since(start) > patience {
			t.Fatalf("TryLock of %.80q: still held after %v, want it free", key, patience)
		}
	}
}

func wantHeld(t testing.TB, l cache.Locker, key, why string) {
	t.Helper()
	if _, ok := tryLock(t, l, key, long); ok {
		t.Fatalf("TryLock of %.80q took the lock, want it held: %s", key, why)
	}
}

func release(t testing.TB, unlock func(context.Context) error) {
	t.Helper()
	if err := unlock(t.Context()); err != nil {
		t.Fatalf("unlock: %v", err)
	}
}

func checkOneWinner(t testing.TB, a, b lockStore) {
	const callers = 16
	key := newKey()
	var winners atomic.Int32
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range callers {
		wg.Go(func() {
			<-start
			_, ok, err := [...]lockStore{a, b}[i%2].TryLock(t.Context(), key, long)
			if err != nil {
				t.Errorf("concurrent TryLock: %v", err)
			}
			if ok {
				winners.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	if n := winners.Load(); n != 1 {
		t.Errorf("of %d callers, %d got the lock, want 1", callers, n)
	}
}

// checkExclusion has several take the lock in turns; each stays for a moment.
func checkExclusion(t testing.TB, a, b lockStore) {
	const callers, turns = 6, 5
	key := newKey()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	var inside atomic.Int32
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			l := [...]lockStore{a, b}[i%2]
			for taken := 0; taken < turns; {
				unlock, ok, err := l.TryLock(ctx, key, long)
				if err != nil || ok && unlock == nil {
					t.Errorf("concurrent TryLock = %t, %v, want the lock and its unlock, or neither", ok, err)
					return
				}
				if !ok {
					time.Sleep(time.Millisecond)
					continue
				}
				taken++
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold the lock at once", n)
				}
				time.Sleep(time.Millisecond)
				inside.Add(-1)
				if err := unlock(ctx); err != nil {
					t.Errorf("unlock: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}
