package fleet

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// A kind is a way for a process to come by its tokens.
type kind struct {
	name  string
	start func(*world) holder
	// fresh is the part of its life in which a token is certainly given out
	// from memory, whatever happens.
	fresh func(life time.Duration) time.Duration
}

// A holder is what a process keeps its token in, from its start to its end.
type holder interface {
	Token() (*oauth2.Token, error)
	Close() error
}

var (
	sharing = kind{"shared store", startSharing, untilRefresh}
	alone   = kind{"no store", startAlone, untilRefresh}
	xoauth2 = kind{"x/oauth2", startXOAuth2, untilMargin}
)

// untilRefresh is by RefreshAt's default: 0.8, less up to 0.05.
func untilRefresh(life time.Duration) time.Duration { return life * 3 / 4 }

// untilMargin is by x/oauth2's documentation: 10 s before the expiry.
func untilMargin(life time.Duration) time.Duration { return life - 10*time.Second }

type cached struct {
	*cache.Cache
	entry *cache.Entry
}

func (c cached) Token() (*oauth2.Token, error) { return c.entry.Token(context.Background()) }

func startSharing(w *world) holder { return startCached(w, w.shared) }
func startAlone(w *world) holder   { return startCached(w, nil) }

func startCached(w *world, s cache.Store) holder {
	c := cache.New(cache.Options{Store: s})
	return cached{c, c.Entry("key", w.fetch)}
}

type reused struct{ oauth2.TokenSource }

func (reused) Close() error { return nil }

func startXOAuth2(w *world) holder { return reused{oauth2.ReuseTokenSource(nil, w)} }

// run lets a fleet of a kind live through its plan.
func (w *world) run(k kind) {
	var all sync.WaitGroup
	for range w.processes {
		starts := w.start.from + rand.N(w.start.length())
		replaced := w.restart.from + rand.N(w.restart.length())
		all.Go(func() {
			w.live(k, starts, replaced)
			w.live(k, replaced, w.span)
		})
	}
	all.Wait()
}

// live is one process, from its start to its end. It calls every callEvery;
// calls that certainly get their token from memory are counted, not made.
func (w *world) live(k kind, starts, ends time.Duration) {
	time.Sleep(starts - w.now())
	h := k.start(w)
	defer h.Close()
	for next := starts; next < ends; {
		time.Sleep(next - w.now())
		tok, err := h.Token()
		now := w.now()
		w.note(now-next, err)
		skipTo := now
		if err == nil {
			skipTo = max(now, tok.Expiry.Add(-w.life+k.fresh(w.life)).Sub(w.began))
		}
		for next += callEvery; next < min(skipTo, ends); next += callEvery {
			w.calls.Add(1)
		}
	}
	time.Sleep(ends - w.now())
}

func (w *world) note(took time.Duration, err error) {
	w.calls.Add(1)
	if err != nil {
		w.count(w.failed)
	}
	for {
		slowest := w.slowest.Load()
		if int64(took) <= slowest || w.slowest.CompareAndSwap(slowest, int64(took)) {
			return
		}
	}
}
