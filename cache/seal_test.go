package cache_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/storetest"
)

// sealKey is a key of 32 bytes, another one for each n.
func sealKey(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }

func mustSeal(t testing.TB, s cache.Store, keys ...[]byte) cache.Store {
	t.Helper()
	sealed, err := cache.Seal(s, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func mustPut(t testing.TB, s cache.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, data, time.Hour); err != nil {
		t.Fatal(err)
	}
}

func mustGet(t testing.TB, s cache.Store, key string) []byte {
	t.Helper()
	data, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSealedStoreIsAConformingStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) cache.Store { return mustSeal(t, cache.Memory(), sealKey(1)) })
}

func TestSealedStoreIsSharedByWhoeverHasTheKey(t *testing.T) {
	t.Parallel()
	storetest.RunShared(t, func(t *testing.T) (a, b cache.Store) {
		m := cache.Memory()
		return mustSeal(t, m, sealKey(1)), mustSeal(t, m, sealKey(1))
	})
}

func TestSealHidesTheData(t *testing.T) {
	m := cache.Memory()
	token := []byte("a token that nobody who reads the store may learn")
	mustPut(t, mustSeal(t, m, sealKey(1)), "k", token)
	for size := 4; size <= len(token); size++ {
		if bytes.Contains(mustGet(t, m, "k"), token[:size]) {
			t.Fatalf("the store holds %q in the clear", token[:size])
		}
	}
}

func TestSealDrawsANonceForEachPut(t *testing.T) {
	m := cache.Memory()
	s := mustSeal(t, m, sealKey(1))
	mustPut(t, s, "k", []byte("the same"))
	first := mustGet(t, m, "k")
	mustPut(t, s, "k", []byte("the same"))
	if bytes.Equal(first, mustGet(t, m, "k")) {
		t.Error("the same data was sealed to the same record twice")
	}
}

func TestFirstKeySealsAndAllOpen(t *testing.T) {
	m := cache.Memory()
	oldest, both, newest := mustSeal(t, m, sealKey(1)), mustSeal(t, m, sealKey(2), sealKey(1)),
		mustSeal(t, m, sealKey(2))

	mustPut(t, oldest, "k", []byte("old"))
	if got := mustGet(t, both, "k"); string(got) != "old" {
		t.Errorf("with the old key second: Get = %q", got)
	}
	mustPut(t, both, "k", []byte("new"))
	if got := mustGet(t, newest, "k"); string(got) != "new" {
		t.Errorf("with the first key only: Get = %q", got)
	}
	if _, err := oldest.Get(t.Context(), "k"); !errors.Is(err, cache.ErrUnreadable) {
		t.Errorf("with the second key only: Get = %v, want ErrUnreadable", err)
	}
}

func TestRecordThatDoesNotOpenIsNoMiss(t *testing.T) {
	m := cache.Memory()
	s := mustSeal(t, m, sealKey(1))
	mustPut(t, s, "k", []byte("v"))
	good := mustGet(t, m, "k")

	flipped := func(i int) []byte {
		b := bytes.Clone(good)
		b[i] ^= 1
		return b
	}
	tests := []struct {
		name   string
		key    string
		record []byte
	}{
		{"moved to another key", "other", good},
		{"altered in its version", "k", flipped(0)},
		{"altered in its nonce", "k", flipped(1)},
		{"altered in its text", "k", flipped(13)},
		{"altered in its tag", "k", flipped(len(good) - 1)},
		{"cut", "k", good[:len(good)-1]},
		{"cut to its version", "k", good[:1]},
		{"longer", "k", append(bytes.Clone(good), 0)},
		{"empty", "k", nil},
		{"never sealed", "k", []byte(`{"access_token":"t"}`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mustPut(t, m, tt.key, tt.record)
			data, err := s.Get(t.Context(), tt.key)
			if !errors.Is(err, cache.ErrUnreadable) || !errors.Is(err, cache.ErrMiss) {
				t.Fatalf("Get = %q, %v, want ErrUnreadable, which is an ErrMiss", data, err)
			}
			if err == cache.ErrUnreadable {
				t.Error("the error does not say why")
			}
		})
	}
	mustPut(t, m, "k", good)
	if got := mustGet(t, s, "k"); string(got) != "v" {
		t.Errorf("the record put back as it was: Get = %q", got)
	}
}

func TestAbsentRecordIsAPlainMiss(t *testing.T) {
	if _, err := mustSeal(t, cache.Memory(), sealKey(1)).Get(t.Context(), "k"); err != cache.ErrMiss {
		t.Errorf("Get = %v, want ErrMiss itself, which nobody is warned of", err)
	}
}

func TestSealSaysWhatIsWrongWithItsArguments(t *testing.T) {
	tests := []struct {
		name  string
		store cache.Store
		keys  [][]byte
		want  []string
	}{
		{"no store", nil, [][]byte{sealKey(1)}, []string{"no store"}},
		{"no key", cache.Memory(), nil, []string{"no key", "openssl rand 32"}},
		{"a short key", cache.Memory(), [][]byte{sealKey(1), sealKey(2)[:16]},
			[]string{"key 2 has 16 bytes; AES-256-GCM wants 32: generate one with `openssl rand 32`"}},
		{"an empty key", cache.Memory(), [][]byte{{}}, []string{"key 1 has 0 bytes"}},
		{"a key as hex", cache.Memory(), [][]byte{bytes.Repeat([]byte("a1"), 32)}, []string{"key 1 has 64 bytes", "hex"}},
		{"a key as base64", cache.Memory(), [][]byte{bytes.Repeat([]byte("a"), 44)}, []string{"key 1 has 44 bytes", "base64"}},
		{"everything", nil, [][]byte{sealKey(1)[:31], sealKey(2), sealKey(3)[:1]}, []string{"no store", "key 1 ", "key 3 "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := cache.Seal(tt.store, tt.keys...)
			if err == nil || s != nil {
				t.Fatalf("Seal = %v, %v, want an error", s, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestSealedStoreIsALockerIfAndOnlyIfTheStoreIsOne(t *testing.T) {
	type plain struct{ cache.Store } // hides TryLock
	if _, ok := mustSeal(t, plain{cache.Memory()}, sealKey(1)).(cache.Locker); ok {
		t.Error("sealing a store without locks made it a Locker")
	}
	m := cache.Memory()
	l, ok := mustSeal(t, m, sealKey(1)).(cache.Locker)
	if !ok {
		t.Fatal("sealing a Locker lost its locks")
	}
	if _, ok, err := l.TryLock(t.Context(), "k", time.Hour); !ok || err != nil {
		t.Fatalf("TryLock = %v, %v", ok, err)
	}
	if _, ok, _ := m.(cache.Locker).TryLock(t.Context(), "k", time.Hour); ok {
		t.Error("a lock taken through the seal does not exclude one taken beside it")
	}
}

func TestSealKeepsNoReferenceToItsKeys(t *testing.T) {
	m := cache.Memory()
	key := sealKey(1)
	keys := [][]byte{key}
	s := mustSeal(t, m, keys...)
	clear(key)
	clear(keys)
	mustPut(t, s, "k", []byte("v"))
	if got := mustGet(t, mustSeal(t, m, sealKey(1)), "k"); string(got) != "v" {
		t.Errorf("Get = %q", got)
	}
}

func TestPrintingASealedStoreShowsNoKey(t *testing.T) {
	const canary = "canary-key-of-exactly-32-bytes-!"
	s := mustSeal(t, cache.Memory(), []byte(canary))
	mustPut(t, s, "k", []byte("v"))
	checkNoCanary(t, canary[:16], s)
	_, err := cache.Seal(cache.Memory(), []byte(canary+"too long"))
	checkNoCanary(t, canary[:16], err)
}

// sealedV1 is "v", sealed under the name "k" with sealKey(1).
const sealedV1 = "0126c882388b7a3fd42ad803f0046b179ad64749f6e28a81295eac35de3d"

func TestRecordOfVersion1Opens(t *testing.T) {
	record, err := hex.DecodeString(sealedV1)
	if err != nil {
		t.Fatal(err)
	}
	m := cache.Memory()
	mustPut(t, m, "k", record)
	if got := mustGet(t, mustSeal(t, m, sealKey(1)), "k"); string(got) != "v" {
		t.Errorf("Get = %q, want v", got)
	}
}

func FuzzOpenSealed(f *testing.F) {
	m := cache.Memory()
	s := mustSeal(f, m, sealKey(2), sealKey(1))
	sealed, err := hex.DecodeString(sealedV1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Fuzz(func(t *testing.T, record []byte) {
		mustPut(t, m, "k", record)
		data, err := s.Get(t.Context(), "k")
		switch {
		case err == nil && !bytes.Equal(record, sealed):
			t.Errorf("%x opened to %q", record, data)
		case err != nil && !errors.Is(err, cache.ErrUnreadable):
			t.Errorf("Get = %v, want ErrUnreadable", err)
		}
	})
}

// BenchmarkSeal seals and opens a token of 2 KiB; the store in between costs two copies. A slot is a Store that costs
// nothing, so that sealing and opening is all that is measured.
type slot struct {
	cache.Store
	data []byte
}

func (s *slot) Get(context.Context, string) ([]byte, error) { return s.data, nil }

func (s *slot) Put(_ context.Context, _ string, data []byte, _ time.Duration) error {
	s.data = data
	return nil
}

// BenchmarkSeal seals and opens a token of 2 KiB.
func BenchmarkSeal(b *testing.B) {
	for _, keys := range []int{1, 3} {
		b.Run(fmt.Sprint("keys=", keys), func(b *testing.B) {
			m := &slot{}
			var all [][]byte
			for n := range keys {
				all = append(all, sealKey(byte(n)))
			}
			// Seals with the key that the opening store tries last.
			sealing, opening := mustSeal(b, m, all[keys-1]), mustSeal(b, m, all...)
			token := bytes.Repeat([]byte("t"), 2<<10)
			ctx := b.Context()
			b.ReportAllocs()
			b.SetBytes(int64(len(token)))
			for b.Loop() {
				if err := sealing.Put(ctx, "k", token, time.Hour); err != nil {
					b.Fatal(err)
				}
				if _, err := opening.Get(ctx, "k"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestParseKeyReadsWhatPeopleWrite(t *testing.T) {
	key := []byte("\xfb\xff\xfe 29 bytes more, then the end\n ")[:32]
	for name, text := range map[string]string{
		"raw":                  string(key),
		"raw, newline":         string(key) + "\n",
		"hex":                  hex.EncodeToString(key),
		"hex, capitals":        strings.ToUpper(hex.EncodeToString(key)),
		"hex, white space":     " " + hex.EncodeToString(key) + "\r\n",
		"base64":               base64.StdEncoding.EncodeToString(key),
		"base64, newline":      base64.StdEncoding.EncodeToString(key) + "\n",
		"base64, not padded":   base64.RawStdEncoding.EncodeToString(key),
		"base64url":            base64.URLEncoding.EncodeToString(key),
		"base64url, no padded": base64.RawURLEncoding.EncodeToString(key),
	} {
		got, err := cache.ParseKey([]byte(text))
		if err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}
}

func TestParseKeySaysWhatIsWrongAndNotTheKey(t *testing.T) {
	for name, x := range map[string]struct{ text, want string }{
		"empty":       {"", "empty"},
		"white space": {" \n", "empty"},
		"short":       {"canary", "6 bytes"},
		"short hex":   {hex.EncodeToString([]byte("canary-canary")), "26 bytes"},
		"long base64": {base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("canary"), 6)), "48 bytes"},
	} {
		key, err := cache.ParseKey([]byte(x.text))
		if err == nil || key != nil || !strings.Contains(err.Error(), x.want) ||
			!strings.Contains(err.Error(), "openssl rand") {
			t.Errorf("%s: %x, %v, want an error that says %q and what to do", name, key, err, x.want)
		} else if text := strings.TrimSpace(x.text); text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte(strings.Repeat("a1", 32)))
	f.Add([]byte(base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := cache.ParseKey(data)
		if (err == nil) != (len(key) == 32) {
			t.Errorf("%q: %d bytes, %v", data, len(key), err)
		}
	})
}

func TestRecordOfRotatedKeyDoesNotReadAsMiss(t *testing.T) {
	inner := cache.Memory()
	before, err := cache.Seal(inner, bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	after, err := cache.Seal(inner, bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	if err := before.Put(t.Context(), "key", []byte("data"), time.Minute); err != nil {
		t.Fatal(err)
	}
	_, err = after.Get(t.Context(), "key")
	if !errors.Is(err, cache.ErrMiss) || strings.Contains(err.Error(), "miss") ||
		!strings.Contains(err.Error(), "was one rotated away") {
		t.Errorf("got %v", err)
	}
}
