package cache_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

// A store is a Memory that can be told to misbehave.
type store struct {
	cache.Store
	calls atomic.Int64
	err   atomic.Pointer[error]
	hang  atomic.Int64 // nanoseconds, whatever the context says
	put   atomic.Int64 // the same for Put alone
	full  atomic.Bool  // Put is an error
}

func newStore() *store { return &store{Store: cache.Memory()} }

func (s *store) down(err error) { s.err.Store(&err) }
func (s *store) up()            { s.err.Store(nil) }

func (s *store) trouble() error {
	s.calls.Add(1)
	time.Sleep(time.Duration(s.hang.Load()))
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.trouble(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s *store) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	if err := s.trouble(); err != nil {
		return err
	}
	time.Sleep(time.Duration(s.put.Load()))
	if s.full.Load() {
		return errors.New("read-only")
	}
	return s.Store.Put(ctx, key, data, ttl)
}

func (s *store) TryLock(ctx context.Context, key string, ttl time.Duration) (func(context.Context) error, bool, error) {
	if err := s.trouble(); err != nil {
		return nil, false, err
	}
	return s.Store.(cache.Locker).TryLock(ctx, key, ttl)
}

// fleet runs f with n processes' caches that share a server and a store.
func fleet(t *testing.T, n int, o cache.Options, f func(t *testing.T, s *server, st *store, fleet []*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, st := newServer(), newStore()
		o.Store = st
		var rigs []*rig
		for range n {
			c := cache.New(o)
			defer c.Close()
			rigs = append(rigs, &rig{t: t, server: s, Cache: c, Entry: c.Entry("key", s.fetch)})
		}
		f(t, s, st, rigs)
	})
}

func TestFleetThatStartsColdMakesOneFetch(t *testing.T) {
	fleet(t, 50, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.delay = 300 * time.Millisecond
		var wg sync.WaitGroup
		for _, r := range fleet {
			wg.Go(func() {
				if tok, waited := r.token(); tok != "token-1" || waited > time.Second {
					t.Errorf("got %s after %v", tok, waited)
				}
			})
		}
		wg.Wait()
		fleet[0].wantRequests(1)
	})
}

func TestFleetMakesOneFetchPerTokenLife(t *testing.T) {
	fleet(t, 50, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.lifetime, s.delay = time.Minute, 200*time.Millisecond
		var wg sync.WaitGroup
		start := time.Now()
		for i, r := range fleet {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				r.token()
				for time.Since(start) < 4*time.Minute {
					if _, waited := r.token(); waited != 0 {
						t.Errorf("a caller waited %v", waited)
					}
					time.Sleep(500 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		if n := s.requests(); n < 5 || n > 6 {
			t.Errorf("%d requests in 240 s, want one for each 45 to 51 s", n)
		}
		if s.peak != 1 {
			t.Errorf("%d requests at a time, want 1", s.peak)
		}
	})
}

func TestHolderOfTheLockThatDiesDelaysTheRestByItsTTL(t *testing.T) {
	fleet(t, 10, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		// A process took the lock as a Cache does, and died.
		if _, ok, err := st.TryLock(t.Context(), "key", 10*time.Second); !ok || err != nil {
			t.Fatal(ok, err)
		}
		var wg sync.WaitGroup
		for _, r := range fleet {
			wg.Go(func() {
				if _, waited := r.token(); waited > 11*time.Second {
					t.Errorf("waited %v for a lock of 10 s", waited)
				}
			})
		}
		wg.Wait()
		fleet[0].wantRequests(1)
	})
}

func TestLockIsHeldForAThirdOfFetchTimeout(t *testing.T) {
	fleet(t, 2, cache.Options{FetchTimeout: 9 * time.Second}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.delay = time.Minute // until FetchTimeout
		go fleet[0].Token(t.Context())
		synctest.Wait()
		time.Sleep(3*time.Second - 1)
		if _, ok, _ := st.TryLock(t.Context(), "key", time.Second); ok {
			t.Error("the lock was free before its time")
		}
		time.Sleep(time.Nanosecond)
		if _, ok, _ := st.TryLock(t.Context(), "key", time.Second); !ok {
			t.Error("the lock was still held after its time")
		}
		time.Sleep(10 * time.Second)
	})
}

func TestStoreThatIsDownIsAMissWithOneWarning(t *testing.T) {
	var log bytes.Buffer
	o := cache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
	fleet(t, 1, o, func(t *testing.T, s *server, st *store, fleet []*rig) {
		r := fleet[0]
		s.lifetime = time.Minute
		for outage := 1; outage <= 2; outage++ {
			st.down(errors.New("connection refused"))
			start := time.Now()
			for time.Since(start) < 10*time.Minute {
				if _, waited := r.token(); waited != 0 {
					t.Errorf("a caller waited %v", waited)
				}
				time.Sleep(time.Second)
			}
			synctest.Wait()
			if n := strings.Count(log.String(), "connection refused"); n != outage {
				t.Errorf("%d warnings in %d outages:\n%s", n, outage, &log)
			}
			st.up()
			time.Sleep(time.Minute)
			r.token()
			time.Sleep(time.Minute)
			r.token()
		}
		if n := s.requests(); n > 24*60/45+2 {
			t.Errorf("%d requests in 24 minutes of tokens that live one", n)
		}
	})
}

func TestStoreThatHangsCostsOnceThenIsLeftAlone(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		r := fleet[0]
		st.hang.Store(int64(2 * time.Second))
		if tok, waited := r.token(); tok != "token-1" || waited > 500*time.Millisecond {
			t.Errorf("got %s after %v, want token-1 after half a second", tok, waited)
		}
		r.invalidate("token-1")
		r.want("token-2")
		if n := st.calls.Load(); n != 1 {
			t.Errorf("%d calls of a Store that hangs", n)
		}
		time.Sleep(time.Minute)
	})
}

func TestStoreNeverHoldsUpACallerWithALivingToken(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		r := fleet[0]
		s.lifetime = 1000 * time.Second
		r.want("token-1")
		time.Sleep(900 * time.Second)
		st.hang.Store(int64(2 * time.Second))
		r.want("token-1") // stale
		time.Sleep(time.Second)
		r.want("token-2")
		time.Sleep(991 * time.Second)
		if _, waited := r.token(); waited > 50*time.Millisecond {
			t.Errorf("inside the margin a caller waited %v", waited)
		}
		time.Sleep(time.Minute)
	})
}

func TestRubbishInTheStoreIsAMiss(t *testing.T) {
	for name, data := range map[string]string{
		"empty": "", "text": "rubbish", "another version": `{"v":99,"access_token":"x","expiry":99999999999999}`,
		"no token": `{"v":1,"written":1,"expiry":99999999999999}`, "never ends": `{"v":1,"access_token":"x","expiry":9223372036854775807}`,
	} {
		t.Run(name, func(t *testing.T) {
			fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
				st.Put(t.Context(), "key", []byte(data), time.Hour)
				fleet[0].want("token-1")
				fleet[1].want("token-1") // it was replaced
				fleet[0].wantRequests(1)
			})
		})
	}
}

// A wrapping store puts a context around each miss.
type wrapping struct{ cache.Store }

func (s wrapping) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := s.Store.Get(ctx, key)
	if err != nil {
		err = fmt.Errorf("get %s: %w", key, err)
	}
	return data, err
}

func TestWrappedMissIsAPlainMiss(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	inBubble(t, cache.Options{Store: wrapping{cache.Memory()}, Logger: logger}, func(t *testing.T, r *rig) {
		r.want("token-1")
		if log.Len() > 0 {
			t.Errorf("a store that holds nothing is warned of:\n%s", &log)
		}
	})
}

func TestSealedRecordThatDoesNotOpenIsWarnedOfOnce(t *testing.T) {
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s, st := newServer(), cache.Memory()
		for i := range 2 {
			sealed, err := cache.Seal(st, bytes.Repeat([]byte{byte(i)}, 32))
			if err != nil {
				t.Fatal(err)
			}
			c := cache.New(cache.Options{Store: sealed, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			defer c.Close()
			if tok, err := c.Entry("key", s.fetch).Token(t.Context()); err != nil ||
				tok.AccessToken != fmt.Sprint("token-", i+1) {
				t.Errorf("got %v, %v", tok, err)
			}
		}
		synctest.Wait() // for the log
		if n := strings.Count(log.String(), "opens with none"); n != 1 {
			t.Errorf("%d warnings, want 1:\n%s", n, &log)
		}
	})
}

func TestRejectedTokenIsAMissWhereverItLies(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		a, b := fleet[0], fleet[1]
		a.want("token-1")
		b.want("token-1")
		a.invalidate("token-1")
		a.want("token-2") // not the one in the Store
		b.invalidate("token-1")
		b.want("token-2") // renewed by another process: taken over
		a.wantRequests(2)
	})
}

func TestTokenKnownToBeRejectedIsNotStored(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.same = "same"
		fleet[0].want("same")
		st.Delete(t.Context(), "key")
		fleet[0].invalidate("same")
		fleet[0].want("same")
		if _, err := st.Get(t.Context(), "key"); !errors.Is(err, cache.ErrMiss) {
			t.Errorf("the Store holds the rejected token (%v)", err)
		}
	})
}

func TestCachedTokenCallsNoStore(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		fleet[0].want("token-1")
		n := st.calls.Load()
		if allocs := testing.AllocsPerRun(1000, func() { fleet[0].Token(t.Context()) }); allocs != 0 ||
			st.calls.Load() != n {
			t.Errorf("a cached Token costs %v allocations and %d calls of the Store", allocs, st.calls.Load()-n)
		}
	})
}

func TestForcedFetchIsShared(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		fleet[0].want("token-1")
		if _, err := fleet[0].Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		fleet[1].want("token-2")
		fleet[0].wantRequests(2)
	})
}

func TestLockThatComesTooLateIsGivenBack(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		slowLock := &slowLocker{store: st}
		c := cache.New(cache.Options{Store: slowLock})
		defer c.Close()
		if _, err := c.Entry("key", s.fetch).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if _, ok, err := st.TryLock(t.Context(), "key", time.Second); !ok || err != nil {
			t.Errorf("the lock is still held (%v)", err)
		}
	})
}

type slowLocker struct{ *store }

func (s *slowLocker) TryLock(
	ctx context.Context, key string, ttl time.Duration,
) (func(context.Context) error, bool, error) {
	time.Sleep(3 * time.Second)
	return s.store.TryLock(context.WithoutCancel(ctx), key, time.Hour)
}

func TestExtraFieldsReachOtherProcesses(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.extra = map[string]any{"instance_url": "https://x.example", "issued_at": 17.0, "scope": "a b"}
		for _, r := range fleet {
			tok, err := r.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range s.extra {
				if got := tok.Extra(name); got != want {
					t.Errorf("Extra(%q) = %v, want %v", name, got, want)
				}
			}
			if tok.TokenType != "Bearer" || !tok.Expiry.Equal(s.times[0].Add(s.lifetime)) {
				t.Errorf("type %q, expiry %v", tok.TokenType, tok.Expiry)
			}
		}
		fleet[0].wantRequests(1)
	})
}

func TestExtraFieldThatCannotBeStoredIsNoFault(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.extra = map[string]any{"f": func() {}}
		fleet[0].want("token-1")
		fleet[1].want("token-2")
	})
}

func TestPanicInAStoreIsAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		c := cache.New(cache.Options{Store: panicStore{}})
		defer c.Close()
		if tok, err := c.Entry("key", s.fetch).Token(t.Context()); err != nil || tok.AccessToken != "token-1" {
			t.Errorf("got %v, %v", tok, err)
		}
	})
}

type panicStore struct{ cache.Store }

func TestNobodyWaitsForAPut(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.delay = 100 * time.Millisecond
		st.put.Store(int64(400 * time.Millisecond))
		if _, waited := fleet[0].token(); waited != s.delay {
			t.Errorf("Token took %v, the server %v", waited, s.delay)
		}
		start := time.Now()
		if _, err := fleet[0].Refresh(t.Context()); err != nil || time.Since(start) != s.delay {
			t.Errorf("Refresh took %v (%v), the server %v", time.Since(start), err, s.delay)
		}
	})
}

func TestStoreCostsACallerHalfASecondInAll(t *testing.T) {
	for _, slow := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 450 * time.Millisecond,
		3 * time.Second} {
		t.Run(slow.String(), func(t *testing.T) {
			fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
				st.hang.Store(int64(slow))
				s.delay = 100 * time.Millisecond
				for range 3 {
					tok, waited := fleet[0].token()
					if waited > 500*time.Millisecond+s.delay {
						t.Errorf("a caller waited %v", waited)
					}
					fleet[0].invalidate(tok)
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}

func TestStoreThatIsSlowIsUsedAllTheSame(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		st.hang.Store(int64(200 * time.Millisecond))
		fleet[0].token()
		time.Sleep(2 * time.Second)
		if tok, _ := fleet[1].token(); tok != "token-1" {
			t.Errorf("got %s, want the one in the Store", tok)
		}
	})
}

func TestRecordThatNoServerCouldHaveAnsweredIsAMiss(t *testing.T) {
	record := func(change func(r map[string]any)) []byte {
		r := map[string]any{"v": 1, "access_token": "theirs", "token_type": "Bearer", "written": 946684800000,
			"refresh": 946684800000 + 800_000, "expiry": 946684800000 + 1000_000, "life": 1000_000}
		change(r)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	extras := make(map[string]any)
	for i := range 1000 {
		extras[fmt.Sprint(i)] = i
	}
	for name, x := range map[string]struct {
		change func(r map[string]any)
		want   string
	}{
		"as it should be":          {func(r map[string]any) {}, "theirs"},
		"line break in the token":  {func(r map[string]any) { r["access_token"] = "a\r\nX-Evil: b" }, "token-1"},
		"no ASCII in the token":    {func(r map[string]any) { r["access_token"] = "tökén" }, "token-1"},
		"token type":               {func(r map[string]any) { r["token_type"] = "mac" }, "token-1"},
		"token type is a line":     {func(r map[string]any) { r["token_type"] = "Bearer\n" }, "token-1"},
		"expires_in below zero":    {func(r map[string]any) { r["expires_in"] = -1 }, "token-1"},
		"lives longer than it can": {func(r map[string]any) { r["expiry"] = 946684800000 + 2000_000 }, "token-1"},
		"no life":                  {func(r map[string]any) { delete(r, "life") }, "token-1"},
		"written before the era":   {func(r map[string]any) { r["written"] = -5 }, "token-1"},
		"a thousand extra fields":  {func(r map[string]any) { r["extra"] = extras }, "token-1"},
		"an extra field of 1 MiB":  {func(r map[string]any) { r["extra"] = map[string]any{"x": strings.Repeat("x", 1<<20)} }, "token-1"},
	} {
		t.Run(name, func(t *testing.T) {
			fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
				st.Put(t.Context(), "key", record(x.change), time.Hour)
				fleet[0].want(x.want)
			})
		})
	}
}

func TestUnsealedRecordPinsNoTokenForLongerThanADay(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		const years = 5 * 365 * 24 * 3600 * 1000
		now := time.Now().UnixMilli()
		st.Put(t.Context(), "key", fmt.Appendf(nil, `{"v":1,"access_token":"theirs","written":%d,"refresh":%d,"expiry":%d,"life":%d}`,
			now, now+years, now+years, years), 10*years*time.Millisecond)
		fleet[0].want("theirs")
		time.Sleep(25 * time.Hour)
		fleet[0].want("token-1")
	})
}

func TestTokensOfARecordAreNoExtraFields(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		now := time.Now().UnixMilli()
		st.Put(t.Context(), "key", fmt.Appendf(nil, `{"v":1,"access_token":"a","written":%d,"refresh":%d,"expiry":%d,"life":3600000,"extra":{"refresh_token":"r","scope":"s"}}`,
			now, now+3000_000, now+3600_000), time.Hour)
		tok, err := fleet[0].Token(t.Context())
		if err != nil || tok.Extra("refresh_token") != nil || tok.Extra("scope") != "s" {
			t.Errorf("got %v with a refresh token %v and scope %v, %v", tok.AccessToken, tok.Extra("refresh_token"),
				tok.Extra("scope"), err)
		}
	})
}
