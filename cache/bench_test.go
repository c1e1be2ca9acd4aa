package cache_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// BenchmarkCachedToken costs the same with a Store, which it does not call.
func BenchmarkCachedToken(b *testing.B) {
	for name, store := range map[string]cache.Store{"store=none": nil, "store=memory": cache.Memory()} {
		b.Run(name, func(b *testing.B) {
			c := cache.New(cache.Options{Store: store})
			defer c.Close()
			e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
				return &oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Hour)}, nil
			})
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Token(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCachedTokenFloor is what no cache with an expiry can undercut.
func BenchmarkCachedTokenFloor(b *testing.B) {
	type held struct {
		token  *oauth2.Token
		expiry time.Time
	}
	var p atomic.Pointer[held]
	p.Store(&held{&oauth2.Token{AccessToken: "a"}, time.Now().Add(time.Hour)})
	b.ReportAllocs()
	for b.Loop() {
		if h := p.Load(); !time.Now().Before(h.expiry) {
			b.Fatal("expired")
		}
	}
}
