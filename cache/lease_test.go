package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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
			if _, err := c.Entry(fmt.Sprint(key), s.fetch).Token(t.Context()); err != nil ||
				time.Since(start) > 500*time.Millisecond {
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
		if strings.Contains(log.String(), "store") {
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

func TestCallsOfOneMomentLookIntoTheStoreOnce(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		r := fleet[0]
		s.lifetime = 1000 * time.Second
		r.want("token-1")
		if _, ok, err := st.TryLock(t.Context(), "key", time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		time.Sleep(850 * time.Second)
		for range 5 {
			before := st.calls.Load()
			for range 1000 {
				r.token()
				synctest.Wait() // Whatever was started has ended.
			}
			if n := st.calls.Load() - before; n > 4 {
				t.Errorf("%d calls of the Store for 1000 of Token at one moment", n)
			}
			time.Sleep(2 * time.Minute / 10)
		}
	})
}

func TestKeptTokenThatNobodyAsksForDoesNotSpin(t *testing.T) {
	for name, trouble := range map[string]func(s *server, st *store, r *rig){
		"another holds the lock": func(s *server, st *store, r *rig) { st.TryLock(t.Context(), "key", time.Hour) },
		"server down":            func(s *server, st *store, r *rig) { s.set(func(s *server) { s.err = errors.New("outage") }) },
		"repeats its token":      func(s *server, st *store, r *rig) { s.set(func(s *server) { s.same = "token-1" }) },
		"lives a millisecond":    func(s *server, st *store, r *rig) { s.set(func(s *server) { s.lifetime = time.Millisecond }) },
		"rejected again and again": func(s *server, st *store, r *rig) {
			go func() {
				for range 100 {
					if tok, err := r.Token(context.Background()); err == nil {
						r.Invalidate(tok)
					}
					time.Sleep(time.Second)
				}
			}()
		},
	} {
		t.Run(name, func(t *testing.T) {
			fleet(t, 1, cache.Options{KeepFresh: true}, func(t *testing.T, s *server, st *store, fleet []*rig) {
				r := fleet[0]
				s.lifetime = 100 * time.Second
				r.want("token-1")
				trouble(s, st, r)
				before := st.calls.Load()
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				if n := st.calls.Load() - before; n > 5*300 {
					t.Errorf("%d calls of the Store in 5 minutes", n)
				}
				for i, at := range s.times[1:] {
					if gap := at.Sub(s.times[i]); gap < time.Second && name != "rejected again and again" {
						t.Errorf("a request %v after another", gap)
					}
				}
				if n := s.requests(); n > 310 {
					t.Errorf("%d requests in 5 minutes", n)
				}
			})
		})
	}
}

func TestStoreThatTakesNoWritesHoldsUpNobody(t *testing.T) {
	fleet(t, 20, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		st.full.Store(true)
		s.delay = 300 * time.Millisecond
		var wg sync.WaitGroup
		for _, r := range fleet {
			wg.Go(func() {
				if _, waited := r.token(); waited > 2*time.Second {
					t.Errorf("waited %v", waited)
				}
			})
		}
		wg.Wait()
		if n := s.requests(); n > 20 {
			t.Errorf("%d requests by 20 processes", n)
		}
	})
}

func TestLockIsGivenBackThoughThePutFailed(t *testing.T) {
	for name, slow := range map[string]time.Duration{"fails": 0, "hangs": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			fleet(t, 10, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
				s.delay = 300 * time.Millisecond
				st.full.Store(true)
				st.put.Store(int64(slow))
				go func() { // One Put fails, no more.
					time.Sleep(s.delay + 1) // Nobody else looks in the instant of the Put.
					st.full.Store(false)
					st.put.Store(0)
				}()
				var wg sync.WaitGroup
				for _, r := range fleet {
					wg.Go(func() {
						if _, waited := r.token(); waited > 3*time.Second {
							t.Errorf("waited %v", waited)
						}
					})
				}
				wg.Wait()
				if n := s.requests(); n > 3 {
					t.Errorf("%d requests, want one, and one for the failed Put", n)
				}
				time.Sleep(5 * time.Second)
			})
		})
	}
}

func TestLockThatNobodyGivesBackDelaysByItsTTL(t *testing.T) {
	fleet(t, 20, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		if _, ok, err := st.TryLock(t.Context(), "key", 1000*time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		s.delay = time.Second
		var wg sync.WaitGroup
		for i, r := range fleet {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				if _, waited := r.token(); waited > 13*time.Second {
					t.Errorf("waited %v for a lock of 10 s", waited)
				}
			})
		}
		wg.Wait()
		if n := s.requests(); n > 2 {
			t.Errorf("%d requests by a fleet that goes on without the lock", n)
		}
	})
}

func TestFleetFailsAtOnceAndAsksOnceAPause(t *testing.T) {
	for name, cool := range map[string]cache.CoolDown{"unreachable": {Shared: true}, "of one key": {}} {
		t.Run(name, func(t *testing.T) {
			fleet(t, 50, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
				s.lifetime, s.delay = 100*time.Second, 200*time.Millisecond
				for _, r := range fleet {
					r.token()
				}
				s.set(func(s *server) { s.err = about(cool) })
				before := s.requests()
				start := time.Now()
				var wg sync.WaitGroup
				back := start.Add(200 * time.Second)
				for i, r := range fleet {
					wg.Go(func() {
						time.Sleep(time.Duration(i) * 20 * time.Millisecond)
						for time.Since(start) < 240*time.Second {
							began := time.Now()
							_, err := r.Token(t.Context())
							if took := time.Since(began); took > time.Second {
								t.Errorf("a call took %v, an attempt %v", took, s.delay)
							}
							if err != nil && time.Since(back) > 11*time.Second {
								t.Errorf("%v after the server was back: %v", time.Since(back), err)
							}
							time.Sleep(time.Second)
						}
					})
				}
				time.Sleep(time.Until(back))
				asked := s.requests() - before
				s.set(func(s *server) { s.err = nil })
				wg.Wait()
				// Behind living tokens for 25 s, then without: 1, 2, 4, 8, 10, 10, ... s, each up to a quarter less.
				if asked > 6+200/7 {
					t.Errorf("%d requests by the fleet in an outage of 200 s", asked)
				}
				t.Logf("%d requests in the outage, %d after it", asked, s.requests()-before-asked)
			})
		})
	}
}

func TestFleetHeedsARetryAfterThatOneOfItGot(t *testing.T) {
	fleet(t, 5, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.err = &described{busy(10 * time.Minute), "429"}
		fleet[0].wantError(s.err)
		for range 100 {
			for _, r := range fleet[1:] {
				_, err := r.Token(t.Context())
				var elsewhere *cache.FailedElsewhere
				if !errors.As(err, &elsewhere) || elsewhere.Record != "429" ||
					elsewhere.CoolDown().RetryAfter != 10*time.Minute || !elsewhere.At.Equal(s.times[0]) {
					t.Fatalf("got %v (%+v)", err, elsewhere)
				}
			}
			time.Sleep(5 * time.Second)
		}
		fleet[0].wantRequests(1)
		s.set(func(s *server) { s.err = nil })
		time.Sleep(3 * time.Minute)
		for _, r := range fleet {
			if tok, _ := r.token(); tok != "token-2" {
				t.Errorf("afterwards %s", tok)
			}
		}
	})
}

// described tells another process more of itself.
type described struct {
	busy
	detail string
}

func (d *described) Record() string { return d.detail }

func TestWordOfAFailureHoldsNoTextOfTheServer(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.err = errors.New("canary of the server")
		fleet[0].wantError(s.err)
		synctest.Wait()
		data, err := st.Get(t.Context(), "key")
		if err != nil || !strings.Contains(string(data), "failure") || strings.Contains(string(data), "canary") {
			t.Errorf("the Store holds %s (%v)", data, err)
		}
	})
}

func TestPanicIsNoFailureOfTheFleet(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		e := fleet[0].Cache.Entry("other", func(context.Context) (*oauth2.Token, error) { panic("x") })
		if _, err := e.Token(t.Context()); err == nil {
			t.Fatal("no error")
		}
		synctest.Wait()
		if tok, err := fleet[1].Cache.Entry("other", s.fetch).Token(t.Context()); err != nil {
			t.Errorf("got %v, %v", tok, err)
		}
	})
}

func TestWordOfAFailureDoesNotLastForEver(t *testing.T) {
	// Whoever can write to an unsealed Store can withhold, but not for longer than a server could.
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		st.Put(t.Context(), "key", fmt.Appendf(nil, `{"v":1,"written":1,"failure":{"by":1,"at":%d,"row":1000000,"retry_after":300000000000,"shared":true}}`,
			time.Now().Add(365*24*time.Hour).UnixMilli()), 1000*time.Hour)
		if _, err := fleet[0].Token(t.Context()); err == nil {
			t.Error("it is not heeded at all")
		}
		st.Delete(t.Context(), "key")
		time.Sleep(time.Hour)
		fleet[0].want("token-1")
	})
}

func TestFleetFailsAtOnceThoughTheServerHangs(t *testing.T) {
	fleet(t, 20, cache.Options{FetchTimeout: 9 * time.Second}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.delay = time.Hour // until FetchTimeout
		start := time.Now()
		var wg sync.WaitGroup
		for _, r := range fleet {
			wg.Go(func() {
				for time.Since(start) < 5*time.Minute {
					began := time.Now()
					r.Token(t.Context())
					if took := time.Since(began); took > 10*time.Second {
						t.Errorf("a call took %v, an attempt 9s", took)
					}
					time.Sleep(time.Second)
				}
			})
		}
		wg.Wait()
		if n := s.requests(); n > 150 { // three attempts at a time: a lock is lent for a third of one
			t.Errorf("%d requests in 5 minutes by 20 processes", n)
		}
		t.Logf("%d requests", s.requests())
	})
}

func TestRowOfFailuresGoesOnInAnotherProcess(t *testing.T) {
	fleet(t, 2, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		s.err = errors.New("outage")
		for range 4 {
			fleet[0].wantError(s.err)
			synctest.Wait()
			time.Sleep(10 * time.Second)
		}
		fleet[0].wantRequests(4)
		fleet[1].wantError(s.err) // The pause is over, so it asks.
		fleet[0].wantRequests(5)
		time.Sleep(7 * time.Second)
		fleet[1].wantError(s.err)
		fleet[0].wantRequests(5) // The fifth pause is no first.
	})
}
