package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// askTogether has all entries ask in one instant, and returns their errors and how long the last one waited.
func askTogether(ctx context.Context, entries []*cache.Entry) (errs []error, took time.Duration) {
	start := time.Now()
	var wg sync.WaitGroup
	errs = make([]error, len(entries))
	for i, e := range entries {
		wg.Go(func() { _, errs[i] = e.Token(ctx) })
	}
	wg.Wait()
	return errs, time.Since(start)
}

// sharedFailures are about all keys.
var sharedFailures = map[string]cache.CoolDown{
	"Retry-After":  {RetryAfter: 60 * time.Second, Shared: true},
	"unreachable":  {Shared: true},
	"wrong secret": {Permanent: true, Shared: true},
}

func withAndWithoutStore(t *testing.T, f func(t *testing.T, o cache.Options)) {
	t.Run("no store", func(t *testing.T) { f(t, cache.Options{}) })
	t.Run("store", func(t *testing.T) { f(t, cache.Options{Store: cache.Memory()}) })
}

func TestColdClientAsksOnceBeforeItKnowsMore(t *testing.T) {
	for name, cool := range sharedFailures {
		t.Run(name, func(t *testing.T) {
			withAndWithoutStore(t, func(t *testing.T, o cache.Options) {
				targets(t, o, 200, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
					s.err, s.delay = about(cool), 100*time.Millisecond
					for wave := 1; wave <= 3; wave++ {
						errs, took := askTogether(t.Context(), entries)
						for _, err := range errs {
							if err != s.err {
								t.Fatalf("got %v", err)
							}
						}
						if n := s.requests(); n != wave || took != s.delay {
							t.Errorf("%d requests in %d waves, the last of %v", n, wave, took)
						}
						time.Sleep(70 * time.Second)
					}
				})
			})
		})
	}
}

func TestColdStartOfFiveHundredKeysTakesTwoRoundTrips(t *testing.T) {
	withAndWithoutStore(t, func(t *testing.T, o cache.Options) {
		targets(t, o, 500, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
			s.delay = 100 * time.Millisecond
			errs, took := askTogether(t.Context(), entries)
			if err := errors.Join(errs...); err != nil || took != 2*s.delay || s.requests() != 500 {
				t.Errorf("%d requests in %v, error %v", s.requests(), took, err)
			}
		})
	})
}

func TestSecretThatGoesWrongIsTriedAHandfulOfTimes(t *testing.T) {
	for name, age := range map[string]time.Duration{
		"gone":                    2 * time.Hour,
		"stale":                   50 * time.Minute,
		"expiring":                time.Hour - 5*time.Second,
		"rejected, all at a time": time.Minute,
		"rejected at once":        0,
	} {
		t.Run(name, func(t *testing.T) {
			withAndWithoutStore(t, func(t *testing.T, o cache.Options) {
				targets(t, o, 200, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
					askTogether(t.Context(), entries)
					s.set(func(s *server) {
						s.err, s.delay = about(cache.CoolDown{Permanent: true, Shared: true}), 100*time.Millisecond
					})
					time.Sleep(age)
					if age <= time.Minute {
						for _, e := range entries {
							tok, _ := e.Token(t.Context())
							e.Invalidate(tok)
						}
					}
					before := s.requests()
					askTogether(t.Context(), entries)
					time.Sleep(time.Second)
					if n := s.requests() - before; n < 1 || n > 8 {
						t.Errorf("%d failed logins before one was heeded", n)
					}
				})
			})
		})
	}
}

func TestBurstOfHealthyClientTakesTwoRoundTrips(t *testing.T) {
	targets(t, cache.Options{}, 500, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
		askTogether(t.Context(), entries)
		time.Sleep(2 * time.Hour)
		s.set(func(s *server) { s.delay = 100 * time.Millisecond })
		errs, took := askTogether(t.Context(), entries)
		if err := errors.Join(errs...); err != nil || took != 200*time.Millisecond {
			t.Errorf("took %v, error %v", took, err)
		}
	})
}

// oddOneOut makes a cache whose key "odd" is fetched by f, and others that are fetched from s. The odd one asks first.
func oddOneOut(t *testing.T, o cache.Options, f cache.Fetch, play func(t *testing.T, s *server, c *cache.Cache,
	odd *cache.Entry, others []*cache.Entry)) {
	targets(t, o, 50, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
		odd := c.Entry("odd", f)
		s.delay = 100 * time.Millisecond
		go odd.Token(t.Context())
		synctest.Wait()
		play(t, s, c, odd, entries)
	})
}

func TestProbeThatHangsHoldsOthersUpForAThirdOfItsTime(t *testing.T) {
	for name, hang := range map[string]cache.Fetch{
		"until its context ends": func(ctx context.Context) (*oauth2.Token, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"whatever its context says": func(context.Context) (*oauth2.Token, error) {
			time.Sleep(12 * time.Second)
			return nil, errors.New("late")
		},
	} {
		t.Run(name, func(t *testing.T) {
			oddOneOut(t, cache.Options{}, hang, func(t *testing.T, s *server, c *cache.Cache, _ *cache.Entry,
				others []*cache.Entry) {
				errs, took := askTogether(t.Context(), others)
				if err := errors.Join(errs...); err != nil || took != 10*time.Second+2*s.delay {
					t.Errorf("the others had their tokens after %v, error %v", took, err)
				}
			})
		})
	}
}

func TestProbeThatSaysNothingOfTheServerSendsTheNext(t *testing.T) {
	for name, f := range map[string]cache.Fetch{
		"panic":         func(context.Context) (*oauth2.Token, error) { panic("told to") },
		"Goexit":        func(context.Context) (*oauth2.Token, error) { runtime.Goexit(); return nil, nil },
		"context ended": func(context.Context) (*oauth2.Token, error) { return nil, context.Canceled },
		"not asked": func(context.Context) (*oauth2.Token, error) {
			return nil, about(cache.CoolDown{Permanent: true, Local: true})
		},
	} {
		f := func(ctx context.Context) (*oauth2.Token, error) { time.Sleep(time.Second); return f(ctx) }
		t.Run(name, func(t *testing.T) {
			oddOneOut(t, cache.Options{}, f, func(t *testing.T, s *server, c *cache.Cache, odd *cache.Entry,
				others []*cache.Entry) {
				failed := about(cache.CoolDown{Shared: true})
				s.set(func(s *server) { s.err = failed })
				for _, err := range first(askTogether(t.Context(), others)) {
					if err != failed {
						t.Errorf("got %v", err)
					}
				}
				if n := s.requests(); n != 1 {
					t.Errorf("%d requests, want one: nothing was known", n)
				}
			})
		})
	}
}

func first[A, B any](a A, _ B) A { return a }

func TestProbeThatIsRefusedForItsKeyLetsOthersGo(t *testing.T) {
	for name, refusal := range map[string]error{
		"told":    about(cache.CoolDown{Permanent: true}),
		"untold":  errors.New("invalid_scope"),
		"expired": nil,
	} {
		t.Run(name, func(t *testing.T) {
			oddOneOut(t, cache.Options{}, func(context.Context) (*oauth2.Token, error) {
				time.Sleep(time.Second)
				return &oauth2.Token{AccessToken: "dead", Expiry: time.Now().Add(-time.Hour)}, refusal
			}, func(t *testing.T, s *server, c *cache.Cache, odd *cache.Entry, others []*cache.Entry) {
				errs, took := askTogether(t.Context(), others)
				if err := errors.Join(errs...); err != nil || took != time.Second+s.delay {
					t.Errorf("the others had their tokens after %v, error %v", took, err)
				}
			})
		})
	}
}

func TestWaitForProbeEndsWithItsCallerAndWithClose(t *testing.T) {
	hang := func(ctx context.Context) (*oauth2.Token, error) { <-ctx.Done(); return nil, ctx.Err() }
	oddOneOut(t, cache.Options{}, hang, func(t *testing.T, s *server, c *cache.Cache, _ *cache.Entry,
		others []*cache.Entry) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		errs, took := askTogether(ctx, others)
		for _, err := range errs {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a caller whose time is over: %v", err)
			}
		}
		if took != time.Second {
			t.Errorf("callers with a second waited for %v", took)
		}
		time.AfterFunc(time.Second, func() { c.Close() })
		errs, took = askTogether(t.Context(), others)
		for _, err := range errs {
			if err != cache.ErrClosed {
				t.Errorf("after Close: %v", err)
			}
		}
		if took != time.Second || s.requests() != 0 {
			t.Errorf("Close ended the wait after %v, %d requests", took, s.requests())
		}
	})
}

func TestEvictionOfProbingKeyHoldsUpNobody(t *testing.T) {
	o := cache.Options{MaxKeys: 20}
	slow := func(ctx context.Context) (*oauth2.Token, error) {
		time.Sleep(time.Second)
		return &oauth2.Token{AccessToken: "odd", Expiry: time.Now().Add(time.Hour)}, nil
	}
	oddOneOut(t, o, slow, func(t *testing.T, s *server, c *cache.Cache, _ *cache.Entry, others []*cache.Entry) {
		errs, took := askTogether(t.Context(), others[:20]) // There is room for them, and not for the odd one.
		if err := errors.Join(errs...); err != nil || took != time.Second+s.delay {
			t.Errorf("the others had their tokens after %v, error %v", took, err)
		}
	})
}

func TestRefreshHeedsNoProbeAndItsSuccessIsAnAnswer(t *testing.T) {
	hang := func(ctx context.Context) (*oauth2.Token, error) { <-ctx.Done(); return nil, ctx.Err() }
	oddOneOut(t, cache.Options{}, hang, func(t *testing.T, s *server, c *cache.Cache, _ *cache.Entry,
		others []*cache.Entry) {
		go func() {
			time.Sleep(time.Second)
			others[0].Refresh(t.Context())
		}()
		errs, took := askTogether(t.Context(), others[1:])
		if err := errors.Join(errs...); err != nil || took != time.Second+2*s.delay {
			t.Errorf("the others had their tokens after %v, error %v", took, err)
		}
	})
}

func TestTokensFromStoreWaitForNoProbeAndSayNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, s := cache.Memory(), newServer()
		entries := func(c *cache.Cache, n int) (list []*cache.Entry) {
			for i := range n {
				list = append(list, c.Entry(fmt.Sprint("target-", i), s.fetch))
			}
			return list
		}
		one := cache.New(cache.Options{Store: store})
		defer one.Close()
		askTogether(t.Context(), entries(one, 10))
		synctest.Wait()

		s.set(func(s *server) { s.err, s.delay = about(cache.CoolDown{Shared: true}), time.Second })
		other := cache.New(cache.Options{Store: store})
		defer other.Close()
		all := entries(other, 50)
		go other.Entry("odd", s.fetch).Token(t.Context())
		synctest.Wait()
		errs, took := askTogether(t.Context(), all[:10])
		if err := errors.Join(errs...); err != nil || took != 0 {
			t.Errorf("tokens from the Store came after %v, %v", took, err)
		}
		before := s.requests()
		askTogether(t.Context(), all)
		if n := s.requests() - before; n != 0 {
			t.Errorf("%d requests beside the probe", n)
		}
	})
}

func TestRefreshesInTheBackgroundGoThroughTheGate(t *testing.T) {
	targets(t, cache.Options{KeepFresh: true}, 100, func(t *testing.T, s *server, c *cache.Cache, es []*cache.Entry) {
		askTogether(t.Context(), es)
		s.set(func(s *server) {
			s.err, s.delay = about(cache.CoolDown{Permanent: true, Shared: true}), 20*time.Second
		})
		before := s.requests()
		time.Sleep(48*time.Minute + 10*time.Second) // All turn stale within three minutes of this.
		if n := s.requests() - before; n > 8+8 {
			t.Errorf("%d failed logins", n)
		}
	})
}
