package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// A world is what the processes of a fleet have in common: a clock, a token
// server and a store. It counts by the second.
type world struct {
	plan
	began    time.Time
	shared   cache.Store // its operations take a millisecond
	requests series      // at the token endpoint
	failed   series      // calls for a token
	storeOps series
	calls    atomic.Int64
	slowest  atomic.Int64 // call, in nanoseconds
}

// A series counts events by the second.
type series []atomic.Int32

func newWorld(p plan) *world {
	seconds := int(p.span/time.Second) + 60
	w := &world{
		plan:     p,
		began:    time.Now(),
		requests: make(series, seconds),
		failed:   make(series, seconds),
		storeOps: make(series, seconds),
	}
	w.shared = &store{world: w, memory: cache.Memory()}
	return w
}

func (w *world) now() time.Duration { return time.Since(w.began) }

func (w *world) count(s series) int32 { return s[int(w.now()/time.Second)].Add(1) }

var errUnavailable = errors.New("503 Service Unavailable")

// fetch is a token request.
func (w *world) fetch(ctx context.Context) (*oauth2.Token, error) {
	sent := time.Now()
	n := w.count(w.requests)
	select {
	case <-time.After(w.answer):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if w.serverDown.holds(w.now()) {
		return nil, errUnavailable
	}
	return &oauth2.Token{
		AccessToken: fmt.Sprint("token-", sent.UnixNano(), "-", n),
		TokenType:   "Bearer",
		Expiry:      sent.Add(w.life),
	}, nil
}

// Token makes a world the oauth2.TokenSource behind x/oauth2's cache.
func (w *world) Token() (*oauth2.Token, error) { return w.fetch(context.Background()) }

// A store is as far away as Redis, and refuses connections during its outage.
type store struct {
	*world
	memory cache.Store
}

var errRefused = errors.New("connection refused")

func (s *store) reach() error {
	s.count(s.storeOps)
	time.Sleep(time.Millisecond)
	if s.storeDown.holds(s.now()) {
		return errRefused
	}
	return nil
}

func (s *store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.reach(); err != nil {
		return nil, err
	}
	return s.memory.Get(ctx, key)
}

func (s *store) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	if err := s.reach(); err != nil {
		return err
	}
	return s.memory.Put(ctx, key, data, ttl)
}

func (s *store) Delete(ctx context.Context, key string) error {
	if err := s.reach(); err != nil {
		return err
	}
	return s.memory.Delete(ctx, key)
}

func (s *store) TryLock(ctx context.Context, key string, ttl time.Duration) (func(context.Context) error, bool, error) {
	if err := s.reach(); err != nil {
		return nil, false, err
	}
	unlock, ok, err := s.memory.(cache.Locker).TryLock(ctx, key, ttl)
	if !ok || err != nil {
		return nil, ok, err
	}
	return func(ctx context.Context) error {
		if err := s.reach(); err != nil {
			return err
		}
		return unlock(ctx)
	}, true, nil
}
