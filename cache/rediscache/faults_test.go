//go:build unix

package rediscache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/rediscache"
	"github.com/ccclient/go-ccclient/cache/rediscache/redistest"
)

// patience bounds the wait for what must happen.
const patience = 30 * time.Second

func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for began := time.Now(); time.Since(began) < patience; time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: still %v after %v", what, err, patience)
}

// wantErrors makes each of the calls with a context that ends soon, and checks that each returns an error for which ok
// is true, and no miss.
func wantErrors(t *testing.T, s *rediscache.Store, calls string, ok func(error) bool) {
	t.Helper()
	for call, f := range map[string]func(context.Context) error{
		"Get":     func(ctx context.Context) error { _, err := s.Get(ctx, "k"); return err },
		"Put":     func(ctx context.Context) error { return s.Put(ctx, "k", []byte("canary-token"), time.Hour) },
		"Delete":  func(ctx context.Context) error { return s.Delete(ctx, "k") },
		"TryLock": func(ctx context.Context) error { _, _, err := s.TryLock(ctx, "k", time.Hour); return err },
	} {
		if !strings.Contains(calls, call) {
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		err := f(ctx)
		cancel()
		switch {
		case err == nil, errors.Is(err, cache.ErrMiss), !strings.HasPrefix(err.Error(), "rediscache: "), !ok(err):
			t.Errorf("%s: %v, which is not the error wanted", call, err)
		case strings.Contains(err.Error(), "canary"):
			t.Errorf("%s: the error holds the data: %v", call, err)
		}
	}
}

func says(text string) func(error) bool {
	return func(err error) bool { return strings.Contains(err.Error(), text) }
}

func works(t *testing.T, s *rediscache.Store) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Put(ctx, "works", []byte("v"), time.Hour); err != nil {
		return err
	}
	if data, err := s.Get(ctx, "works"); err != nil || string(data) != "v" {
		return fmt.Errorf("Get = %q, %w", data, err)
	}
	unlock, ok, err := s.TryLock(ctx, "works", time.Hour)
	if err != nil || !ok {
		return fmt.Errorf("TryLock = %t, %w", ok, err)
	}
	return errors.Join(unlock(ctx), s.Delete(ctx, "works"))
}

func TestKilledServerIsAnErrorUntilItIsBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := rediscache.New(single(t, server), rediscache.Options{})
	put(t, s, "k", "v")
	server.Kill()
	wantErrors(t, s, "Get Put Delete TryLock", func(err error) bool {
		return errors.Is(err, context.DeadlineExceeded) || says("refused")(err)
	})
	server.Restart()
	eventually(t, "the server is back", func() error { return works(t, s) })
	if _, err := s.Get(t.Context(), "k"); err != cache.ErrMiss {
		t.Errorf("Get from the server that came back empty = %v, want ErrMiss", err)
	}
}

// patient is a client that would itself wait for minutes.
func patient(t testing.TB, s *redistest.Server) *redis.Client {
	return client(t, redis.NewClient(&redis.Options{Addr: s.Addr, ReadTimeout: 5 * time.Minute,
		WriteTimeout: 5 * time.Minute}))
}

func TestPausedServerCostsNoMoreThanTheContextAllows(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := rediscache.New(patient(t, server), rediscache.Options{})
	put(t, s, "k", "v")
	server.Pause()
	wantErrors(t, s, "Get Put Delete TryLock", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) })

	// Not only at a deadline.
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := s.Get(ctx, "k"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get with a context that was cancelled meanwhile: %v", err)
	}
	server.Resume()
	eventually(t, "the server goes on", func() error { return works(t, s) })
}

func TestLockThatIsLentWhenNobodyWaitsAnyMoreIsGivenBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := rediscache.New(patient(t, server), rediscache.Options{})
	if err := works(t, s); err != nil { // the connection is up, the scripts are loaded
		t.Fatal(err)
	}
	admin := single(t, server)
	before := callsOf(t, admin, "set")
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, ok, err := s.TryLock(ctx, "k", time.Hour); ok || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("TryLock = %t, %v, want its context's error", ok, err)
	}
	server.Resume()
	eventually(t, "the server lends the lock late", func() error {
		if callsOf(t, admin, "set") == before {
			return errors.New("it has not")
		}
		return nil
	})
	eventually(t, "the lock is given back", func() error {
		_, ok, err := s.TryLock(t.Context(), "k", time.Hour)
		if !ok && err == nil {
			err = errors.New("held")
		}
		return err
	})
}

// callsOf is how often the server has run the command, in scripts too.
func callsOf(t *testing.T, c *redis.Client, command string) string {
	t.Helper()
	info, err := c.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, stat, _ := strings.Cut(info, "cmdstat_"+command+":calls=")
	calls, _, _ := strings.Cut(stat, ",")
	return calls
}

func TestLostAnswerDoesNotLoseTheLock(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var lose atomic.Bool
	s := rediscache.New(client(t, redis.NewClient(&redis.Options{
		Addr: server.Addr,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &lossyConn{Conn: conn, lose: &lose}, err
		},
	})), rediscache.Options{})
	if err := works(t, s); err != nil {
		t.Fatal(err)
	}
	lose.Store(true)
	unlock, ok, err := s.TryLock(t.Context(), "k", time.Hour)
	if err != nil || !ok {
		t.Fatalf("TryLock, whose first answer was lost = %t, %v, want the lock", ok, err)
	}
	if lose.Load() {
		t.Fatal("no answer was lost")
	}
	if _, ok, _ := s.TryLock(t.Context(), "k", time.Hour); ok {
		t.Error("the lock was lent twice")
	}
	if err := unlock(t.Context()); err != nil {
		t.Error(err)
	}
	if _, ok, _ := s.TryLock(t.Context(), "k", time.Hour); !ok {
		t.Error("the lock is held after its unlock")
	}
}

// lossyConn loses the next answer to a script, and with it the connection.
type lossyConn struct {
	net.Conn
	lose   *atomic.Bool
	script atomic.Bool
}

func (c *lossyConn) Write(b []byte) (int, error) {
	c.script.Store(bytes.Contains(bytes.ToLower(b), []byte("evalsha")))
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.script.Load() && c.lose.CompareAndSwap(true, false) {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

func TestFlushedServerHasLostTokensLocksAndScripts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := single(t, server)
	s := rediscache.New(admin, rediscache.Options{})
	put(t, s, "k", "v")
	unlock, ok, err := s.TryLock(t.Context(), "k", time.Hour)
	if err != nil || !ok {
		t.Fatalf("TryLock = %t, %v", ok, err)
	}
	if err := errors.Join(admin.FlushAll(t.Context()).Err(), admin.ScriptFlush(t.Context()).Err()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "k"); err != cache.ErrMiss {
		t.Errorf("Get = %v, want ErrMiss", err)
	}
	if err := unlock(t.Context()); err != nil {
		t.Errorf("unlock of a lock that was flushed: %v", err)
	}
	if err := works(t, s); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyServerStillServesReads(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := single(t, server)
	s := rediscache.New(client(t, redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1})),
		rediscache.Options{})
	put(t, s, "k", "v")
	if err := admin.ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil { // where no master is
		t.Fatal(err)
	}
	wantErrors(t, s, "Put Delete TryLock", says("read only"))
	holds(t, s, "k", "v")
	if err := admin.ReplicaOf(t.Context(), "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	if err := works(t, s); err != nil {
		t.Error(err)
	}
}

func TestServerOutOfMemoryStillServesReads(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	admin := single(t, server)
	s := rediscache.New(client(t, redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1})),
		rediscache.Options{})
	put(t, s, "k", "v")
	if err := admin.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	wantErrors(t, s, "Put TryLock", says("OOM"))
	holds(t, s, "k", "v")
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Errorf("Delete, which frees memory: %v", err)
	}
	if err := admin.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if err := works(t, s); err != nil {
		t.Error(err)
	}
}

func TestServerThatDoesNotKnowACommandIsNotQuoted(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--rename-command", "SET", "", "--rename-command", "DEL", "")
	s := rediscache.New(single(t, server), rediscache.Options{})
	wantErrors(t, s, "Put Delete", says("unknown command"))
}

func TestKeyOfAnotherTypeIsAnErrorThatPutMends(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	admin := single(t, server)
	s := rediscache.New(admin, rediscache.Options{})
	if err := admin.RPush(t.Context(), "ccclient:data:k", "element").Err(); err != nil {
		t.Fatal(err)
	}
	wantErrors(t, s, "Get", says("WRONGTYPE"))
	put(t, s, "k", "v")
	holds(t, s, "k", "v")
}

func TestUserWithoutPermissionIsToldWhich(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	limitUser(t, single(t, server), "~other:* -@all +get +hello")
	s := rediscache.New(client(t, redis.NewClient(&redis.Options{Addr: server.Addr, Username: "tokens",
		Password: "password"})), rediscache.Options{})
	wantErrors(t, s, "Get Put Delete TryLock", says("NOPERM"))
}

func TestClusterThatLosesANodeIsAnErrorUntilItIsBack(t *testing.T) {
	t.Parallel()
	servers := redistest.StartCluster(t)
	s := rediscache.New(cluster(t, servers), rediscache.Options{})
	keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} // on all three
	for _, key := range keys {
		put(t, s, key, "v")
	}
	servers[1].Kill()
	failed := 0
	for _, key := range keys {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := s.Get(ctx, key)
		cancel()
		if errors.Is(err, cache.ErrMiss) {
			t.Errorf("Get of %s = %v, which is a miss, not an error", key, err)
		}
		if err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no key was on the node that was killed")
	}
	servers[1].Restart()
	eventually(t, "the node is back", func() error {
		for _, key := range keys {
			if err := s.Put(t.Context(), key, []byte("v"), time.Hour); err != nil {
				return err
			}
		}
		return works(t, s)
	})
}

func TestSentinelFailoverIsFollowed(t *testing.T) {
	t.Parallel()
	master, replica := redistest.Start(t), redistest.Start(t)
	admin := single(t, replica)
	host, port, _ := net.SplitHostPort(master.Addr)
	if err := admin.ReplicaOf(t.Context(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the replica follows", func() error {
		info, err := admin.Info(t.Context(), "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New("it does not")
		}
		return err
	})
	sentinel := startSentinel(t, host, port)
	c := client(t, redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "tokens",
		SentinelAddrs: []string{sentinel}}))
	s := rediscache.New(c, rediscache.Options{})
	eventually(t, "the sentinel knows the replica", func() error {
		probe := client(t, redis.NewSentinelClient(&redis.Options{Addr: sentinel}))
		replicas, err := probe.Replicas(t.Context(), "tokens").Result()
		if err == nil && len(replicas) == 0 {
			err = errors.New("it does not")
		}
		return err
	})
	put(t, s, "k", "v")
	if n, err := single(t, master).Wait(t.Context(), 1, patience).Result(); n != 1 || err != nil {
		t.Fatalf("replicated to %d, %v", n, err)
	}
	master.Kill()
	eventually(t, "the replica takes over", func() error { return works(t, s) })
	holds(t, s, "k", "v")
}

// startSentinel starts a sentinel that decides alone, and at once.
func startSentinel(t *testing.T, masterHost, masterPort string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	config := filepath.Join(t.TempDir(), "sentinel.conf") // the sentinel writes to it
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor tokens %s %s 1\n"+
		"sentinel down-after-milliseconds tokens 500\nsentinel failover-timeout tokens 3000\n", port, masterHost, masterPort)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", config, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	probe := client(t, redis.NewSentinelClient(&redis.Options{Addr: addr}))
	eventually(t, "the sentinel answers", func() error { return probe.Ping(t.Context()).Err() })
	return addr
}
