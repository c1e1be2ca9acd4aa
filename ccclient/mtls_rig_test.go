package ccclient_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A mutual is an authorization server and a resource on sockets that ask for
// certificates. It notes the certificate of each connection to the resource.
type mutual struct {
	t   *testing.T
	as  *cctest.Server
	api *httptest.Server

	mu    sync.Mutex // guards what follows
	shown []string   // common names, with a star where the session was resumed
	open  map[net.Conn]string

	closed *sync.Cond // some connection was
}

// orders is a client that is known by its certificate, which its tokens are
// bound to.
var orders = cctest.Registration{ID: "orders", TLSSAN: "orders.example", CertificateBound: true}

func newMutual(t *testing.T, http2 bool, clients ...cctest.Registration) *mutual {
	t.Helper()
	m := &mutual{t: t, as: cctest.NewServer(cctest.Options{TLS: true, Clients: clients}), open: make(map[net.Conn]string)}
	m.closed = sync.NewCond(&m.mu)
	t.Cleanup(m.as.Close)
	resource := m.as.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	m.api = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/public" {
			return
		}
		resource.ServeHTTP(w, r)
	}))
	own, err := m.as.CA().Issue("api", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	m.api.TLS = &tls.Config{
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequestClientCert,
		VerifyConnection: func(cs tls.ConnectionState) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.shown = append(m.shown, nameIn(cs))
			return nil
		},
	}
	m.api.Config.ErrorLog = quiet
	m.api.Config.ConnState = func(c net.Conn, state http.ConnState) {
		m.mu.Lock()
		defer m.mu.Unlock()
		switch state {
		case http.StateActive:
			m.open[c] = strings.TrimSuffix(nameIn(c.(*tls.Conn).ConnectionState()), "*")
		case http.StateClosed:
			delete(m.open, c)
			m.closed.Broadcast()
		}
	}
	m.api.EnableHTTP2 = http2
	m.api.StartTLS()
	t.Cleanup(m.api.Close)
	return m
}

func nameIn(cs tls.ConnectionState) string {
	name := "nobody"
	if len(cs.PeerCertificates) > 0 {
		name = cs.PeerCertificates[0].Subject.CommonName
	}
	if cs.DidResume {
		name += "*"
	}
	return name
}

// handshakes are what connections to the resource showed so far, each once if
// several did one after the other.
func (m *mutual) handshakes() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(slices.Compact(slices.Clone(m.shown)), " ")
}

// waitForTheEndOf waits until no connection shows the certificate any more.
func (m *mutual) waitForTheEndOf(name string) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for slices.Contains(slices.Collect(maps.Values(m.open)), name) {
		m.closed.Wait()
	}
}

// issue makes a certificate of the client orders; name tells it from others.
func (m *mutual) issue(name string) *tls.Certificate {
	m.t.Helper()
	c, err := m.as.CA().Issue(name, "orders.example")
	if err != nil {
		m.t.Fatal(err)
	}
	return &c
}

func (m *mutual) config(configure func(*ccclient.Config)) ccclient.Config {
	cfg := ccclient.Config{Issuer: m.as.URL(), ClientID: orders.ID, Auth: ccclient.TLSClientAuth(), TLS: m.as.ClientTLS()}
	configure(&cfg)
	return cfg
}

// client is one that finds the server by its issuer.
func (m *mutual) client(configure func(*ccclient.Config)) *ccclient.Client {
	m.t.Helper()
	c, err := ccclient.New(m.config(configure))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	return c
}

// call spends a token of c.
func (m *mutual) call(c *ccclient.Client) {
	m.t.Helper()
	resp, err := c.HTTPClient().Post(m.api.URL, "text/plain", strings.NewReader("hello"))
	if got := read(m.t, resp, err); got != "200 hello" {
		m.t.Fatalf("the resource answered %s (%s)", got, resp.Header.Get("WWW-Authenticate"))
	}
}

func (m *mutual) wantRequests(n int) {
	m.t.Helper()
	if got := len(m.as.TokenRequests()); got != n {
		m.t.Errorf("%d token requests, want %d", got, n)
	}
}

// A rotating certificate is what a GetClientCertificate reads. A nil one is an
// error.
type rotating struct {
	atomic.Pointer[tls.Certificate]
}

var errNoCertificate = errors.New("the agent is down")

func (r *rotating) get(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if c := r.Load(); c != nil {
		return c, nil
	}
	return nil, errNoCertificate
}

// quiet is for servers whose handshakes fail on purpose.
var quiet = log.New(io.Discard, "", 0)
