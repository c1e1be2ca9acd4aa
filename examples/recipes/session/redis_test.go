//go:build unix

package session_test

import (
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccclient/go-ccclient/cache/rediscache/redistest"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/session"
)

// A gate is a redis-server that takes the tokens of an authorization server for passwords of one user, as those of the
// clouds do. Redis itself cannot ask about a token: its users and their passwords are changed from outside.
type gate struct {
	*redistest.Server
	admin *redis.Client

	mu     sync.Mutex
	tokens []string
}

func startGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{Server: redistest.Start(t)}
	g.admin = redis.NewClient(&redis.Options{Addr: g.Addr})
	t.Cleanup(func() { g.admin.Close() })
	return g
}

// issued lets a new token be a password.
func (g *gate) issued(t *testing.T) func(cctest.RecordedRequest, map[string]any) {
	return func(_ cctest.RecordedRequest, members map[string]any) {
		token := members["access_token"].(string)
		err := g.admin.Do(t.Context(), "ACL", "SETUSER", "my-service", "on", "~*", "+@all", ">"+token).Err()
		if err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.tokens = append(g.tokens, token)
	}
}

// over takes all tokens so far away, and ends the connections that were made with them.
func (g *gate) over(t *testing.T) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, token := range g.tokens {
		if err := g.admin.Do(t.Context(), "ACL", "SETUSER", "my-service", "<"+token).Err(); err != nil {
			t.Error(err)
		}
	}
	g.tokens = nil
	if err := g.admin.Do(t.Context(), "CLIENT", "KILL", "USER", "my-service").Err(); err != nil {
		t.Error(err)
	}
}

func TestRedisLivesOn(t *testing.T) {
	g := startGate(t)
	as, client := newClient(t, cctest.Options{Lifetime: time.Second, TokenResponse: g.issued(t)})
	rdb := session.NewRedis(g.Addr, client)
	defer rdb.Close()
	if err := rdb.Set(t.Context(), "thing", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
	as.SetLifetime(time.Hour)
	tok, err := client.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(tok.Expiry))
	g.over(t)
	if err := rdb.Get(t.Context(), "thing").Err(); err != nil {
		t.Errorf("after an expiry: %v", err)
	}

	before := as.Stats().TokenRequests
	g.over(t)
	if err := rdb.Get(t.Context(), "thing").Err(); !redis.HasErrorPrefix(err, "WRONGPASS") {
		t.Errorf("the command that met the revocation: %v", err)
	}
	if err := rdb.Get(t.Context(), "thing").Err(); err != nil {
		t.Errorf("the next one: %v", err)
	}
	if n := as.Stats().TokenRequests - before; n != 1 {
		t.Errorf("%d token requests after a revocation", n)
	}
}
