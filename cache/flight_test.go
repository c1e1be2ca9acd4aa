package cache_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

func TestCallersShareOneFetch(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.delay = 100 * time.Millisecond
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if tok, waited := r.token(); tok != "token-1" || waited != r.delay {
					t.Errorf("got %s after %v, want token-1 after %v", tok, waited, r.delay)
				}
			})
		}
		wg.Wait()
		r.wantRequests(1)
	})
}

func TestImpatientLeaderDoesNotFailTheOthers(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.delay = 500 * time.Millisecond
		var wg sync.WaitGroup
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := r.Token(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 50*time.Millisecond {
				t.Errorf("the leader got %v after %v, want its deadline's error after 50ms", err, time.Since(start))
			}
		})
		synctest.Wait() // The leader has started the fetch.
		for range 99 {
			wg.Go(func() {
				if tok, _ := r.token(); tok != "token-1" {
					t.Errorf("got %s, want token-1", tok)
				}
			})
		}
		wg.Wait()
		r.wantRequests(1)
	})
}

func TestWaitersDeadlineIsHonoured(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.delay = 500 * time.Millisecond
		var wg sync.WaitGroup
		wg.Go(func() { r.token() })
		synctest.Wait()
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("enough")) })
		start := time.Now()
		_, err := r.Token(ctx)
		if !errors.Is(err, context.Canceled) || time.Since(start) != 50*time.Millisecond {
			t.Errorf("the waiter got %v after %v, want a cancellation after 50ms", err, time.Since(start))
		}
		wg.Wait()
		r.wantRequests(1)
	})
}

func TestEndedContextStartsNoFetch(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.Token(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want a cancellation", err)
		}
		r.wantRequests(0)
	})
}

type ctxKey struct{}

func TestFetchSeesTheLeadersValuesAndItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(cache.Options{FetchTimeout: 7 * time.Second})
		defer c.Close()
		e := c.Entry("key", func(ctx context.Context) (*oauth2.Token, error) {
			if got := ctx.Value(ctxKey{}); got != "trace" {
				t.Errorf("the fetch sees the value %v, want the leader's", got)
			}
			deadline, ok := ctx.Deadline()
			if left := time.Until(deadline); !ok || left != 7*time.Second {
				t.Errorf("the fetch has %v left, want FetchTimeout", left)
			}
			return &oauth2.Token{AccessToken: "a"}, nil
		})
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), ctxKey{}, "trace"), time.Second)
		defer cancel()
		if _, err := e.Token(ctx); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPanicInAFetchIsAnErrorForAllAndWedgesNothing(t *testing.T) {
	for name, misbehave := range map[string]func(){
		"panic":         func() { panic("canary-secret") },
		"runtime error": func() { var p *int; *p = 1 },
		"Goexit":        runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := cache.New(cache.Options{})
				defer c.Close()
				broken := true
				e := c.Entry("key", func(ctx context.Context) (*oauth2.Token, error) {
					if broken {
						time.Sleep(time.Second)
						misbehave()
					}
					return &oauth2.Token{AccessToken: "a"}, nil
				})
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						_, err := e.Token(t.Context())
						if err == nil || !strings.HasPrefix(err.Error(), "the call ") {
							t.Errorf("got %v, want an error that tells of the fetch", err)
						} else if strings.Contains(err.Error(), "canary") {
							t.Errorf("the error shows the panic's value: %v", err)
						}
					})
				}
				wg.Wait()
				broken = false
				time.Sleep(time.Second) // cool-down
				if tok, err := e.Token(t.Context()); err != nil || tok.AccessToken != "a" {
					t.Errorf("afterwards Token gives %v, %v", tok, err)
				}
			})
		})
	}
}

func TestFetchThatIgnoresItsContextHoldsUpNobodyForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(cache.Options{FetchTimeout: 10 * time.Second})
		defer c.Close()
		e := c.Entry("key", func(ctx context.Context) (*oauth2.Token, error) {
			time.Sleep(time.Minute)
			return nil, errors.New("late")
		})
		start := time.Now()
		_, err := e.Token(t.Context())
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 11*time.Second {
			t.Errorf("got %v after %v, want a timeout after 10s and a second of grace", err, took)
		}
		time.Sleep(time.Minute)
	})
}

func TestCloseFailsWaitersAndJoinsTheFetch(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		ended := false
		e := r.Cache.Entry("other", func(ctx context.Context) (*oauth2.Token, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // tidies up
			ended = true
			return nil, ctx.Err()
		})
		r.want("token-1")
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			if _, err := e.Token(t.Context()); err != cache.ErrClosed || time.Since(start) != time.Second {
				t.Errorf("the waiter got %v after %v, want ErrClosed at Close", err, time.Since(start))
			}
		})
		time.Sleep(time.Second)
		for range 2 {
			if err := r.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if !ended {
				t.Error("Close did not join the fetch")
			}
		}
		wg.Wait()
		r.wantError(cache.ErrClosed)
		if _, err := r.Refresh(t.Context()); err != cache.ErrClosed {
			t.Errorf("Fetch after Close gives %v, want ErrClosed", err)
		}
		if _, err := r.Cache.Entry("new", r.fetch).Token(t.Context()); err != cache.ErrClosed {
			t.Errorf("a new entry after Close gives %v, want ErrClosed", err)
		}
		r.wantRequests(1)
	})
}

func TestCloseWaitsFiveSecondsAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(cache.Options{})
		e := c.Entry("key", func(ctx context.Context) (*oauth2.Token, error) {
			time.Sleep(time.Minute)
			return nil, nil
		})
		go e.Token(t.Context())
		synctest.Wait()
		start := time.Now()
		c.Close()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("Close took %v, want 5s", took)
		}
		time.Sleep(time.Minute)
	})
}

func TestForcedFetchPublishesWhateverIsHeld(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.want("token-1")
		tok, err := r.Refresh(t.Context())
		if err != nil || tok.AccessToken != "token-2" {
			t.Fatalf("Fetch gave %v, %v", tok, err)
		}
		r.want("token-2")

		// It heeds no cool-down, and a success ends one.
		r.invalidate("token-2")
		outage := errors.New("outage")
		r.set(func(s *server) { s.err = outage })
		r.wantError(outage)
		r.wantRequests(3)
		if _, err := r.Refresh(t.Context()); err != outage {
			t.Errorf("Fetch gave %v, want the server's error", err)
		}
		r.wantRequests(4)
		r.set(func(s *server) { s.err = nil })
		if _, err := r.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		r.want("token-5")
	})
}

func TestForcedFetchRunsOnItsCallersContext(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.delay = time.Minute
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := r.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("Fetch gave %v after %v, want its caller's deadline after 1s", err, time.Since(start))
		}
	})
}

func TestTokenThatDiedOnItsWayIsNotHandedOut(t *testing.T) {
	fleet(t, 1, cache.Options{}, func(t *testing.T, s *server, st *store, fleet []*rig) {
		r := fleet[0]
		s.lifetime, s.delay = 900*time.Millisecond, 100*time.Millisecond
		st.put.Store(int64(889 * time.Millisecond))
		for range 200 {
			tok, err := r.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !time.Now().Before(tok.Expiry) {
				t.Errorf("%s has been dead for %v", tok.AccessToken, time.Since(tok.Expiry))
			}
			time.Sleep(137 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
	})
}

func TestTokensThatComeDeadAreAnError(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime, r.delay = time.Second, time.Second
		start := time.Now()
		if _, err := r.Token(t.Context()); !errors.Is(err, cache.ErrExpired) || time.Since(start) > 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestRefreshWakesThoseWhoWaitForAFlightThatHangs(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		hang := true
		e := r.Cache.Entry("hangs", func(ctx context.Context) (*oauth2.Token, error) {
			if hang {
				hang = false
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return r.fetch(ctx)
		})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				start := time.Now()
				tok, err := e.Token(t.Context())
				if err != nil || tok.AccessToken != "token-1" || time.Since(start) != 5*time.Second {
					t.Errorf("got %v, %v after %v, want what Refresh published after 5s", tok, err, time.Since(start))
				}
			})
		}
		time.Sleep(5 * time.Second)
		if _, err := e.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		wg.Wait()
		time.Sleep(time.Minute)
		if tok, err := e.Token(t.Context()); err != nil || tok.AccessToken != "token-1" {
			t.Errorf("after the flight has failed: %v, %v", tok, err)
		}
	})
}

func TestFlightsTokenGoesToWhoeverTookItsEntrysPlace(t *testing.T) {
	inBubble(t, cache.Options{MaxKeys: 1}, func(t *testing.T, r *rig) {
		r.delay = 5 * time.Second
		var wg sync.WaitGroup
		wg.Go(func() {
			if tok, _ := r.token(); tok != "token-1" {
				t.Errorf("the one who started it got %s", tok)
			}
		})
		time.Sleep(time.Second)
		r.Cache.Entry("other", r.fetch) // evicts the entry in mid-flight
		again := r.Cache.Entry("key", r.fetch)
		wg.Go(func() {
			tok, err := again.Token(t.Context())
			if err != nil || tok.AccessToken != "token-1" {
				t.Errorf("one who waits at the new entry got %v, %v", tok, err)
			}
		})
		wg.Wait()
		if tok, err := again.Token(t.Context()); err != nil || tok.AccessToken != "token-1" {
			t.Errorf("afterwards the new entry gives %v, %v", tok, err)
		}
		r.wantRequests(1)
	})
}

func TestFlightsTokenIsKeptThoughItsEntryWasEvicted(t *testing.T) {
	inBubble(t, cache.Options{MaxKeys: 1}, func(t *testing.T, r *rig) {
		r.delay = 5 * time.Second
		var wg sync.WaitGroup
		wg.Go(func() { r.token() })
		time.Sleep(time.Second)
		r.Cache.Entry("other", r.fetch)
		wg.Wait()
		r.want("token-1")
		r.wantRequests(1)
	})
}

func TestCallersDeadlineHoldsAgainstAFetchThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cache.New(cache.Options{})
		e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
			time.Sleep(time.Hour)
			return nil, errors.New("late")
		})
		for name, get := range map[string]func(context.Context) (*oauth2.Token, error){"Token": e.Token,
			"Refresh": e.Refresh} {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			start := time.Now()
			_, err := get(ctx)
			if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 110*time.Millisecond {
				t.Errorf("%s returned %v after %v", name, err, took)
			}
			cancel()
		}
		c.Close()
		time.Sleep(2 * time.Hour)
	})
}

// A caller may come at the very moment when a flight lands.
func TestRefreshIsRunningOrDueWhateverJoinsALanding(t *testing.T) {
	for _, keep := range []bool{false, true} {
		for round := range 200 {
			inBubble(t, cache.Options{KeepFresh: keep}, func(t *testing.T, r *rig) {
				r.lifetime = 100 * time.Second
				r.want("token-1")
				r.set(func(s *server) { s.delay = time.Second })
				time.Sleep(80 * time.Second)
				var wg sync.WaitGroup
				for caller := range 4 {
					wg.Go(func() {
						for range 3 {
							time.Sleep(time.Second) // as the flight lands
							if round%2 == caller%2 {
								runtime.Gosched()
							}
							r.Token(t.Context())
						}
					})
				}
				wg.Wait()
				start, n := time.Now(), r.requests()
				for time.Since(start) < 95*time.Second {
					if _, waited := r.token(); waited != 0 {
						t.Fatalf("round %d: a caller waited %v", round, waited)
					}
					time.Sleep(time.Second)
				}
				if r.requests() == n {
					t.Errorf("round %d: nobody refreshes the token", round)
				}
			})
		}
	}
}

func TestFlightThatNobodyWaitsForIsNotWastedByAnEviction(t *testing.T) {
	inBubble(t, cache.Options{MaxKeys: 1}, func(t *testing.T, r *rig) {
		r.delay = 5 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		r.Cache.Entry("other", r.fetch) // evicts the entry in mid-flight
		again := r.Cache.Entry("key", r.fetch)
		time.Sleep(10 * time.Second)
		start := time.Now()
		if tok, err := again.Token(t.Context()); err != nil || tok.AccessToken != "token-1" || time.Since(start) > 0 {
			t.Errorf("the new entry gives %v, %v after %v", tok, err, time.Since(start))
		}
		r.wantRequests(1)
	})
}
