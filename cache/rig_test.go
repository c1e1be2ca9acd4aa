package cache_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

// A server stands for wherever tokens come from.
type server struct {
	mu       sync.Mutex // guards what follows
	lifetime time.Duration
	delay    time.Duration
	err      error
	same     string // if set, the token it gives each time
	extra    map[string]any
	times    []time.Time // of the requests
	inFlight int
	peak     int
}

func newServer() *server { return &server{lifetime: time.Hour} }

func (s *server) set(f func(s *server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *server) fetch(ctx context.Context) (*oauth2.Token, error) {
	sent := time.Now()
	s.mu.Lock()
	s.times = append(s.times, sent)
	n, delay := len(s.times), s.delay
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	s.mu.Unlock()
	defer s.set(func(s *server) { s.inFlight-- })
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	tok := &oauth2.Token{AccessToken: fmt.Sprint("token-", n), TokenType: "Bearer", Expiry: sent.Add(s.lifetime)}
	if s.same != "" {
		tok.AccessToken = s.same
	}
	if s.extra != nil {
		tok = tok.WithExtra(s.extra)
	}
	return tok, nil
}

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}

// rig is a cache with one entry before a server.
type rig struct {
	t testing.TB
	*server
	*cache.Cache
	*cache.Entry
}

// inBubble runs f with a rig in virtual time. A goroutine that is left over fails the test by itself.
func inBubble(t *testing.T, o cache.Options, f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, server: newServer(), Cache: cache.New(o)}
		r.Entry = r.Cache.Entry("key", r.fetch)
		defer r.Close()
		f(t, r)
	})
}

// token gets a token and the time that took.
func (r *rig) token() (string, time.Duration) {
	r.t.Helper()
	start := time.Now()
	tok, err := r.Token(r.t.Context())
	if err != nil {
		r.t.Fatalf("Token: %v", err)
	}
	return tok.AccessToken, time.Since(start)
}

// want gets a token and expects it to be tok, without a wait.
func (r *rig) want(tok string) {
	r.t.Helper()
	synctest.Wait()
	if got, waited := r.token(); got != tok || waited != 0 {
		r.t.Fatalf("Token gave %s after %v, want %s at once", got, waited, tok)
	}
	synctest.Wait()
}

func (r *rig) wantError(err error) {
	r.t.Helper()
	start := time.Now()
	if tok, got := r.Token(r.t.Context()); got != err || time.Since(start) != 0 {
		r.t.Fatalf("Token gave %v, %v after %v; want the error %v at once", tok, got, time.Since(start), err)
	}
}

func (r *rig) wantRequests(n int) {
	r.t.Helper()
	synctest.Wait()
	if got := r.requests(); got != n {
		r.t.Fatalf("the server got %d requests, want %d", got, n)
	}
}

// wantApart expects that no request began sooner than d after the one before.
func (r *rig) wantApart(d time.Duration) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 1; i < len(r.times); i++ {
		if apart := r.times[i].Sub(r.times[i-1]); apart < d {
			r.t.Fatalf("request %d came %v after the one before", i, apart)
		}
	}
}

func (r *rig) invalidate(tok string) {
	r.Invalidate(&oauth2.Token{AccessToken: tok})
}
