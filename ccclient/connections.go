package ccclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// connections are the library's own pool, which can be replaced as a whole.
type connections struct {
	config *tls.Config // nil: the defaults. It holds no key: there are printers that follow pointers
	pool   atomic.Pointer[pool]
}

// newConnections returns connections with a configuration; nil: the defaults.
func newConnections(config *tls.Config) *connections {
	c := &connections{config: withHiddenKeys(config)}
	c.pool.Store(c.open())
	return c
}

// withHiddenKeys returns a copy of config that has its certificates in a function.
func withHiddenKeys(config *tls.Config) *tls.Config {
	if config == nil {
		return nil
	}
	config = config.Clone()
	if all := config.Certificates; config.GetClientCertificate == nil && len(all) > 0 {
		config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			for i := range all { // as crypto/tls chooses
				if info.SupportsCertificate(&all[i]) == nil {
					return &all[i], nil
				}
			}
			return new(tls.Certificate), nil
		}
	}
	config.Certificates = nil
	return config
}

// withoutCertificate returns a copy of config for connections that show no client certificate. It has sessions of its
// own: a resumed one would speak for the certificate that was shown when it began.
func withoutCertificate(config *tls.Config) *tls.Config {
	if config == nil {
		return new(tls.Config)
	}
	config = config.Clone()
	config.Certificates, config.GetClientCertificate = nil, nil
	if config.ClientSessionCache != nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return config
}

// A pool holds open connections.
type pool struct {
	direct   *http.Transport // also through proxies of other kinds
	tlsProxy *http.Transport // through https proxies
}

// open makes a pool for a server that calls a few hosts very often: net/http's own keeps two idle connections a host and
// would dial anew for every caller beyond that.
func (c *connections) open() *pool {
	config := c.config.Clone()
	if config != nil && config.ClientSessionCache != nil {
		// A resumed session would speak for the certificate that was shown when it began.
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	p := &pool{direct: newTransport(config), tlsProxy: newTransport(config)}
	p.tlsProxy.DialTLSContext = dialProxy(withoutCertificate(config))
	return p
}

func newTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config.Clone(),
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   100,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

var dialer = &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}

// dialProxy returns what dials https proxies: for an http.Transport whose requests all go through one, that is what
// DialTLSContext is for. Left to itself, it would show a proxy the certificate that is meant for the server behind it,
// and speak HTTP/2 with one that offers it, which it cannot.
func dialProxy(config *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	config.ServerName = "" // that of the server behind
	config.NextProtos = nil
	return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext
}

func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL != nil {
		if proxy, err := http.ProxyFromEnvironment(r); err == nil && proxy != nil && proxy.Scheme == "https" {
			return p.tlsProxy.RoundTrip(r)
		}
	}
	return p.direct.RoundTrip(r)
}

func (p *pool) CloseIdleConnections() {
	p.direct.CloseIdleConnections()
	p.tlsProxy.CloseIdleConnections()
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
