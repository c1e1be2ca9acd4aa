package cctest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// listening is the part of a Server that has sockets.
type listening struct {
	start, stop sync.Once
	url         string
	server      *http.Server
	cancel      context.CancelFunc
	// running counts the accept loop and every connection: Close joins
	// them.
	running sync.WaitGroup
	accept  sync.WaitGroup
}

// URL is the server's base URL, without a trailing slash. It makes the server
// listen, so do not ask for it in a testing/synctest bubble: use RoundTripper
// and any host there. It panics if no loopback port can be had.
func (s *Server) URL() string {
	s.listening.start.Do(func() { s.listen() })
	return s.listening.url
}

// TokenURL is the URL of the token endpoint. Like URL, it makes the server
// listen.
func (s *Server) TokenURL() string { return s.URL() + "/token" }

// Issuer is the issuer identifier. Like URL, it makes the server listen,
// unless Options.Issuer is set.
func (s *Server) Issuer() string {
	if s.o.Issuer != "" {
		return s.o.Issuer
	}
	return s.URL()
}

func (s *Server) listen() {
	l := &s.listening
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		ln, err = net.Listen("tcp", "[::1]:0")
	}
	if err != nil {
		panic(fmt.Sprintf("cctest: no loopback port: %v", err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.url = "http://" + ln.Addr().String()
	l.server = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // faults are on purpose
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew: // in the accept loop, so before it ends
				l.running.Add(1)
			case http.StateClosed, http.StateHijacked:
				l.running.Done()
			}
		},
	}
	l.accept.Go(func() { l.server.Serve(ln) }) // joined by Close
}

// Close ends the server's sockets and waits for the requests under way, which
// it cuts short. It may be called more than once. A server that never listened
// has nothing to close, and goes on answering through its handlers.
func (s *Server) Close() {
	l := &s.listening
	l.start.Do(func() {}) // not any more
	l.stop.Do(func() {
		if l.server == nil {
			return
		}
		l.cancel()
		l.server.Close()
		l.accept.Wait()
		l.running.Wait()
	})
}
