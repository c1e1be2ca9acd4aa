//go:build unix

// Package redistest starts real Redis servers on loopback for tests, and
// breaks them.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Server is one redis-server process. It keeps nothing on disk, so what it
// holds dies with it.
type Server struct {
	Addr string // host:port on loopback

	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
	exit chan struct{} // closed when the process has ended
}

// startPatience bounds the wait for what a healthy server does.
const startPatience = 20 * time.Second

// Start starts a server, with more arguments as redis-server takes them, and
// stops it at the end of the test. Where redis-server is not installed the test
// is skipped, or fails if the environment says CI=true.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, func(port string) []string { return append([]string{"--port", port}, args...) })
}

// StartTLS is Start for a server that speaks TLS only, with these PEM files;
// it does not ask clients for certificates.
func StartTLS(t testing.TB, certFile, keyFile string, args ...string) *Server {
	t.Helper()
	return start(t, func(port string) []string {
		return append([]string{"--port", "0", "--tls-port", port, "--tls-auth-clients", "no",
			"--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certFile}, args...)
	})
}

// StartCluster starts a cluster of three masters without replicas.
func StartCluster(t testing.TB, args ...string) []*Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	const masters, slots = 3, 16384
	var servers []*Server
	var clients []*redis.Client
	for i := range masters {
		var busPort string
		s := start(t, func(port string) []string {
			busPort = freePort(t)
			return append([]string{"--port", port, "--cluster-enabled", "yes", "--cluster-port", busPort,
				"--cluster-node-timeout", "2000"}, args...)
		})
		c := redis.NewClient(&redis.Options{Addr: s.Addr})
		defer c.Close()
		servers, clients = append(servers, s), append(clients, c)
		host, port, _ := net.SplitHostPort(s.Addr)
		err := errors.Join(
			c.Do(ctx, "CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1).Err(),
			clients[0].Do(ctx, "CLUSTER", "MEET", host, port, busPort).Err())
		if err != nil {
			t.Fatalf("redistest: cluster: %v", err)
		}
	}
	waitFor(t, "the cluster to form", func() bool {
		return !slices.ContainsFunc(clients, func(c *redis.Client) bool {
			info, err := c.ClusterInfo(ctx).Result()
			return err != nil || !strings.Contains(info, "cluster_state:ok") ||
				!strings.Contains(info, fmt.Sprint("cluster_known_nodes:", masters)) ||
				!strings.Contains(info, fmt.Sprint("cluster_size:", masters))
		})
	})
	return servers
}

// Kill ends the process as kill -9 does.
func (s *Server) Kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	<-s.exit
}

// Pause stops the process: connections stay, and nothing is answered.
func (s *Server) Pause() { s.t.Helper(); s.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() { s.t.Helper(); s.signal(syscall.SIGCONT) }

// Restart starts a server that was killed, empty, at the same address.
func (s *Server) Restart() {
	s.t.Helper()
	<-s.exit
	if err := s.run(); err != nil {
		s.t.Fatalf("redistest: restart: %v", err)
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("redistest: %v: %v", sig, err)
	}
}

func start(t testing.TB, args func(port string) []string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const remedy = "redis-server not found: install it (Debian: apt-get install redis-server)"
		if os.Getenv("CI") == "true" {
			t.Fatal(remedy)
		}
		t.Skip(remedy)
	}
	const attempts = 5 // somebody else may take a port that was just free
	var err error
	for range attempts {
		port := freePort(t)
		s := &Server{
			Addr: net.JoinHostPort("127.0.0.1", port),
			t:    t,
			dir:  t.TempDir(),
			args: args(port),
		}
		if err = s.run(); err == nil {
			t.Cleanup(func() {
				s.cmd.Process.Kill() // of a paused process too
				<-s.exit
			})
			return s
		}
	}
	t.Fatalf("redistest: %v", err)
	return nil
}

// run starts the process and waits until it says that it listens. That the
// port can be reached would not do: another process may have taken it.
func (s *Server) run() error {
	log := filepath.Join(s.dir, "redis.log")
	if err := os.RemoveAll(log); err != nil {
		return err
	}
	s.cmd = exec.Command("redis-server", append([]string{
		"--bind", "127.0.0.1", "--dir", s.dir, "--logfile", log, "--save", "",
		"--appendonly", "no", "--daemonize", "no",
	}, s.args...)...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.exit = make(chan struct{})
	go func(cmd *exec.Cmd, exit chan struct{}) { // joined by Kill, Restart, or the test's cleanup
		cmd.Wait()
		close(exit)
	}(s.cmd, s.exit)
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(log)
		if strings.Contains(string(text), "Ready to accept connections") {
			return nil
		}
		select {
		case <-s.exit:
			return fmt.Errorf("redis-server ended: %v\n%s", s.cmd.ProcessState, text)
		default:
		}
		if time.Since(began) > startPatience {
			s.cmd.Process.Kill()
			<-s.exit
			return fmt.Errorf("redis-server is not ready after %v\n%s", startPatience, text)
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func waitFor(t testing.TB, what string, f func() bool) {
	t.Helper()
	for began := time.Now(); !f(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > startPatience {
			t.Fatalf("redistest: waited %v for %s", startPatience, what)
		}
	}
}
