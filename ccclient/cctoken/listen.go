package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// listenLocally listens where only programs of this machine can reach it: on loopback, or on a Unix socket that only
// this user can use.
func listenLocally(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(ctx, path)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("-listen %q: it is to be like 127.0.0.1:8080, or unix:/run/cctoken.sock", address)
	}
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, usagef("-listen %q is not loopback: whoever reaches it could use the token. Use 127.0.0.1, [::1] or "+
			"localhost, or a Unix socket (unix:/run/cctoken.sock)", address)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		l.Close()
		return nil, usagef("-listen %q: localhost is not loopback on this machine: use 127.0.0.1", address)
	}
	return l, nil
}

// listenUnix listens on a Unix socket that nobody else could use at any time: it is made in a directory of its own, and
// moved to its place when it has its mode.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, usagef("-listen: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, usagef("-listen: %s is there, and no socket", path)
	default: // of a process that may be gone
		if conn, err := new(net.Dialer).DialContext(ctx, "unix", path); err == nil {
			conn.Close()
			return nil, usagef("-listen: somebody listens at %s", path)
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".cctoken-")
	if err != nil {
		return nil, usagef("-listen: %w", err)
	}
	defer os.RemoveAll(dir)
	made := filepath.Join(dir, "s")
	l, err := new(net.ListenConfig).Listen(ctx, "unix", made)
	if err != nil {
		return nil, fmt.Errorf("-listen: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		l.Close()
		return nil, fmt.Errorf("-listen: %w", err)
	}
	return &unixListener{l, path}, nil
}

// A unixListener removes its socket when it closes.
type unixListener struct {
	net.Listener
	path string
}

func (l *unixListener) Close() error {
	err := l.Listener.Close()
	os.Remove(l.path)
	return err
}

// addressOf returns where l listens, as a client is told.
func addressOf(l net.Listener) string {
	if l, ok := l.(*unixListener); ok {
		return "unix:" + l.path
	}
	return "http://" + l.Addr().String()
}
