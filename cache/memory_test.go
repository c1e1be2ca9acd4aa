package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/storetest"
)

func TestMemoryIsAConformingStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) cache.Store { return cache.Memory() })
}

func TestStoreInUseCanBePrinted(t *testing.T) {
	memory := cache.Memory()
	sealed, err := cache.Seal(memory, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 1000 {
			memory.Put(t.Context(), fmt.Sprint(i), []byte("canary"), time.Hour)
		}
	})
	for range 100 {
		if got := fmt.Sprintf("%v %+v %#v", memory, sealed, &memory); strings.Contains(got, "canary") ||
			!strings.HasPrefix(got, "cache.Memory cache.Seal(*cache.memory) ") {
			t.Fatal(got)
		}
	}
	wg.Wait()
}

func TestMemoryIsSharedByWhoeverHoldsIt(t *testing.T) {
	t.Parallel()
	storetest.RunShared(t, func(*testing.T) (a, b cache.Store) {
		m := cache.Memory()
		return m, m
	})
}

func TestMemoryForgetsAtTheEndOfTheTTLAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := cache.Memory()
		if err := m.Put(t.Context(), "k", []byte("v"), time.Hour); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - 1)
		if data, err := m.Get(t.Context(), "k"); err != nil || string(data) != "v" {
			t.Fatalf("1 ns before the end of its ttl: Get = %q, %v", data, err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := m.Get(t.Context(), "k"); !errors.Is(err, cache.ErrMiss) {
			t.Fatalf("at the end of its ttl: Get = %v, want ErrMiss", err)
		}
	})
}

func TestMemoryLendsALockForItsTTLAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := cache.Memory().(cache.Locker)
		if _, ok, err := l.TryLock(t.Context(), "k", time.Minute); !ok || err != nil {
			t.Fatalf("first TryLock = %v, %v", ok, err)
		}
		time.Sleep(time.Minute - 1)
		if _, ok, err := l.TryLock(t.Context(), "k", time.Minute); ok || err != nil {
			t.Fatalf("1 ns before the end of the lock: TryLock = %v, %v", ok, err)
		}
		time.Sleep(time.Nanosecond)
		if _, ok, err := l.TryLock(t.Context(), "k", time.Minute); !ok || err != nil {
			t.Fatalf("at the end of the lock: TryLock = %v, %v", ok, err)
		}
	})
}

func TestMemoryDropsWhatHasExpiredAsNewDataComesIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := cache.Memory()
		const rounds, perRound = 100, 100
		for round := range rounds {
			for i := range perRound {
				key := fmt.Sprint(round, "/", i)
				if err := m.Put(t.Context(), key, []byte("v"), time.Second); err != nil {
					t.Fatal(err)
				}
				if _, _, err := m.(cache.Locker).TryLock(t.Context(), key, time.Second); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		// fmt lists the entries of both maps, which counts them from outside.
		held := strings.Count(fmt.Sprintf("%+v", m), "0x")
		if held > 6*perRound {
			t.Errorf("after %d records and as many locks expired, %d things are still held", rounds*perRound, held)
		}
	})
}

func TestMemoryRefusesALockWithoutATTL(t *testing.T) {
	unlock, ok, err := cache.Memory().(cache.Locker).TryLock(t.Context(), "k", 0)
	if err == nil || ok || unlock != nil {
		t.Errorf("TryLock for 0 = %t, %v, want an error", ok, err)
	}
}

func TestPrintingAMemoryShowsNoData(t *testing.T) {
	const canary = "canary-token"
	m := cache.Memory()
	if err := m.Put(context.Background(), "k", []byte(canary), time.Hour); err != nil {
		t.Fatal(err)
	}
	checkNoCanary(t, canary, m)
}

// checkNoCanary prints v in every way and looks for the canary, as text and in the forms in which fmt writes bytes.
func checkNoCanary(t *testing.T, canary string, v any) {
	t.Helper()
	decimal := strings.Trim(fmt.Sprint([]byte(canary)), "[]")
	goSyntax := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", []byte(canary)), "[]byte{"), "}")
	hex := fmt.Sprintf("%x", canary)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed := fmt.Sprintf(verb, v)
		for _, form := range []string{canary, decimal, goSyntax, hex} {
			if strings.Contains(printed, form) {
				t.Errorf("%s prints the canary: %s", verb, printed)
			}
		}
	}
}
