package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// A port is where a server listens.
type port struct {
	server *http.Server
	ln     net.Listener
	ended  chan struct{} // closed when the server has ended
	err    error         // why, then
}

func listen(addr string, h http.Handler) (*port, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &port{
		server: &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second},
		ln:     ln, ended: make(chan struct{}),
	}
	go func() { // joined by shutdown
		defer close(p.ended)
		p.err = p.server.Serve(ln)
	}()
	return p, nil
}

func (p *port) url() string { return "http://" + p.ln.Addr().String() }

// shutdown lets the requests under way end, until ctx does.
func (p *port) shutdown(ctx context.Context) error {
	err := p.server.Shutdown(ctx)
	<-p.ended
	if !errors.Is(p.err, http.ErrServerClosed) {
		err = errors.Join(err, p.err)
	}
	return err
}
