package ccclient

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// connections is the library's own pool, which can be replaced as a whole.
type connections struct {
	config *tls.Config // nil: the defaults
	pool   atomic.Pointer[http.Transport]
}

func newConnections(config *tls.Config) *connections {
	c := &connections{config: config}
	c.pool.Store(c.open())
	return c
}

// open makes a pool for a server that calls a few hosts very often: net/http's own keeps two idle connections a host and
// would dial anew for every caller beyond that.
func (c *connections) open() *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
	if c.config != nil {
		t.TLSClientConfig = c.config.Clone()
		if t.TLSClientConfig.ClientSessionCache != nil {
			// A resumed session would speak for the certificate that was shown when it began.
			t.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
	}
	return t
}

// renew makes sure that no new request goes over a connection opened before. Those in use are left to finish, and then
// closed: soon by net/http itself, but for those of HTTP/2, which it forgets once they were busy.
func (c *connections) renew() {
	old := c.pool.Swap(c.open())
	old.CloseIdleConnections()
	time.AfterFunc(time.Second, old.CloseIdleConnections)
}

func (c *connections) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.pool.Load().RoundTrip(r)
}

func (c *connections) CloseIdleConnections() { c.pool.Load().CloseIdleConnections() }

// wrapped returns what wrap makes of c; c itself if wrap is nil.
func (c *connections) wrapped(wrap func(http.RoundTripper) http.RoundTripper) (http.RoundTripper, error) {
	if wrap == nil {
		return c, nil
	}
	t := wrap(c)
	if t == nil {
		return nil, errors.New("returned nil: return its argument to leave the connections as they are")
	}
	return wrappedConnections{t, c}, nil
}

// wrappedConnections can close idle connections, as few wrappers can.
type wrappedConnections struct {
	http.RoundTripper
	*connections
}

func (w wrappedConnections) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.RoundTripper.RoundTrip(r)
}
