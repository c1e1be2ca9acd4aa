package storetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

// An unlock gives a lock back.
type unlock = func(context.Context) error

// fake is a Store and Locker whose methods can be replaced one by one.
type fake struct {
	get     func(ctx context.Context, key string) ([]byte, error)
	put     func(ctx context.Context, key string, data []byte, ttl time.Duration) error
	del     func(ctx context.Context, key string) error
	tryLock func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error)
}

func (f *fake) Get(ctx context.Context, key string) ([]byte, error) { return f.get(ctx, key) }
func (f *fake) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	return f.put(ctx, key, data, ttl)
}
func (f *fake) Delete(ctx context.Context, key string) error { return f.del(ctx, key) }
func (f *fake) TryLock(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
	return f.tryLock(ctx, key, ttl)
}

func healthy() *fake {
	m := cache.Memory()
	l := m.(cache.Locker)
	return &fake{m.Get, m.Put, m.Delete, l.TryLock}
}

func renamed(rename func(string) string) func(f *fake) {
	return func(f *fake) {
		g := *f
		f.get = func(ctx context.Context, key string) ([]byte, error) { return g.get(ctx, rename(key)) }
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			return g.put(ctx, rename(key), data, ttl)
		}
		f.del = func(ctx context.Context, key string) error { return g.del(ctx, rename(key)) }
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			return g.tryLock(ctx, rename(key), ttl)
		}
	}
}

func stored(change func([]byte) []byte) func(f *fake) {
	return func(f *fake) {
		put := f.put
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			return put(ctx, key, change(data), ttl)
		}
	}
}

func heldFor(change func(time.Duration) time.Duration) func(f *fake) {
	return func(f *fake) {
		put, tryLock := f.put, f.tryLock
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			return put(ctx, key, data, change(ttl))
		}
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			return tryLock(ctx, key, change(ttl))
		}
	}
}

func byReference(in func([]byte) []byte) func(f *fake) {
	return func(f *fake) {
		var m sync.Map
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			m.Store(key, in(data))
			return nil
		}
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			data, ok := m.Load(key)
			if !ok {
				return nil, cache.ErrMiss
			}
			return data.([]byte), nil
		}
	}
}

// mapLocks replaces the locks by a map of owners with the given faults.
func mapLocks(noExpiry, anyoneUnlocks, secondUnlockFrees bool) func(f *fake) {
	return func(f *fake) {
		type owner struct{ expires time.Time }
		var mu sync.Mutex
		locks := map[string]*owner{}
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			if err := ctx.Err(); err != nil {
				return nil, false, err
			}
			mu.Lock()
			defer mu.Unlock()
			if l := locks[key]; l != nil && (noExpiry || time.Now().Before(l.expires)) {
				return nil, false, nil
			}
			own := &owner{time.Now().Add(ttl)}
			locks[key] = own
			unlocked := false
			return func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				if locks[key] == own || anyoneUnlocks || unlocked && secondUnlockFrees {
					delete(locks, key)
				}
				unlocked = true
				return nil
			}, true, nil
		}
	}
}

var brokenStores = []struct {
	name   string
	fault  func(f *fake)
	seenBy []string // checks that must fail
}{
	{"a miss is not ErrMiss", func(f *fake) {
		get := f.get
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			data, err := get(ctx, key)
			if errors.Is(err, cache.ErrMiss) {
				err = errors.New("not found")
			}
			return data, err
		}
	}, []string{"AnAbsentKeyIsAMiss", "DeleteRemoves", "DataExpires"}},
	{"a miss is unreadable too", func(f *fake) {
		get := f.get
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			data, err := get(ctx, key)
			if errors.Is(err, cache.ErrMiss) {
				err = errors.Join(err, cache.ErrUnreadable)
			}
			return data, err
		}
	}, []string{"AnAbsentKeyIsAMiss", "DeleteRemoves", "DataExpires"}},
	{"a miss is empty data", func(f *fake) {
		get := f.get
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			data, err := get(ctx, key)
			if errors.Is(err, cache.ErrMiss) {
				err = nil
			}
			return data, err
		}
	}, []string{"AnAbsentKeyIsAMiss"}},
	{"a hit is ErrMiss too", func(f *fake) {
		get := f.get
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			data, _ := get(ctx, key)
			return data, cache.ErrMiss
		}
	}, []string{"WhatWasPutComesOut"}},
	{"reading consumes", func(f *fake) {
		get, del := f.get, f.del
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			defer del(ctx, key)
			return get(ctx, key)
		}
	}, []string{"WhatWasPutComesOut"}},
	{"the first put wins", func(f *fake) {
		get, put := f.get, f.put
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			if _, err := get(ctx, key); err == nil && ttl > 0 {
				return nil
			}
			return put(ctx, key, data, ttl)
		}
	}, []string{"TheLastPutWins", "PutReplacesTheTTL"}},
	{"put appends", func(f *fake) {
		get, put := f.get, f.put
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			old, _ := get(ctx, key)
			return put(ctx, key, append(old, data...), ttl)
		}
	}, []string{"TheLastPutWins"}},
	{"data is text", stored(func(b []byte) []byte { return []byte(strings.ToValidUTF8(string(b), "?")) }), []string{"AnyBytesAreKept"}},
	{"data is trimmed", stored(bytes.TrimSpace), []string{"AnyBytesAreKept"}},
	{"data ends at a NUL", stored(func(b []byte) []byte { b, _, _ = bytes.Cut(b, []byte{0}); return b }), []string{"AnyBytesAreKept"}},
	{"empty data is nothing", func(f *fake) {
		put := f.put
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			if len(data) == 0 {
				return nil
			}
			return put(ctx, key, data, ttl)
		}
	}, []string{"AnyBytesAreKept"}},
	{"data is cut at 64 KiB", stored(func(b []byte) []byte { return b[:min(len(b), 64<<10)] }), []string{"LargeDataIsKept"}},
	{"keys fold case", renamed(strings.ToLower), []string{"KeysAreToldApart", "LocksOfDifferentKeysAreIndependent"}},
	{"keys are cut at 255 bytes", renamed(func(k string) string { return k[:min(len(k), 255)] }), []string{"KeysAreToldApart"}},
	{"keys are paths", renamed(func(k string) string { return strings.ReplaceAll(k, "/./", "/") }), []string{"KeysAreToldApart"}},
	{"keys are unescaped", renamed(func(k string) string { return strings.ReplaceAll(k, "%41", "A") }), []string{"KeysAreToldApart"}},
	{"delete does nothing", func(f *fake) {
		f.del = func(ctx context.Context, key string) error { return ctx.Err() }
	}, []string{"DeleteRemoves", "KeysAreToldApart"}},
	{"deleting nothing is an error", func(f *fake) {
		get, del := f.get, f.del
		f.del = func(ctx context.Context, key string) error {
			if _, err := get(ctx, key); err != nil {
				return err
			}
			return del(ctx, key)
		}
	}, []string{"DeleteOfNothingIsNoError"}},
	{"nothing expires", heldFor(func(ttl time.Duration) time.Duration {
		if ttl > 0 {
			ttl = 1000 * time.Hour
		}
		return ttl
	}), []string{"DataExpires", "PutReplacesTheTTL", "TheShortestTTLIsATTL", "ALockExpires",
		"AFormerOwnerLeavesTheNewOwnersLockAlone"}},
	{"everything expires soon", heldFor(func(ttl time.Duration) time.Duration { return min(ttl, short/2) }),
		[]string{"DataExpires", "PutReplacesTheTTL", "ALockExpires"}},
	{"a ttl is whole seconds, rounded down",
		heldFor(func(ttl time.Duration) time.Duration { return ttl.Truncate(time.Second) }),
		[]string{"DataExpires", "TheShortestTTLIsATTL"}},
	{"a second put keeps the first ttl", func(f *fake) {
		put := f.put
		var ttls sync.Map
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			first, _ := ttls.LoadOrStore(key, ttl)
			return put(ctx, key, data, first.(time.Duration))
		}
	}, []string{"PutReplacesTheTTL"}},
	{"no ttl means forever", heldFor(func(ttl time.Duration) time.Duration {
		if ttl <= 0 {
			ttl = 1000 * time.Hour
		}
		return ttl
	}), []string{"ATTLMustBePositive"}},
	{"data is kept by reference", byReference(func(b []byte) []byte { return b }), []string{"DataIsNotShared"}},
	{"data is lent by reference", byReference(bytes.Clone), []string{"DataIsNotShared"}},
	{"contexts are ignored", func(f *fake) {
		g := *f
		f.get = func(ctx context.Context, key string) ([]byte, error) { return g.get(context.WithoutCancel(ctx), key) }
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			return g.put(context.WithoutCancel(ctx), key, data, ttl)
		}
		f.del = func(ctx context.Context, key string) error { return g.del(context.WithoutCancel(ctx), key) }
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			return g.tryLock(context.WithoutCancel(ctx), key, ttl)
		}
	}, []string{"AnEndedContextIsTheError", "AnEndedContextIsTheErrorOfTryLock"}},
	{"an ended context is a miss", func(f *fake) {
		get := f.get
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			if ctx.Err() != nil {
				return nil, cache.ErrMiss
			}
			return get(ctx, key)
		}
	}, []string{"AnEndedContextIsTheError"}},
	{"an ended context is another error", func(f *fake) {
		del := f.del
		f.del = func(ctx context.Context, key string) error {
			if err := ctx.Err(); err != nil {
				return errors.New(err.Error())
			}
			return del(ctx, key)
		}
	}, []string{"AnEndedContextIsTheError"}},
	{"an ended context is waited out", func(f *fake) {
		get := f.get
		f.get = func(ctx context.Context, key string) ([]byte, error) {
			if ctx.Err() != nil {
				time.Sleep(2 * patience)
			}
			return get(ctx, key)
		}
	}, []string{"AnEndedContextIsTheError"}},
	{"put is not atomic", func(f *fake) {
		put := f.put
		f.put = func(ctx context.Context, key string, data []byte, ttl time.Duration) error {
			if err := put(ctx, key, data[:len(data)/2], ttl); err != nil {
				return err
			}
			time.Sleep(3 * time.Millisecond)
			return put(ctx, key, data, ttl)
		}
	}, []string{"ConcurrentReadersSeeWholeData"}},

	{"a lock excludes nobody", func(f *fake) {
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			return func(context.Context) error { return nil }, ctx.Err() == nil, ctx.Err()
		}
	}, []string{"ALockExcludesOthers", "OfManyAtOnceOneGetsTheLock", "NeverTwoHoldTheLock", "AnUnlockHasItsOwnContext",
		"UnlockingTwiceDoesNoHarm"}},
	{"taking a lock is not atomic", func(f *fake) {
		tryLock := f.tryLock
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			unlock, ok, err := tryLock(ctx, key, ttl)
			if !ok || err != nil {
				return unlock, ok, err
			}
			if err := unlock(ctx); err != nil { // it was only looked at
				return nil, false, err
			}
			time.Sleep(time.Millisecond)
			if unlock, ok, err = tryLock(ctx, key, ttl); !ok {
				unlock = func(context.Context) error { return nil }
			}
			return unlock, true, err
		}
	}, []string{"OfManyAtOnceOneGetsTheLock", "NeverTwoHoldTheLock"}},
	{"a lock is for good", func(f *fake) {
		tryLock := f.tryLock
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			_, ok, err := tryLock(ctx, key, ttl)
			return func(context.Context) error { return nil }, ok, err
		}
	}, []string{"ALockExcludesOthers", "AnUnlockHasItsOwnContext"}},
	{"a held lock is an error", func(f *fake) {
		tryLock := f.tryLock
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			unlock, ok, err := tryLock(ctx, key, ttl)
			if !ok && err == nil {
				err = errors.New("somebody holds it")
			}
			return unlock, ok, err
		}
	}, []string{"ALockExcludesOthers"}},
	{"no unlock", func(f *fake) {
		tryLock := f.tryLock
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			_, ok, err := tryLock(ctx, key, ttl)
			return nil, ok, err
		}
	}, []string{"ALockExcludesOthers"}},
	{"there is one lock for all keys", func(f *fake) {
		tryLock := f.tryLock
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			return tryLock(ctx, "lock", ttl)
		}
	}, []string{"LocksOfDifferentKeysAreIndependent"}},
	{"locks do not expire", mapLocks(true, false, false), []string{"ALockExpires"}},
	{"anyone unlocks", mapLocks(false, true, false), []string{"AFormerOwnerLeavesTheNewOwnersLockAlone", "UnlockingTwiceDoesNoHarm"}},
	{"unlocking twice unlocks the next", mapLocks(false, false, true), []string{"UnlockingTwiceDoesNoHarm"}},
	{"unlocking late locks for good", func(f *fake) {
		tryLock := f.tryLock
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			start := time.Now()
			unlock, ok, err := tryLock(ctx, key, ttl)
			return func(ctx context.Context) error {
				if time.Since(start) > ttl {
					tryLock(ctx, key, 1000*time.Hour)
					return nil
				}
				return unlock(ctx)
			}, ok, err
		}
	}, []string{"UnlockAfterExpiryLeavesTheKeyFree"}},
	{"a lock ends with its context", func(f *fake) {
		tryLock := f.tryLock
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			unlock, ok, err := tryLock(ctx, key, ttl)
			if ok {
				context.AfterFunc(ctx, func() { unlock(ctx) })
			}
			return unlock, ok, err
		}
	}, []string{"AnUnlockHasItsOwnContext"}},
	{"a lock is data", func(f *fake) {
		g := *f
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			if _, err := g.get(ctx, key); !errors.Is(err, cache.ErrMiss) {
				return nil, false, err
			}
			return func(ctx context.Context) error { return g.del(ctx, key) }, true,
				g.put(ctx, key, []byte("locked"), ttl)
		}
	}, []string{"LocksAndDataDoNotCollide"}},
	{"delete unlocks", func(f *fake) {
		del, tryLock := f.del, f.tryLock
		var unlocks sync.Map
		f.tryLock = func(ctx context.Context, key string, ttl time.Duration) (unlock, bool, error) {
			unlock, ok, err := tryLock(ctx, key, ttl)
			if ok {
				unlocks.Store(key, unlock)
			}
			return unlock, ok, err
		}
		f.del = func(ctx context.Context, key string) error {
			if unlock, ok := unlocks.Load(key); ok {
				unlock.(func(context.Context) error)(ctx)
			}
			return del(ctx, key)
		}
	}, []string{"LocksAndDataDoNotCollide"}},
}
