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
