// Package connections is the pool of connections that a client has of its own.
package connections

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A Pool is the library's own connections, which can be replaced as a whole. It is an [http.RoundTripper].
type Pool struct {
	config *tls.Config // nil: the defaults. It holds no key: there are printers that follow pointers
	pool   atomic.Pointer[transports]
}

// transports keep the connections.
type transports struct {
	direct   *http.Transport // also through proxies of other kinds
	tlsProxy *http.Transport // through https proxies
}

// New returns a pool of connections with this configuration, which the caller does not change any more; nil: the
// defaults.
func New(config *tls.Config) *Pool {
	p := &Pool{config: withHiddenKeys(config)}
	p.pool.Store(p.open())
	return p
}

// WithoutCertificate returns a pool like p whose connections show no client certificate.
func (p *Pool) WithoutCertificate() *Pool { return New(withoutCertificate(p.config)) }

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

// open makes transports for a server that calls a few hosts very often: net/http's own keeps two idle connections a
// host and would dial anew for every caller beyond that.
func (p *Pool) open() *transports {
	config := p.config.Clone()
	if config != nil && config.ClientSessionCache != nil {
		// A resumed session would speak for the certificate that was shown when it began.
		config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	t := &transports{direct: newTransport(config), tlsProxy: newTransport(config)}
	t.tlsProxy.DialTLSContext = dialProxy(withoutCertificate(config))
	return t
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

func (t *transports) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL != nil {
		if proxy, err := http.ProxyFromEnvironment(r); err == nil && proxy != nil && proxy.Scheme == "https" {
			return t.tlsProxy.RoundTrip(r)
		}
	}
	return t.direct.RoundTrip(r)
}

func (t *transports) CloseIdleConnections() {
	t.direct.CloseIdleConnections()
	t.tlsProxy.CloseIdleConnections()
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
