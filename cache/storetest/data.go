package storetest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

var dataChecks = []dataCheck{
	{"AnAbsentKeyIsAMiss", func(t testing.TB, a, b cache.Store) {
		wantMiss(t, a, newKey(), "nothing was put there")
	}},
	{"WhatWasPutComesOut", func(t testing.TB, a, b cache.Store) {
		key := newKey()
		put(t, a, key, []byte("first"), long)
		holds(t, b, key, []byte("first"))
		holds(t, b, key, []byte("first")) // reading does not consume
	}},
	{"TheLastPutWins", func(t testing.TB, a, b cache.Store) {
		key := newKey()
		put(t, a, key, []byte("a first value, longer than the second"), long)
		put(t, b, key, []byte("second"), long)
		holds(t, a, key, []byte("second"))
		holds(t, b, key, []byte("second"))
	}},
	{"AnyBytesAreKept", checkAnyBytes},
	{"LargeDataIsKept", checkLargeData},
	{"KeysAreToldApart", checkKeys},
	{"DeleteRemoves", func(t testing.TB, a, b cache.Store) {
		key, other := newKey(), newKey()
		put(t, a, key, []byte("gone"), long)
		put(t, a, other, []byte("kept"), long)
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		wantMiss(t, a, key, "it was deleted")
		holds(t, a, other, []byte("kept"))
		put(t, a, key, []byte("back"), long)
		holds(t, b, key, []byte("back"))
	}},
	{"DeleteOfNothingIsNoError", func(t testing.TB, a, b cache.Store) {
		if err := a.Delete(t.Context(), newKey()); err != nil {
			t.Fatalf("Delete of an absent key: %v", err)
		}
	}},
	{"DataExpires", func(t testing.TB, a, b cache.Store) {
		key, other := newKey(), newKey()
		put(t, a, other, []byte("lives on"), long)
		start := time.Now()
		put(t, a, key, []byte("v"), short)
		expires(t, "data", start, short, func() bool { return misses(t, b, key) })
		wantMiss(t, b, key, "it had expired")
		holds(t, b, other, []byte("lives on"))
		put(t, a, key, []byte("back"), long)
		holds(t, b, key, []byte("back"))
	}},
	{"PutReplacesTheTTL", func(t testing.TB, a, b cache.Store) {
		longer, shorter := newKey(), newKey()
		put(t, a, longer, []byte("v"), short)
		put(t, a, longer, []byte("v"), long)
		put(t, a, shorter, []byte("v"), long)
		start := time.Now()
		put(t, a, shorter, []byte("v"), short)
		expires(t, "data put again for less", start, short, func() bool { return misses(t, b, shorter) })
		holds(t, b, longer, []byte("v"))
	}},
	{"TheShortestTTLIsATTL", func(t testing.TB, a, b cache.Store) {
		key := newKey()
		start := time.Now()
		put(t, a, key, []byte("v"), 1)
		expires(t, "data", start, 1, func() bool { return misses(t, b, key) })
	}},
	{"ATTLMustBePositive", func(t testing.TB, a, b cache.Store) {
		for _, ttl := range []time.Duration{0, -1, -time.Hour} {
			key := newKey()
			if err := a.Put(t.Context(), key, []byte("v"), ttl); err == nil {
				t.Errorf("Put for %v: no error", ttl)
			}
			wantMiss(t, b, key, "its Put was an error")
		}
	}},
	{"DataIsNotShared", func(t testing.TB, a, b cache.Store) {
		key := newKey()
		in := []byte("original")
		put(t, a, key, in, long)
		clear(in)
		holds(t, a, key, []byte("original"))
		out, err := a.Get(t.Context(), key)
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		clear(out)
		holds(t, a, key, []byte("original"))
	}},
	{"AnEndedContextIsTheError", checkEndedContexts},
	{"ConcurrentReadersSeeWholeData", checkConcurrency},
}

func checkAnyBytes(t testing.TB, a, b cache.Store) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, data := range [][]byte{
		all,
		{},
		nil,
		{0},
		[]byte("\x00\x00"),
		[]byte("ends in a newline\n"),
		[]byte("\r\n"),
		[]byte(" spaces around "),
		[]byte("\xff\xfe invalid UTF-8 \xc3\x28"),
		[]byte(`{"quoted":"\"json\""}`),
		[]byte("+OK\r\n$-1\r\n"),
	} {
		key := newKey()
		put(t, a, key, data, long)
		holds(t, b, key, data)
	}
}

func checkLargeData(t testing.TB, a, b cache.Store) {
	data := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{})
	r.Read(data) // random: nothing on the way can make it smaller
	key := newKey()
	put(t, a, key, data, long)
	holds(t, b, key, data)
	put(t, a, key, []byte("small again"), long)
	holds(t, b, key, []byte("small again"))
}

// awkwardKeys are pairwise different. A Cache's keys are short and printable, and none is empty; the rest of these are
// those of a user of the store itself.
func awkwardKeys() []string {
	base := newKey()
	return []string{
		base,
		base + "K",
		base + "k", // file systems that fold case
		base + " ",
		base + "/",
		base + "/a",
		base + "/../a",
		base + "/./a",
		base + `\a`,
		base + ".",
		base + "..",
		base + ":a",
		base + "*", // patterns
		base + "?",
		base + "[a]",
		base + "{a}", // hash tags of a cluster
		base + "{b}",
		base + "%41",
		base + "A", // what %41 stands for
		base + "é",
		base + "e\u0301", // the same letter, not normalised
		base + "\u65e5\u672c",
		base + "\U0001f511",
		base + strings.Repeat("x", 300),
		base + strings.Repeat("x", 299) + "y",
		"../" + base,
		"/" + base,
		"." + base,
		"-" + base,
		"CON." + base,
	}
}

func checkKeys(t testing.TB, a, b cache.Store) {
	keys := awkwardKeys()
	for _, key := range keys {
		wantMiss(t, a, key, "nothing was put there")
		put(t, a, key, []byte(key), long)
	}
	for _, key := range keys {
		holds(t, b, key, []byte(key))
	}
	for i, key := range keys {
		if err := a.Delete(t.Context(), key); err != nil {
			t.Fatalf("Delete of %.80q: %v", key, err)
		}
		wantMiss(t, b, key, "it was deleted")
		for _, later := range keys[i+1:] {
			if misses(t, b, later) {
				t.Fatalf("Delete of %.80q removed %.80q", key, later)
			}
		}
	}
}

func checkEndedContexts(t testing.TB, a, b cache.Store) {
	for want, ctx := range endedContexts(t) {
		present, absent := newKey(), newKey()
		put(t, a, present, []byte("v"), long)
		calls := map[string]func() error{
			"Get of a present key": func() error { _, err := a.Get(ctx, present); return err },
			"Get of an absent key": func() error { _, err := a.Get(ctx, absent); return err },
			"Put":                  func() error { return a.Put(ctx, absent, []byte("v"), long) },
			"Delete":               func() error { return a.Delete(ctx, absent) },
		}
		for call, f := range calls {
			what := call + " with a context that has ended"
			if err := promptly(t, what, f); !errors.Is(err, want) {
				t.Errorf("%s: %v, want an error that is %v", what, err, want)
			}
		}
		holds(t, b, present, []byte("v"))
	}
}

// checkConcurrency has some write one key while others read and delete it. What is read is always what one writer put,
// from its first byte to its last.
func checkConcurrency(t testing.TB, a, b cache.Store) {
	const (
		writers, readers = 4, 4
		rounds           = 20
	)
	key := newKey()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	var writing, reading sync.WaitGroup
	var written atomic.Bool
	for w := range writers {
		writing.Go(func() {
			s := [...]cache.Store{a, b}[w%2]
			for r := range rounds {
				data := bytes.Repeat([]byte{byte('A' + w)}, 1+w*5000+r*100)
				if err := s.Put(ctx, key, data, long); err != nil {
					t.Errorf("concurrent Put: %v", err)
					return
				}
				if r%7 == 6 {
					if err := s.Delete(ctx, key); err != nil {
						t.Errorf("concurrent Delete: %v", err)
						return
					}
				}
			}
		})
	}
	for r := range readers {
		reading.Go(func() {
			s := [...]cache.Store{a, b}[r%2]
			for !written.Load() {
				data, err := s.Get(ctx, key)
				switch {
				case errors.Is(err, cache.ErrMiss):
				case err != nil:
					t.Errorf("concurrent Get: %v", err)
					return
				case !whole(data, writers):
					t.Errorf("concurrent Get: %d bytes that nobody put, from %.10q", len(data), data)
					return
				}
				time.Sleep(time.Millisecond) // leave the processor to the writers
			}
		})
	}
	writing.Wait()
	written.Store(true)
	reading.Wait()
}

// whole reports whether data is what one of checkConcurrency's writers put.
func whole(data []byte, writers int) bool {
	if len(data) == 0 {
		return false
	}
	w := int(data[0]) - 'A'
	if w < 0 || w >= writers || len(data) < 1+w*5000 || (len(data)-1-w*5000)%100 != 0 {
		return false
	}
	return bytes.Count(data, data[:1]) == len(data)
}
