package cache_test

import (
	"context"
	"math"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

func TestOptionsOutOfRangeAreBroughtIntoIt(t *testing.T) {
	for name, o := range map[string]cache.Options{
		"FetchTimeout":      {FetchTimeout: -1},
		"DefaultLifetime":   {DefaultLifetime: -1},
		"ExpiryMargin":      {ExpiryMargin: -1},
		"ExpiryMargin, big": {ExpiryMargin: math.MaxInt64},
		"MaxKeys":           {MaxKeys: -1},
		"RefreshAt":         {RefreshAt: -1},
		"RefreshAt, big":    {RefreshAt: math.Inf(1)},
		"RefreshAt, none":   {RefreshAt: math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, o, func(t *testing.T, r *rig) {
				r.set(func(s *server) { s.delay = time.Second })
				if _, took := r.token(); took != time.Second {
					t.Errorf("the first token took %v", took)
				}
				silent := r.Cache.Entry("silent", func(context.Context) (*oauth2.Token, error) {
					return &oauth2.Token{AccessToken: "a"}, nil
				})
				tok, err := silent.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if left := time.Until(tok.Expiry); left != 5*time.Minute {
					t.Errorf("a token of unknown lifetime is taken to live %v", left)
				}
			})
		})
	}
}
