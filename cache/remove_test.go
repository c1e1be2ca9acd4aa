package cache_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

func TestARemovedTokenIsForgottenAndNotKeptFresh(t *testing.T) {
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
		for _, key := range []string{"b", "b", "never there"} {
			c.Remove(key)
		}
		if c.Entry("b", s.fetch) == held {
			t.Error("the entry is still there")
		}
		if tok, err := held.Token(t.Context()); err != nil || tok.AccessToken != "token-4" {
			t.Errorf("an entry that is still held gave %v, %v", tok, err)
		}
		for _, key := range []string{"a", "b", "c"} {
			c.Remove(key)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.requests(); n != 4 {
			t.Errorf("%d requests, want none after the removal", n)
		}
		c.Close()
		c.Remove("a")
	})
}
