package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

func TestWhoGivesUpIsToldOfTheLastFailureOfAnyKind(t *testing.T) {
	for name, failure := range map[string]error{
		"of the key": errors.New("outage"), "of all keys": about(cache.CoolDown{Shared: true}),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
				r.set(func(s *server) { s.err = failure })
				if _, err := r.Token(t.Context()); !errors.Is(err, failure) {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				r.set(func(s *server) { s.err, s.delay = nil, 10*time.Second })
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := r.Token(ctx)
				if gaveUp, ok := errors.AsType[*cache.GaveUp](err); !ok || !errors.Is(gaveUp.Last, failure) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
