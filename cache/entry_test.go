package cache_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

func TestFreshTokenIsHandedOutWithoutAllocation(t *testing.T) {
	for name, o := range map[string]cache.Options{"default": {}, "KeepFresh": {KeepFresh: true}} {
		t.Run(name, func(t *testing.T) {
			c := cache.New(o)
			defer c.Close()
			s := newServer()
			e := c.Entry("key", s.fetch)
			if allocs := testing.AllocsPerRun(1000, func() { e.Token(t.Context()) }); allocs != 0 {
				t.Errorf("a cached Token costs %v allocations, want 0", allocs)
			}
			if s.requests() != 1 {
				t.Errorf("the server got %d requests, want 1", s.requests())
			}
		})
	}
}

func TestStaleTokenIsRefreshedInTheBackground(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime, r.delay = 100*time.Second, 2*time.Second
		r.token() // at 0, here at 2
		time.Sleep(72 * time.Second)
		r.want("token-1")
		r.wantRequests(1) // not before 0.75 of its life
		time.Sleep(6 * time.Second)
		for range 100 {
			r.want("token-1") // Nobody waits.
		}
		r.wantRequests(2)
		time.Sleep(2 * time.Second)
		r.want("token-2")
		r.wantRequests(2)
	})
}

func TestStaleTokenIsHandedOutWithoutAllocation(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = 100 * time.Second
		r.want("token-1")
		r.delay = 5 * time.Second
		time.Sleep(80 * time.Second)
		r.want("token-1") // starts the refresh
		ctx := t.Context()
		if allocs := testing.AllocsPerRun(1000, func() { r.Token(ctx) }); allocs != 0 {
			t.Errorf("a Token in the stale window costs %v allocations, want 0", allocs)
		}
		r.wantRequests(2)
	})
}

func TestRefreshAtOneMeansNoBackgroundRefresh(t *testing.T) {
	inBubble(t, cache.Options{RefreshAt: 1}, func(t *testing.T, r *rig) {
		r.lifetime = 100 * time.Second
		r.extra = map[string]any{"refresh_in": 10.0}
		r.want("token-1")
		time.Sleep(90*time.Second - 1)
		r.want("token-1")
		r.wantRequests(1)
		time.Sleep(time.Nanosecond)
		r.want("token-2")
	})
}

func TestServersRefreshInGoesBeforeRefreshAt(t *testing.T) {
	for name, in := range map[string]any{"number": 50.0, "string": "50"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
				r.lifetime = 100 * time.Second
				r.extra = map[string]any{"refresh_in": in}
				r.want("token-1")
				time.Sleep(50*time.Second - 1)
				r.want("token-1")
				r.wantRequests(1)
				time.Sleep(time.Nanosecond)
				r.want("token-1")
				r.wantRequests(2)
				r.want("token-2")
			})
		})
	}
}

func TestTokenThatIsNoGoodIsNotHandedOutInAnOutage(t *testing.T) {
	for name, spoil := range map[string]func(*rig){
		"expired":  func(*rig) { time.Sleep(1000 * time.Second) },
		"rejected": func(r *rig) { r.invalidate("token-1") },
		"rejected inside the margin": func(r *rig) {
			time.Sleep(995 * time.Second)
			r.want("token-1")
			r.invalidate("token-1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
				r.lifetime = 1000 * time.Second
				r.want("token-1")
				outage := errors.New("outage")
				r.set(func(s *server) { s.err = outage })
				spoil(r)
				r.wantError(outage)
			})
		})
	}
}

func TestInsideTheMarginCallersWaitForTheFetch(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = 1000 * time.Second
		r.want("token-1")
		r.set(func(s *server) { s.delay = 3 * time.Second })
		time.Sleep(990 * time.Second)
		if tok, waited := r.token(); tok != "token-2" || waited != 3*time.Second {
			t.Errorf("got %s after %v, want token-2 after 3s", tok, waited)
		}
	})
}

func TestLiveTokenIsNotWithheldBecauseARefreshFailed(t *testing.T) {
	inBubble(t, cache.Options{RefreshAt: 1}, func(t *testing.T, r *rig) {
		r.lifetime = 1000 * time.Second
		r.want("token-1")
		r.set(func(s *server) { s.err = errors.New("outage"); s.delay = 100 * time.Millisecond })
		time.Sleep(990 * time.Second)
		if tok, waited := r.token(); tok != "token-1" || waited != r.delay {
			t.Errorf("got %s after %v, want token-1 when the fetch has failed", tok, waited)
		}
		r.want("token-1") // while that cools down
		r.wantRequests(2)
		time.Sleep(time.Second)

		// Then one tries again; nobody is held up for long by a server in trouble.
		r.set(func(s *server) { s.delay = 5 * time.Second })
		if tok, waited := r.token(); tok != "token-1" || waited > 50*time.Millisecond {
			t.Errorf("got %s after %v, want token-1 soon", tok, waited)
		}
		r.wantRequests(3)
	})
}

func TestFailedRefreshCostsNobodyAnythingWhileTheTokenLives(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = time.Hour
		r.want("token-1")
		r.set(func(s *server) { s.err = errors.New("outage") })
		start := time.Now()
		for time.Since(start) < time.Hour-time.Second {
			r.want("token-1")
			time.Sleep(time.Second)
		}
		synctest.Wait()
		// 1, 2, 4, ... 32, 60, 60, ... s, each up to a quarter less.
		times := r.times[1:]
		if len(times) < 12 || len(times) > 30 {
			t.Errorf("%d tries in 12 to 15 minutes of outage", len(times))
		}
		for i := 1; i < len(times); i++ {
			pause := times[i].Sub(times[i-1])
			most := min(time.Second<<(i-1), time.Minute) + time.Second // calls come once a second
			if i < 10 && (pause > most || pause < (most-time.Second)*3/4) {
				t.Errorf("pause %d is %v, want up to %v", i, pause, most)
			}
		}
		// The last pause ends with the token, not after it.
		r.set(func(s *server) { s.err = nil })
		time.Sleep(time.Until(start.Add(time.Hour)))
		if tok, _ := r.token(); tok == "token-1" {
			t.Error("the dead token was handed out")
		}
		if r.peak != 1 {
			t.Errorf("%d requests at a time, want 1", r.peak)
		}
	})
}

func TestPauseBetweenTriesEndsWithTheToken(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = 20 * time.Second // margin 2 s
		r.want("token-1")
		r.set(func(s *server) { s.err = errors.New("outage") })
		start := r.times[0]
		for time.Since(start) < 17200*time.Millisecond { // The second try fails by 17.02 s, and would pause to 19.
			time.Sleep(5 * time.Millisecond)
			r.want("token-1")
		}
		r.set(func(s *server) { s.err = nil })
		for time.Since(start) < 18*time.Second {
			time.Sleep(5 * time.Millisecond)
			r.want2(t, "token-1", "token-4")
		}
		time.Sleep(25 * time.Millisecond)
		r.want2(t, "token-1", "token-4") // which may start the refresh
		r.want("token-4")
		r.wantApart(time.Second)
	})
}

func (r *rig) want2(t *testing.T, a, b string) {
	t.Helper()
	if tok, waited := r.token(); tok != a && tok != b || waited != 0 {
		t.Fatalf("got %s after %v", tok, waited)
	}
	synctest.Wait()
}

func TestFailuresAreSharedWhileTheyCoolDown(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		outage := errors.New("outage")
		r.err = outage
		start := time.Now()
		for time.Since(start) < time.Minute {
			r.wantError(outage)
			time.Sleep(time.Millisecond)
		}
		// 1, 2, 4, 8, 10, 10, ... s, each up to a quarter less.
		var last time.Time
		for i, at := range r.times {
			if i > 0 {
				most := min(time.Second<<(i-1), 10*time.Second)
				if pause := at.Sub(last); pause > most+time.Millisecond || pause < most*3/4 {
					t.Errorf("pause %d is %v, want %v or up to a quarter less", i, pause, most)
				}
			}
			last = at
		}
		if n := len(r.times); n < 8 || n > 12 {
			t.Errorf("%d requests in a minute of outage", n)
		}
		r.set(func(s *server) { s.err = nil })
		time.Sleep(10 * time.Second)
		r.token()

		// A success ends the row.
		r.invalidate("token-" + strconv.Itoa(r.requests()))
		r.set(func(s *server) { s.err = outage })
		n := r.requests()
		r.wantError(outage)
		time.Sleep(time.Second)
		r.wantError(outage)
		r.wantRequests(n + 2)
	})
}

type failure struct {
	retryAfter time.Duration
	permanent  bool
	outdated   func() bool
}

func (f *failure) Error() string { return "told" }
func (f *failure) CoolDown() cache.CoolDown {
	return cache.CoolDown{RetryAfter: f.retryAfter, Permanent: f.permanent}
}

type outdatable struct{ failure }

func (f *outdatable) Outdated(context.Context) bool { return f.outdated() }

func TestRefreshInOfAnInstantIsNoStreamOfRequests(t *testing.T) {
	for _, keep := range []bool{false, true} {
		inBubble(t, cache.Options{KeepFresh: keep}, func(t *testing.T, r *rig) {
			r.extra = map[string]any{"refresh_in": 0.001}
			for range 1000 {
				r.token()
				time.Sleep(10 * time.Millisecond)
			}
			if n := r.requests(); n > 11 {
				t.Errorf("%d requests in 10 s", n)
			}
		})
	}
}

func TestSameTokenWithoutALifetimeHasNotBecomeYounger(t *testing.T) {
	// Some servers give one token until it has expired, with what is left of its life in whole seconds: 0 in the last,
	// which else means that nobody knows.
	synctest.Test(t, func(t *testing.T) {
		const life = 100 * time.Second
		c := cache.New(cache.Options{})
		defer c.Close()
		start := time.Now()
		e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
			age := time.Since(start)
			tok := &oauth2.Token{AccessToken: strconv.Itoa(int(age / life)),
				ExpiresIn: int64((life - age%life) / time.Second)}
			if tok.ExpiresIn > 0 {
				tok.Expiry = time.Now().Add(time.Duration(tok.ExpiresIn) * time.Second)
			}
			return tok, nil
		})
		for time.Since(start) < 5*life {
			tok, err := e.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			now := time.Since(start)
			if now%life > time.Second && tok.AccessToken != strconv.Itoa(int(now/life)) {
				t.Fatalf("after %v: token %s has expired", now, tok.AccessToken)
			}
			time.Sleep(90 * time.Millisecond)
		}
	})
}

func TestNoContextIsTakenForBackground(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		var none context.Context
		for _, get := range []func(context.Context) (*oauth2.Token, error){r.Token, r.Entry.Refresh} {
			if _, err := get(none); err != nil {
				t.Error(err)
			}
		}
		r.wantRequests(2)
	})
}

func TestRetryAfterIsHeededForAnHourAtMost(t *testing.T) {
	for _, test := range []struct{ said, heeded, jitter time.Duration }{
		{40 * time.Second, 40 * time.Second, 4 * time.Second}, // jitter only upwards
		{24 * time.Hour, time.Hour, 0},
	} {
		inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
			slow := &failure{retryAfter: test.said}
			r.err = slow
			r.wantError(slow)
			time.Sleep(test.heeded - 1)
			r.wantError(slow)
			r.wantRequests(1)
			time.Sleep(test.jitter + 1)
			r.wantError(slow)
			r.wantRequests(2)
		})
	}
}

func TestRetryAfterIsHeededWhileTheTokenLives(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = 100 * time.Second
		r.want("token-1")
		slow := &failure{retryAfter: 60 * time.Second}
		r.set(func(s *server) { s.err = slow })
		time.Sleep(80 * time.Second)
		r.want("token-1")
		r.wantRequests(2)
		time.Sleep(19 * time.Second)
		r.want("token-1")
		time.Sleep(40 * time.Second)
		r.wantError(slow)
		r.wantRequests(2)
	})
}

func TestPermanentErrorsCoolDownLonger(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		wrong := &failure{permanent: true}
		r.err = wrong
		start := time.Now()
		for time.Since(start) < 10*time.Minute {
			r.wantError(wrong)
			time.Sleep(10 * time.Millisecond)
		}
		for i := 1; i < len(r.times); i++ {
			most := min(5*time.Second<<(i-1), time.Minute)
			if pause := r.times[i].Sub(r.times[i-1]); pause > most+10*time.Millisecond || pause < most*3/4 {
				t.Errorf("pause %d is %v, want %v or up to a quarter less", i, pause, most)
			}
		}
	})
}

func TestChangedSecretEndsTheCoolDown(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		changed, asked := false, 0
		wrong := &outdatable{failure{permanent: true}}
		wrong.outdated = func() bool { asked++; return changed }
		r.err = wrong
		start := time.Now()
		for time.Since(start) < 3*time.Second {
			r.wantError(wrong)
			time.Sleep(time.Millisecond)
		}
		r.wantRequests(1)
		if asked != 2 {
			t.Errorf("asked %d times in 3 s, want once a second", asked)
		}
		changed = true
		r.set(func(s *server) { s.err = nil })
		time.Sleep(100 * time.Millisecond)
		r.want("token-2")
	})
}

func TestChangedSecretEndsTheCoolDownBehindALiveToken(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.want("token-1")
		wrong := &outdatable{failure{retryAfter: 10 * time.Minute}}
		changed := false
		wrong.outdated = func() bool { return changed }
		r.set(func(s *server) { s.err = wrong })
		time.Sleep(48 * time.Minute)
		r.want("token-1")
		time.Sleep(2 * time.Second)
		r.want("token-1")
		r.wantRequests(2)
		changed = true
		r.set(func(s *server) { s.err = nil })
		time.Sleep(time.Second)
		r.want("token-1") // starts the refresh
		r.want("token-3")
	})
}

func TestSameKeyGivesTheSameEntry(t *testing.T) {
	c := cache.New(cache.Options{})
	defer c.Close()
	s := newServer()
	a := c.Entry("a", s.fetch)
	if c.Entry("a", s.fetch) != a || c.Entry("b", s.fetch) == a {
		t.Error("entries do not go by their keys")
	}
}

func TestConcurrentUseUnderChurn(t *testing.T) {
	inBubble(t, cache.Options{MaxKeys: 3, KeepFresh: true}, func(t *testing.T, r *rig) {
		r.lifetime, r.delay = 3*time.Second, 10*time.Millisecond
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 200 {
					e := r.Cache.Entry(strconv.Itoa((i+j)%5), r.fetch)
					tok, err := e.Token(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					switch j % 10 {
					case 3:
						e.Invalidate(tok)
					case 7:
						e.Refresh(t.Context())
					}
					e.Invalidate(&oauth2.Token{AccessToken: "unknown"})
					time.Sleep(time.Duration(i+1) * 7 * time.Millisecond)
				}
			})
		}
		wg.Wait()
	})
}
