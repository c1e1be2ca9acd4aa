package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// An ear hears of everything that a cache does.
type ear struct {
	mu     sync.Mutex
	events []string
}

func (h *ear) hear(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, fmt.Sprintf(format, args...))
}

func (h *ear) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	// Who waited and what is shared go their ways at the same time.
	slices.Sort(h.events)
	slices.Sort(want)
	if !slices.Equal(h.events, want) {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(h.events, "\n"), strings.Join(want, "\n"))
	}
	h.events = nil
}

func (h *ear) trace() *cache.Trace {
	return &cache.Trace{
		Waited: func(_ context.Context, i cache.WaitInfo) { h.hear("%s waited %v: %v", i.Label, i.Took, i.Err) },
		Served: func(_ context.Context, i cache.ServedInfo) { h.hear("%s served by %s", i.Label, i.Source) },
		CoolDown: func(_ context.Context, i cache.CoolDownInfo) {
			h.hear("%s cool-down %d, ended %v, unseen %v, until then %v: %v", i.Label, i.InARow, i.Ended, i.Unseen,
				i.Until.After(time.Now()), i.Err)
		},
		Store: func(_ context.Context, i cache.StoreInfo) {
			h.hear("%s store %s, found %v, turned %v: %v", i.Label, i.Op, i.Found, i.Turned, i.Err)
		},
	}
}

func TestTraceHearsWhatACacheDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h ear
		outage := errors.New("outage")
		var fail error
		var reasons []cache.Reason
		c := cache.New(cache.Options{Trace: h.trace()})
		defer c.Close()
		e := c.Adopt(new(cache.Entry), "key", "l", func(ctx context.Context) (*oauth2.Token, error) {
			reasons = append(reasons, cache.ReasonOf(ctx))
			return &oauth2.Token{AccessToken: "t", Expiry: time.Now().Add(time.Hour)}, fail
		})
		e.Token(t.Context())
		h.want(t, "l waited 0s: <nil>", "l served by server")
		e.Token(t.Context())
		h.want(t)

		fail = outage
		time.Sleep(50 * time.Minute)
		e.Token(t.Context())
		h.want(t, "l cool-down 1, ended false, unseen true, until then true: outage")
		fail = nil
		time.Sleep(2 * time.Minute)
		e.Token(t.Context())
		h.want(t, "l cool-down 1, ended true, unseen true, until then false: outage")
		time.Sleep(2 * time.Hour)
		fail = outage
		e.Token(t.Context())
		e.Token(t.Context())
		h.want(t, "l cool-down 1, ended false, unseen false, until then true: outage", "l waited 0s: outage")
		want := []cache.Reason{cache.ReasonCold, cache.ReasonAhead, cache.ReasonAhead, cache.ReasonExpired}
		if !slices.Equal(reasons, want) {
			t.Errorf("the reasons were %q, want %q", reasons, want)
		}
		if r := cache.ReasonOf(t.Context()); r != "" {
			t.Errorf("%q is the reason of no fetch", r)
		}
	})
}

func TestTraceHearsOfAStoreFromItsFirstFaultToTheEnd(t *testing.T) {
	fleet(t, 0, cache.Options{}, func(t *testing.T, s *server, st *store, _ []*rig) {
		var h ear
		c := cache.New(cache.Options{Store: st, Trace: h.trace()})
		defer c.Close()
		e := c.Adopt(new(cache.Entry), "key", "l", s.fetch)
		get := func() {
			t.Helper()
			if _, err := e.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			e.Evict()
		}
		get()
		h.want(t, "l store get, found false, turned false: <nil>", "l store lock, found true, turned false: <nil>",
			"l store get, found false, turned false: <nil>", "l waited 0s: <nil>", "l served by server",
			"l store put, found false, turned false: <nil>", "l store unlock, found false, turned false: <nil>")
		get()
		h.want(t, "l store get, found true, turned false: <nil>", "l waited 0s: <nil>", "l served by store")
		st.down(errors.New("down"))
		get()
		h.want(t, "l store get, found false, turned true: down", "l waited 0s: <nil>", "l served by server")
		get() // It is left alone.
		h.want(t, "l waited 0s: <nil>", "l served by server")
		time.Sleep(2 * time.Second)
		get()
		h.want(t, "l store get, found false, turned false: down", "l waited 0s: <nil>", "l served by server")
		st.down(nil)
		time.Sleep(time.Minute)
		get()
		h.want(t, "l store get, found true, turned true: <nil>", "l waited 0s: <nil>", "l served by store")
	})
}

func TestStatusOfAnEntryThatIsNoneOrClosedIsThatOfNoToken(t *testing.T) {
	if s := new(cache.Entry).Status(); s != (cache.Status{State: cache.StateNone}) {
		t.Errorf("%+v", s)
	}
	c := cache.New(cache.Options{})
	e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
		return &oauth2.Token{AccessToken: "t", ExpiresIn: 3600}, nil
	})
	e.Token(t.Context())
	c.Close()
	if s := e.Status(); s.State != cache.StateNone || s.Counts.Fetches != 1 || s.Fetching {
		t.Errorf("%+v", s)
	}
}
