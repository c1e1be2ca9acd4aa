package main

import (
	"fmt"
	"net"
	"os/exec"
	"time"
)

// A redisServer is one that this program runs itself.
type redisServer struct {
	addr string
	cmd  *exec.Cmd
}

func startRedis() (*redisServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.Close()
	r := &redisServer{addr: l.Addr().String()}
	return r, r.start()
}

// start starts the server, empty, and waits until it listens.
func (r *redisServer) start() error {
	host, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		return err
	}
	r.cmd = exec.Command("redis-server", "--bind", host, "--port", port, "--save", "", "--appendonly", "no")
	if err := r.cmd.Start(); err != nil {
		return fmt.Errorf("%w; install it (Debian: apt-get install redis-server), or leave -redis out", err)
	}
	for range 100 {
		c, err := net.Dial("tcp", r.addr)
		if err == nil {
			return c.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.kill()
	return fmt.Errorf("redis-server does not listen on %s", r.addr)
}

// kill ends the server as kill -9 does, and what it holds with it.
func (r *redisServer) kill() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
}
