package cctest

import (
	"context"
	"crypto/tls"
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
	cancel      context.CancelFunc
	servers     []*http.Server
	accepting   sync.WaitGroup // the accept loops
	connections sync.WaitGroup // each with its goroutines
}

// URL returns the server's base URL, without a trailing slash. It makes the server listen, so do not ask for it in a
// testing/synctest bubble: use RoundTripper and any host there. It panics if no loopback port can be had.
func (s *Server) URL() string {
	s.listening.start.Do(s.listen)
	url, _ := s.urls()
	return url
}

// TokenURL returns the URL of the token endpoint. Like URL, it makes the server listen.
func (s *Server) TokenURL() string { return s.URL() + "/token" }

// Issuer returns the issuer identifier. Like URL, it makes the server listen, unless Options.Issuer is set.
func (s *Server) Issuer() string {
	if s.o.Issuer != "" {
		return s.o.Issuer
	}
	return s.URL()
}

// MTLSURL returns the URL where clients are asked for a certificate (RFC 8705, section 5); empty without Options.TLS.
// Like URL, it makes the server listen.
func (s *Server) MTLSURL() string {
	s.listening.start.Do(s.listen)
	_, mtlsURL := s.urls()
	return mtlsURL
}

func (s *Server) urls() (url, mtlsURL string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.url, s.mtlsURL
}

// ClientTLS returns what a client of URL and MTLSURL needs: trust in the server's CA, and certificates to show, if
// any.
func (s *Server) ClientTLS(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: s.CA().Pool(), Certificates: certificates, MinVersion: tls.VersionTLS12}
}

func (s *Server) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	s.listening.cancel = cancel
	main := loopback()
	if !s.o.TLS {
		s.listensAt("http://"+main.Addr().String(), "")
		s.serveOn(ctx, main, nil)
		return
	}
	certificate, err := s.CA().Issue("cctest server", "localhost", "127.0.0.1", "::1")
	if err != nil { // the names are ours, and are good
		panic(err.Error())
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	asking := config.Clone()
	// Certificates of any origin are let in: what they are worth depends on the client that shows them.
	asking.ClientAuth = tls.RequestClientCert
	alias := loopback()
	s.listensAt("https://"+main.Addr().String(), "https://"+alias.Addr().String())
	s.serveOn(ctx, main, config)
	s.serveOn(ctx, alias, asking)
}

func (s *Server) listensAt(url, mtlsURL string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url, s.mtlsURL = url, mtlsURL
}

func loopback() net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		ln, err = net.Listen("tcp", "[::1]:0")
	}
	if err != nil {
		panic(fmt.Sprintf("cctest: no loopback port: %v", err))
	}
	return ln
}

// serveOn serves on a listener, with TLS if there is a config. Close joins what it starts.
func (s *Server) serveOn(ctx context.Context, ln net.Listener, config *tls.Config) {
	l := &s.listening
	server := &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         config,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // faults are on purpose
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew: // in the accept loop, so before it ends
				l.connections.Add(1)
			case http.StateClosed, http.StateHijacked:
				l.connections.Done()
			}
		},
	}
	l.servers = append(l.servers, server)
	l.accepting.Go(func() {
		if config != nil {
			server.ServeTLS(ln, "", "")
		} else {
			server.Serve(ln)
		}
	})
}

// Close ends the server's sockets and waits for the requests under way, which it cuts short. It may be called more
// than once. A server that never listened has nothing to close, and goes on answering through its handlers.
func (s *Server) Close() {
	l := &s.listening
	l.start.Do(func() {}) // not any more
	l.stop.Do(func() {
		if l.cancel == nil {
			return
		}
		l.cancel()
		for _, server := range l.servers {
			server.Close()
		}
		l.accepting.Wait()
		l.connections.Wait()
	})
}
