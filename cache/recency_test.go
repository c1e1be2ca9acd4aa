package cache_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// use gets a token for each of the keys.
func use(t *testing.T, c *cache.Cache, s *server, keys ...string) {
	t.Helper()
	for _, k := range keys {
		if _, err := c.Entry(k, s.fetch).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLeastRecentlyUsedMakesRoom(t *testing.T) {
	o := cache.Options{MaxKeys: 3}
	inBubble(t, o, func(t *testing.T, r *rig) {
		c, s := cache.New(o), r.server
		defer c.Close()
		a := c.Entry("a", s.fetch)
		use(t, c, s, "a", "b", "c")
		third := c.Entry("c", s.fetch)
		if _, err := a.Token(t.Context()); err != nil { // a use through a held entry counts as well
			t.Fatal(err)
		}
		use(t, c, s, "b", "d")
		if !third.Evicted() || a.Evicted() {
			t.Errorf("evicted: a %v, c %v; want c", a.Evicted(), third.Evicted())
		}
		use(t, c, s, "e")
		if !a.Evicted() {
			t.Error("a was not evicted")
		}
		n := s.requests()
		use(t, c, s, "b", "d", "e")
		r.wantRequests(n)
		use(t, c, s, "a")
		r.wantRequests(n + 1)
	})
}

func TestExpiredMakeRoomFirst(t *testing.T) {
	o := cache.Options{MaxKeys: 3}
	inBubble(t, o, func(t *testing.T, r *rig) {
		c, s := cache.New(o), r.server
		defer c.Close()
		old, short, other := c.Entry("old", s.fetch), c.Entry("short", s.fetch), c.Entry("other", s.fetch)
		use(t, c, s, "old")
		s.set(func(s *server) { s.lifetime = time.Minute })
		use(t, c, s, "short")
		s.set(func(s *server) { s.lifetime = time.Hour })
		use(t, c, s, "other")
		time.Sleep(2 * time.Minute)
		use(t, c, s, "new")
		if old.Evicted() || !short.Evicted() || other.Evicted() {
			t.Errorf("evicted: old %v, short %v, other %v; want short", old.Evicted(), short.Evicted(), other.Evicted())
		}
	})
}

func TestRejectionThroughAnEvictedEntryReachesTheOneThatServes(t *testing.T) {
	inBubble(t, cache.Options{MaxKeys: 1}, func(t *testing.T, r *rig) {
		held := r.Entry
		r.want("token-1")
		use(t, r.Cache, r.server, "other", "key") // evicts held, and makes another for its key
		r.want("token-3")
		r.invalidate("token-3")
		if r.Cache.Entry("key", nil) == held {
			t.Fatal("the test is pointless: held was not evicted")
		}
		r.want("token-4")
	})
}

func TestEvictedEntryThatIsHeldWorksOn(t *testing.T) {
	inBubble(t, cache.Options{MaxKeys: 1}, func(t *testing.T, r *rig) {
		r.want("token-1")
		other := r.Cache.Entry("other", r.fetch)
		other.Token(t.Context())
		r.want("token-3") // its token was dropped; it is known again
		r.want("token-3")
		r.wantRequests(3)
		// Made anew while the old one is still held: one token for both.
		r.Cache.Entry("other", r.fetch)
		again := r.Cache.Entry("key", r.fetch)
		if tok, err := again.Token(t.Context()); err != nil || tok.AccessToken != "token-4" {
			t.Errorf("got %v, %v", tok, err)
		}
		r.want("token-4")
		r.wantRequests(4)
	})
}

func TestNoMoreThanMaxKeysAreHeld(t *testing.T) {
	c := cache.New(cache.Options{MaxKeys: 100})
	defer c.Close()
	f := func(context.Context) (*oauth2.Token, error) { return &oauth2.Token{AccessToken: "a"}, nil }
	var entries []*cache.Entry
	for i := range 1000 {
		e := c.Entry(strconv.Itoa(i), f)
		if _, err := e.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	held := 0
	for _, e := range entries {
		if !e.Evicted() {
			held++
		}
	}
	if held != 100 {
		t.Errorf("%d keys are held, want 100", held)
	}
}

func TestEvictForgetsTokenAndKeepsItFreshNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.lifetime = 100 * time.Second
		c := cache.New(cache.Options{KeepFresh: true})
		defer c.Close()
		for _, key := range []string{"a", "b", "c"} {
			if _, err := c.Entry(key, s.fetch).Token(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		held := c.Entry("b", nil)
		held.Evict()
		held.Evict()
		if c.Entry("b", s.fetch) == held {
			t.Error("the entry is still there")
		}
		if tok, err := held.Token(t.Context()); err != nil || tok.AccessToken != "token-4" {
			t.Errorf("an entry that is still held gave %v, %v", tok, err)
		}
		for _, key := range []string{"a", "b", "c"} {
			c.Entry(key, nil).Evict()
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.requests(); n != 4 {
			t.Errorf("%d requests, want none after the removal", n)
		}
		c.Close()
		held.Evict()
	})
}

func TestUseIsUseInEveryPhase(t *testing.T) {
	for name, age := range map[string]time.Duration{"fresh": 0, "stale": 85 * time.Second, "expiring": 95 * time.Second,
		"gone": 200 * time.Second} {
		t.Run(name, func(t *testing.T) {
			o := cache.Options{MaxKeys: 8}
			inBubble(t, o, func(t *testing.T, r *rig) {
				c, s := cache.New(o), r.server
				defer c.Close()
				s.lifetime = 100 * time.Second
				busiest := c.Entry("busiest", s.fetch)
				use(t, c, s, "busiest")
				s.set(func(s *server) { s.lifetime = time.Hour })
				time.Sleep(age)
				s.set(func(s *server) { s.err = errors.New("outage") })
				busiest.Token(t.Context())
				synctest.Wait()
				for i := range 20 {
					for range 10 {
						busiest.Token(t.Context())
					}
					c.Entry(strconv.Itoa(i), s.fetch).Token(t.Context())
					if age <= 100*time.Second && busiest.Evicted() {
						t.Fatalf("the busiest key made room for key %d", i)
					}
				}
			})
		})
	}
}
