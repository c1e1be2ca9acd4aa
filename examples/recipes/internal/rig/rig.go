// Package rig has what the tests of the recipes need around them: an authorization server, APIs, a client, and a
// network in memory that joins them, so that time can be virtual.
package rig

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// Hosts of the network. Each speaks TLS, with a certificate that Trust accepts.
const (
	ASHost  = "as.example.com"
	APIHost = "api.example.com"
)

// A Rig is an authorization server, a client of it, and the network that both are on.
type Rig struct {
	AS     *cctest.Server
	Client *ccclient.Client
	Plain  *http.Client // reaches every host of the network, without a token

	mu        sync.Mutex // guards listeners
	listeners map[string]*listener
}

// Run runs a test in a bubble of virtual time, with a new Rig.
func Run(t *testing.T, test func(t *testing.T, r *Rig)) {
	synctest.Test(t, func(t *testing.T) { test(t, New(t)) })
}

// New returns a Rig whose parts end with the test.
func New(t *testing.T) *Rig {
	t.Helper()
	r := &Rig{AS: cctest.NewServer(cctest.Options{}), listeners: make(map[string]*listener)}
	network := &http.Transport{
		DialContext:       r.Dial,
		TLSClientConfig:   r.Trust(),
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(network.CloseIdleConnections)
	r.Plain = &http.Client{Transport: network}
	r.Serve(t, ASHost, r.AS.Handler())
	r.Client = r.NewClient(t, cache.Options{})
	return r
}

// NewClient returns another client, whose tokens are its own.
func (r *Rig) NewClient(t *testing.T, o cache.Options) *ccclient.Client {
	t.Helper()
	client, err := ccclient.New(ccclient.Config{
		Cache:      o,
		TokenURL:   "https://" + ASHost + "/token",
		ClientID:   cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: r.Plain,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// Trust returns what a client needs to trust the hosts of the network.
func (r *Rig) Trust() *tls.Config { return &tls.Config{RootCAs: r.AS.CA().Pool()} }

// CA returns the certificate of their authority, in PEM.
func (r *Rig) CA() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.AS.CA().Certificate().Raw}))
}

// Certificate returns a certificate for a host.
func (r *Rig) Certificate(t *testing.T, host string) tls.Certificate {
	t.Helper()
	certificate, err := r.AS.CA().Issue(host, host)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// Listen returns a listener for connections to a host.
func (r *Rig) Listen(host string) net.Listener {
	l := newListener(host)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listeners[host] = l
	return l
}

// Dial connects to a host, whatever the port.
func (r *Rig) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	l := r.listeners[host]
	r.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("there is no host %s", host)
	}
	return l.dial(ctx)
}

// Serve serves https://HOST with h.
func (r *Rig) Serve(t *testing.T, host string, h http.Handler) {
	t.Helper()
	server := &http.Server{
		Handler:           h,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{r.Certificate(t, host)}},
		ReadHeaderTimeout: time.Minute,
	}
	listener := r.Listen(host)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Close()
		serving.Wait()
	})
}

// Protect serves https://api.example.com with h, to those who have a good token.
func (r *Rig) Protect(t *testing.T, h http.Handler) {
	t.Helper()
	r.Serve(t, APIHost, r.AS.Protect(h))
}

// Things is an API that answers what clients of all kinds can read: a JSON object.
var Things = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(`{"id":"1","name":"a thing"}`))
})

// LivesOn calls the API by use with a fresh token, after that has expired, and after another has been revoked. It must
// succeed each time, at the cost of one token each; and only the revocation may be seen at the API.
func (r *Rig) LivesOn(t *testing.T, use func() error) {
	t.Helper()
	for n, step := range []struct {
		name     string
		happen   func()
		rejected int // so far
	}{
		{"a fresh token", func() {}, 0},
		{"an expiry", func() { time.Sleep(cctest.DefaultLifetime + time.Minute) }, 0},
		{"a revocation", r.AS.RevokeAll, 1},
	} {
		step.happen()
		if err := use(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		stats := r.AS.Stats()
		if stats.TokenRequests != n+1 || stats.ResourceRejected != step.rejected {
			t.Errorf("after %s: %d token requests, %d rejections; want %d and %d",
				step.name, stats.TokenRequests, stats.ResourceRejected, n+1, step.rejected)
		}
	}
}

// Status returns an error for a response that is not 200, and closes its body.
func Status(resp *http.Response, err error) error {
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %s", strings.TrimSpace(resp.Status))
	}
	return nil
}
