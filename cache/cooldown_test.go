package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// about makes an error that cools down as it is told.
func about(c cache.CoolDown) error { return &told{c} }

func TestPauseIsCutWhenTheLivingTokenIsRejected(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.want("token-1")
		r.set(func(s *server) { s.err = errors.New("outage") })
		time.Sleep(48 * time.Minute)
		for time.Since(r.times[0]) < 54*time.Minute { // The pause grows to 60 s.
			r.want("token-1")
			time.Sleep(time.Second)
		}
		n := r.requests()
		for r.requests() == n {
			r.want("token-1")
			time.Sleep(time.Second)
		}
		r.invalidate("token-1")
		r.set(func(s *server) { s.err = nil })
		lost := time.Now()
		for {
			if _, err := r.Token(t.Context()); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(lost); took > 10*time.Second {
			t.Errorf("callers failed for %v after the server was back, want 10s at most", took)
		}
	})
}

func TestPauseIsOverWhenTheTokenThatLivedInItRunsOut(t *testing.T) {
	for name, failure := range map[string]error{
		"of the key": errors.New("outage"), "of all keys": about(cache.CoolDown{Shared: true}),
	} {
		t.Run(name, func(t *testing.T) {
			for range 30 { // with other jitter each time
				inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
					r.lifetime, r.delay = 6*time.Second, 20*time.Millisecond
					for start := time.Now(); time.Since(start) < 8*time.Second; time.Sleep(5 * time.Millisecond) {
						out := time.Since(start) > 3500*time.Millisecond && time.Since(start) < 5800*time.Millisecond
						r.set(func(s *server) {
							if s.err = nil; out {
								s.err = failure
							}
						})
						if _, err := r.Token(t.Context()); err != nil {
							t.Fatalf("after %v: %v", time.Since(start), err)
						}
					}
					r.wantApart(time.Second)
				})
			}
		})
	}
}

func TestRequestsForShortTokensAreOneSecondApart(t *testing.T) {
	options := map[string]cache.Options{
		"": {}, "KeepFresh": {KeepFresh: true}, "store": {Store: cache.Memory()}, "RefreshAt": {RefreshAt: 0.01},
		"KeepFresh, store": {KeepFresh: true, Store: cache.Memory()},
	}
	for name, fails := range map[string]func(n int) bool{
		"fails from then on":  func(n int) bool { return true },
		"fails half the time": func(n int) bool { return n%2 == 1 },
		"works":               func(n int) bool { return false },
	} {
		for _, failure := range []error{errors.New("outage"), about(cache.CoolDown{Shared: true})} {
			for with, o := range options {
				for _, life := range []time.Duration{1000, 1200, 2000, 3000, 5000} {
					t.Run(fmt.Sprint(life, name, with), func(t *testing.T) {
						inBubble(t, o, func(t *testing.T, r *rig) {
							r.lifetime, r.delay = life*time.Millisecond, life/10*time.Millisecond
							for range 3000 {
								time.Sleep(10 * time.Millisecond)
								r.Token(t.Context())
								r.set(func(s *server) {
									if s.err = nil; fails(len(s.times)) {
										s.err = failure
									}
								})
							}
							r.wantApart(time.Second)
						})
					})
				}
			}
		}
	}
}

// targets are many keys of one client.
func targets(t *testing.T, o cache.Options, n int, f func(t *testing.T, s *server, c *cache.Cache,
	entries []*cache.Entry)) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newServer(), cache.New(o)
		defer c.Close()
		var entries []*cache.Entry
		for i := range n {
			entries = append(entries, c.Entry(fmt.Sprint("target-", i), s.fetch))
		}
		f(t, s, c, entries)
	})
}

func TestSharedFailureCoolsDownAllKeysWithOneProbe(t *testing.T) {
	for name, cool := range map[string]cache.CoolDown{
		"Retry-After":  {RetryAfter: 60 * time.Second, Shared: true},
		"unreachable":  {Shared: true},
		"wrong secret": {Permanent: true, Shared: true},
	} {
		for _, store := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", store ", store), func(t *testing.T) {
				var o cache.Options
				if store {
					o.Store = cache.Memory()
				}
				targets(t, o, 200, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
					wrong := about(cool)
					s.err, s.delay = wrong, 100*time.Millisecond
					start := time.Now()
					entries[0].Token(t.Context())
					for time.Since(start) < 10*time.Minute {
						var wg sync.WaitGroup
						for _, e := range entries {
							wg.Go(func() {
								if _, err := e.Token(t.Context()); err != wrong {
									t.Errorf("got %v", err)
								}
							})
						}
						wg.Wait()
						time.Sleep(500 * time.Millisecond)
					}
					most := 600/7 + 6
					switch {
					case cool.RetryAfter > 0:
						most = 10
					case cool.Permanent:
						most = 600/45 + 6
					}
					if n := s.requests(); n > most {
						t.Errorf("%d requests in 10 minutes by 200 keys, want %d at most", n, most)
					}

					// A success of any ends it for all.
					s.set(func(s *server) { s.err = nil })
					if _, err := entries[7].Refresh(t.Context()); err != nil {
						t.Fatal(err)
					}
					for _, e := range entries {
						if _, err := e.Token(t.Context()); err != nil {
							t.Errorf("after the success of another key: %v", err)
						}
					}
				})
			})
		}
	}
}

func TestFailureOfOneKeyCoolsDownThatKeyAlone(t *testing.T) {
	targets(t, cache.Options{}, 2, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
		s.err = about(cache.CoolDown{Permanent: true})
		entries[0].Token(t.Context())
		s.set(func(s *server) { s.err = nil })
		if _, err := entries[1].Token(t.Context()); err != nil {
			t.Errorf("the other key: %v", err)
		}
		if _, err := entries[0].Token(t.Context()); err == nil {
			t.Error("the key itself does not cool down")
		}
	})
}

func TestRequestsUnderWayTogetherFailOnce(t *testing.T) {
	targets(t, cache.Options{}, 100, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
		s.err, s.delay = about(cache.CoolDown{Shared: true}), 100*time.Millisecond
		var wg sync.WaitGroup
		for _, e := range entries {
			wg.Go(func() { e.Token(t.Context()) })
		}
		wg.Wait()
		s.set(func(s *server) { s.err = nil })
		time.Sleep(time.Second) // the first pause, not the hundredth
		for _, e := range entries {
			if _, err := e.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSharedSecretIsAskedForOnceASecondByAllKeys(t *testing.T) {
	targets(t, cache.Options{}, 200, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
		var mu sync.Mutex
		asked, changed := 0, false
		s.err = &toldOutdatable{told{cache.CoolDown{Permanent: true, Shared: true}}, func() bool {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return changed
		}}
		entries[0].Token(t.Context())
		for range 30 {
			for _, e := range entries {
				e.Token(t.Context())
			}
			time.Sleep(100 * time.Millisecond)
		}
		mu.Lock()
		if asked > 3 {
			t.Errorf("asked %d times in 3 s", asked)
		}
		changed = true
		mu.Unlock()
		s.set(func(s *server) { s.err = nil })
		time.Sleep(time.Second)
		for _, e := range entries {
			if _, err := e.Token(t.Context()); err != nil {
				t.Fatalf("after the secret has changed: %v", err)
			}
		}
	})
}

type toldOutdatable struct {
	told
	outdated func() bool
}

func (e *toldOutdatable) Outdated(context.Context) bool { return e.outdated() }

func TestProbeThatPanicsDoesNotLetAllOthersThrough(t *testing.T) {
	targets(t, cache.Options{}, 50, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
		s.err = about(cache.CoolDown{Shared: true})
		entries[0].Token(t.Context())
		time.Sleep(time.Second)
		s.set(func(s *server) { s.err = errors.New("something else"); s.delay = time.Second })
		var wg sync.WaitGroup
		for _, e := range entries {
			wg.Go(func() {
				if _, err := e.Token(t.Context()); err == nil {
					t.Error("no error")
				}
			})
		}
		wg.Wait()
		if n := s.requests(); n != 2 {
			t.Errorf("%d requests, want one and one probe", n)
		}
	})
}

func TestKeyWhoseProbesPanicLetsOthersTry(t *testing.T) {
	targets(t, cache.Options{}, 1, func(t *testing.T, s *server, c *cache.Cache, entries []*cache.Entry) {
		odd := c.Entry("odd", func(context.Context) (*oauth2.Token, error) { panic("told to") })
		s.err = about(cache.CoolDown{Shared: true})
		entries[0].Token(t.Context())
		s.set(func(s *server) { s.err = nil })
		for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(10 * time.Millisecond) {
			odd.Token(t.Context()) // always the first
			if _, err := entries[0].Token(t.Context()); err == nil {
				return
			}
		}
		t.Error("no token for a key that is well, in a minute")
	})
}
