package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

func TestProcessThatClosesInMidFetchGivesTheLockBack(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.delay = 5 * time.Second
		go fleet[0].Token(t.Context())
		time.Sleep(time.Second)
		fleet[0].Close()
		s.set(func(s *server) { s.delay = 0 })
		if _, waited := fleet[1].token(); waited != 0 {
			t.Errorf("another process waited %v for a lock whose holder had ended in good order", waited)
		}
	})
}

func TestTokenThatArrivesAsItsProcessClosesIsShared(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		st.hang.Store(int64(300 * time.Millisecond))
		go fleet[0].Token(t.Context())
		time.Sleep(time.Second) // Get, TryLock, Get, and in the middle of Put
		fleet[0].Close()
		fleet[1].token()
		fleet[0].wantRequests(1)
	})
}

func TestManyKeysAtAHangingStoreAreOneOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, st := newServer(), newStore()
		c := cache.New(cache.Options{Store: st})
		defer c.Close()
		token := func(key int) {
			t.Helper()
			start := time.Now()
			if _, err := c.Entry(fmt.Sprint(key), s.fetch).Token(t.Context()); err != nil || time.Since(start) > 500*time.Millisecond {
				t.Errorf("%v after %v", err, time.Since(start))
			}
		}
		st.hang.Store(int64(2 * time.Second))
		var wg sync.WaitGroup
		for key := range 100 {
			wg.Go(func() { token(key) })
		}
		wg.Wait()
		st.hang.Store(0)
		time.Sleep(1500 * time.Millisecond)
		before := st.calls.Load()
		token(100)
		if st.calls.Load() == before {
			t.Error("the Store is left alone for longer, the more keys there are")
		}
		time.Sleep(time.Second)
	})
}

func TestEndOfAFetchIsNotTheStoresFault(t *testing.T) {
	var log bytes.Buffer
	o := cache.Options{FetchTimeout: 300 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	fleet(t, 1, o, func(t *testing.T, s *server, st *store, fleet []*rig) {
		st.hang.Store(int64(400 * time.Millisecond)) // so that FetchTimeout ends a call
		if _, err := fleet[0].Token(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Token: %v", err)
		}
		if log.Len() > 0 {
			t.Errorf("the Store is blamed:\n%s", &log)
		}
		time.Sleep(time.Second)
	})
}

func TestOwnRecordDoesNotPutOffTheRefresh(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.lifetime = 1000 * time.Second
		for s.requests() < 20 {
			fleet[0].token()
			time.Sleep(time.Second)
		}
		for i, next := range s.times[1:] {
			if gap := next.Sub(s.times[i]); gap < 750*time.Second || gap > 802*time.Second {
				t.Errorf("a token of 1000 s was refreshed after %v", gap)
			}
		}
	})
}

func TestTokenOfAClockThatIsAheadDoesNotGrowYounger(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		const life, ahead = 1000, 700
		written := time.Now().Add(ahead * time.Second).UnixMilli()
		st.Put(t.Context(), "key", fmt.Appendf(nil,
			`{"v":1,"access_token":"theirs","token_type":"Bearer","written":%d,"refresh":%d,"expiry":%d,"life":%d}`,
			written, written+750_000, written+life*1000, life*1000), life*time.Second)
		start := time.Now()
		for s.requests() == 0 {
			if tok, _ := fleet[0].token(); tok == "theirs" && time.Since(start) > 852*time.Second {
				t.Fatalf("the token is taken for a new one after %v", time.Since(start))
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		fleet[0].want("token-1")
	})
}

func TestTokenThatAnotherProcessGotEndsACoolDown(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.err = busy(time.Hour)
		fleet[0].wantError(s.err)
		fleet[0].wantError(s.err)
		fleet[0].wantRequests(1)
		s.set(func(s *server) { s.err = nil })
		fleet[1].Refresh(t.Context())
		time.Sleep(time.Second)
		fleet[0].want("token-2")
		fleet[0].wantRequests(2)
	})
}

func TestCoolDownCallsTheStoreOnceASecond(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.err = busy(time.Hour)
		fleet[0].wantError(s.err)
		before := st.calls.Load()
		for range 600 {
			time.Sleep(100 * time.Millisecond)
			fleet[0].wantError(s.err)
		}
		if n := st.calls.Load() - before; n > 60 {
			t.Errorf("%d calls of the Store in a minute", n)
		}
		fleet[0].wantRequests(1)
	})
}

type busy time.Duration

func (busy) Error() string              { return "too many requests" }
func (b busy) CoolDown() cache.CoolDown { return cache.CoolDown{RetryAfter: time.Duration(b)} }

func TestSlowProcessDoesNotReplaceANewerToken(t *testing.T) {
	fleet(t, 3, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.delay = 12 * time.Second // the lock is lent for 10
		var wg sync.WaitGroup
		wg.Go(func() {
			if tok, _ := fleet[0].token(); tok != "token-2" {
				t.Errorf("the slow process got %s, want the newer one", tok)
			}
		})
		time.Sleep(time.Second)
		s.set(func(s *server) { s.delay = 0 })
		if tok, _ := fleet[1].token(); tok != "token-2" {
			t.Errorf("got %s", tok)
		}
		wg.Wait()
		fleet[2].want("token-2")
		fleet[0].wantRequests(2)
	})
}

func TestRevokedTokenCostsAFleetOneFetch(t *testing.T) {
	for _, spread := range []time.Duration{0, 300 * time.Millisecond, 10 * time.Second} {
		t.Run(spread.String(), func(t *testing.T) {
			fleet(t, 50, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
				for _, r := range fleet {
					r.want("token-1")
				}
				s.set(func(s *server) { s.delay = 100 * time.Millisecond })
				var wg sync.WaitGroup
				for i, r := range fleet {
					wg.Go(func() { // a 401, and the repetition of the call
						time.Sleep(spread * time.Duration(i) / 50)
						r.invalidate("token-1")
						if tok, waited := r.token(); tok != "token-2" || waited > time.Second {
							t.Errorf("got %s after %v", tok, waited)
						}
					})
				}
				wg.Wait()
				fleet[0].wantRequests(2)
			})
		})
	}
}

func TestTokenTakenOverIsNoForcedRefresh(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		a, b := fleet[0], fleet[1]
		a.want("token-1")
		b.want("token-1")
		a.Refresh(t.Context())
		b.invalidate("token-1")
		b.want("token-2") // from the Store, and revoked as well
		b.invalidate("token-2")
		b.want("token-3")
		b.wantRequests(3)
		b.invalidate("token-3") // From here on it is spaced.
		b.want("token-3")
		time.Sleep(time.Second)
		b.want("token-4")
	})
}

func TestServerThatRepeatsItsTokenIsAskedOncePerFleet(t *testing.T) {
	fleet(t, 10, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		var mu sync.Mutex
		var ends time.Time
		asked := 0
		fetch := func(context.Context) (*oauth2.Token, error) {
			mu.Lock()
			defer mu.Unlock()
			if !time.Now().Before(ends) {
				ends = time.Now().Add(1000 * time.Second)
			}
			asked++
			return &oauth2.Token{AccessToken: "until " + ends.String(), Expiry: ends}, nil
		}
		var wg sync.WaitGroup
		for range 10 {
			c := cache.New(cache.Options{Store: st})
			defer c.Close()
			e := c.Entry("repeated", fetch)
			wg.Go(func() {
				for range 5000 {
					if _, err := e.Token(t.Context()); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		mu.Lock()
		defer mu.Unlock()
		if asked > 5*10 { // each time after 0.75 to 0.8 of what is left
			t.Errorf("asked %d times in five lives of a token, by ten processes", asked)
		}
		t.Logf("asked %d times", asked)
	})
}

func TestProcessWithALivingTokenLooksSeldomWhileAnotherFetches(t *testing.T) {
	fleet(t, 50, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.lifetime = 1000 * time.Second
		for _, r := range fleet {
			r.want("token-1")
		}
		time.Sleep(740 * time.Second)
		s.set(func(s *server) { s.err, s.delay = errors.New("down"), 300*time.Millisecond })
		before := st.calls.Load()
		for range 150 {
			for _, r := range fleet {
				if _, waited := r.token(); waited != 0 {
					t.Errorf("a caller waited %v", waited)
				}
			}
			time.Sleep(time.Second)
		}
		if n := (st.calls.Load() - before) / 50; n > 60 {
			t.Errorf("each process called the Store %d times in 150 s", n)
		}
		s.set(func(s *server) { s.err = nil })
		asked := s.requests()
		time.Sleep(50 * time.Second)
		for _, r := range fleet {
			r.token()
		}
		time.Sleep(time.Second)
		fleet[0].wantRequests(asked + 1)
	})
}

func TestKeptTokenIsLookedAtSeldomWhileAnotherFetches(t *testing.T) {
	fleet(t, 1, cache.Options{KeepFresh: true}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.lifetime = 1000 * time.Second
		fleet[0].want("token-1")
		if _, ok, err := st.TryLock(t.Context(), "key", 900*time.Second); !ok || err != nil {
			t.Fatal(ok, err)
		}
		before := st.calls.Load()
		time.Sleep(890 * time.Second)
		if n := st.calls.Load() - before; n < 4 || n > 40 {
			t.Errorf("%d calls of the Store while another holds the lock", n)
		}
		time.Sleep(100 * time.Second)
		fleet[0].want("token-2")
	})
}
