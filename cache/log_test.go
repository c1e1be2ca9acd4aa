package cache_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// A handler does as it is told, with warnings.
type handler struct{ handle func() }

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (h *handler) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h *handler) WithGroup(string) slog.Handler                { return h }
func (h *handler) Handle(context.Context, slog.Record) error {
	h.handle()
	return nil
}

// troubles are what the cache logs, each as far as its first line.
var troubles = map[string]func(t *testing.T, r *rig, st *store){
	"failed fetch behind a living token": func(t *testing.T, r *rig, st *store) {
		r.want("token-1")
		r.set(func(s *server) { s.err = errors.New("outage") })
		time.Sleep(50 * time.Minute)
		r.want("token-1")
	},
	"failed fetch": func(t *testing.T, r *rig, st *store) {
		r.set(func(s *server) { s.err = &told{cool: cache.CoolDown{Shared: true}} })
		r.Token(t.Context())
		r.set(func(s *server) { s.err = nil })
	},
	"the same token again": func(t *testing.T, r *rig, st *store) {
		r.same = "same"
		r.want("same")
		r.invalidate("same")
		r.Token(t.Context())
	},
	"the same token again, by Refresh": func(t *testing.T, r *rig, st *store) {
		r.same = "same"
		r.want("same")
		r.invalidate("same")
		r.Refresh(t.Context())
	},
	"store that is down": func(t *testing.T, r *rig, st *store) {
		st.down(errors.New("down"))
		r.Token(t.Context())
	},
	"panic": func(t *testing.T, r *rig, st *store) {
		r.Cache.Entry("panics", func(context.Context) (*oauth2.Token, error) { panic("x") }).Token(t.Context())
	},
}

func TestHandlerMayNeedTheVeryTokenThatItLogsAbout(t *testing.T) {
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			fleet(t, 0, cache.Options{}, func(t *testing.T, s *server, st *store, _ []*rig) {
				var e *cache.Entry
				var mu sync.Mutex
				lines := 0
				h := &handler{func() {
					mu.Lock()
					lines++
					mu.Unlock()
					e.Token(context.Background())
					e.Invalidate(&oauth2.Token{AccessToken: "another"})
				}}
				c := cache.New(cache.Options{Store: st, Logger: slog.New(h)})
				defer c.Close()
				e = c.Entry("key", s.fetch)
				start := time.Now()
				trouble(t, &rig{t: t, server: s, Cache: c, Entry: e}, st)
				if took := time.Since(start); took > 50*time.Minute+time.Second {
					t.Errorf("took %v", took)
				}
				time.Sleep(time.Minute)
				if _, err := e.Token(t.Context()); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				if lines == 0 {
					t.Error("nothing was logged, so nothing was tested")
				}
			})
		})
	}
}

func TestHandlerThatHangsHoldsUpNobody(t *testing.T) {
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			fleet(t, 0, cache.Options{}, func(t *testing.T, s *server, st *store, _ []*rig) {
				c := cache.New(cache.Options{Store: st,
					Logger: slog.New(&handler{func() { time.Sleep(24 * time.Hour) }})})
				e := c.Entry("key", s.fetch)
				trouble(t, &rig{t: t, server: s, Cache: c, Entry: e}, st)
				time.Sleep(time.Minute)
				start := time.Now()
				if _, err := e.Token(t.Context()); err != nil || time.Since(start) > 100*time.Millisecond {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				start = time.Now()
				c.Close()
				if took := time.Since(start); took > 6*time.Second {
					t.Errorf("Close took %v", took)
				}
				time.Sleep(48 * time.Hour)
			})
		})
	}
}

func TestHandlersThatHangAreNotCalledWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inside := 0
		c := cache.New(cache.Options{Logger: slog.New(&handler{func() {
			mu.Lock()
			inside++
			mu.Unlock()
			time.Sleep(24 * time.Hour)
		}})})
		e := c.Entry("key", func(context.Context) (*oauth2.Token, error) { return nil, errors.New("outage") })
		for range 1000 {
			e.Token(t.Context())
			time.Sleep(10 * time.Second)
		}
		mu.Lock()
		if inside > 20 {
			t.Errorf("%d calls of a handler that hangs", inside)
		}
		mu.Unlock()
		c.Close()
		time.Sleep(48 * time.Hour)
	})
}

func TestTokenThatDiesWhileItIsToldOfIsNotHandedOut(t *testing.T) {
	slow := func() { time.Sleep(40 * time.Millisecond) }
	inBubble(t, cache.Options{
		Logger: slog.New(&handler{slow}),
		Trace:  &cache.Trace{Waited: func(context.Context, cache.WaitInfo) { slow() }},
	}, func(t *testing.T, r *rig) {
		r.lifetime, r.same = 30*time.Millisecond, "same"
		for name, get := range map[string]func(context.Context) (*oauth2.Token, error){
			"Token": r.Token, "Refresh": r.Refresh,
		} {
			if tok, err := get(t.Context()); err == nil && !time.Now().Before(tok.Expiry) {
				t.Errorf("%s returned a token that has been dead for %v", name, time.Since(tok.Expiry))
			}
			r.invalidate("same")
		}
	})
}
