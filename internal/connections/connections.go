// Package connections is the pool of connections that a client has of its own.
package connections

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A Pool is the library's own connections, which can be replaced as a whole. It is an [http.RoundTripper].
type Pool struct {
	config *tls.Config // nil: the defaults
	pool   atomic.Pointer[http.Transport]
}

// New returns a pool of connections with this configuration, which the caller does not change any more.
func New(config *tls.Config) *Pool {
	p := &Pool{config: config}
	p.pool.Store(p.open())
	return p
}

// open makes a pool for a server that calls a few hosts very often: net/http's own keeps two idle connections a host
// and would dial anew for every caller beyond that.
func (p *Pool) open() *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if p.config != nil {
		t.TLSClientConfig = p.config.Clone()
		if t.TLSClientConfig.ClientSessionCache != nil {
			// A resumed session would speak for the certificate that was shown when it began.
			t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
	}
	return t
}

// Renew makes sure that no new request goes over a connection opened before. Those in use are left to finish, and then
// closed: soon by net/http itself, but for those of HTTP/2, which it forgets once they were busy.
func (p *Pool) Renew() {
	old := p.pool.Swap(p.open())
	old.CloseIdleConnections()
	time.AfterFunc(time.Second, old.CloseIdleConnections)
}

// RoundTrip sends r over a connection of the pool.
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) {
	return p.pool.Load().RoundTrip(r)
}

// CloseIdleConnections closes those that are not in use.
func (p *Pool) CloseIdleConnections() { p.pool.Load().CloseIdleConnections() }

// Wrapped returns what wrap makes of p; p itself if wrap is nil.
func (p *Pool) Wrapped(wrap func(http.RoundTripper) http.RoundTripper) (http.RoundTripper, error) {
	if wrap == nil {
		return p, nil
	}
	t := wrap(p)
	if t == nil {
		return nil, errors.New("returned nil: return its argument to leave the connections as they are")
	}
	return wrapped{t, p}, nil
}

// wrapped can close idle connections, as few wrappers can.
type wrapped struct {
	http.RoundTripper
	*Pool
}

func (w wrapped) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.RoundTripper.RoundTrip(r)
}
