package ccclient

import (
	"crypto/tls"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// shown is a client certificate that can be replaced.
type shown struct {
	atomic.Pointer[tls.Certificate]
}

func (s *shown) get(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.Load(), nil }

func TestForRemembersNoMoreClientsThanMaxKeys(t *testing.T) {
	const most = 4
	var certificate shown
	for name, config := range map[string]*tls.Config{"plain": nil, "rotating": {GetClientCertificate: certificate.get}} {
		certificate.Store(&tls.Certificate{Certificate: [][]byte{{0}}})
		as := cctest.NewServer(cctest.Options{})
		c, err := New(Config{
			TokenURL:      "https://as.example.com/token",
			ClientID:      cctest.DefaultClientID,
			Auth:          ClientSecretBasic(SecretString(cctest.DefaultClientSecret)),
			TLS:           config,
			WrapTransport: func(http.RoundTripper) http.RoundTripper { return as.RoundTripper() },
			Cache:         cache.Options{MaxKeys: most},
		})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for j := range 100 {
					if i == 0 && j == 50 {
						certificate.Store(&tls.Certificate{Certificate: [][]byte{{1}}})
					}
					d := c.For(Target{Audience: strconv.Itoa(j % (10 + i))})
					if j%3 == i%3 { // others are made and never used
						if _, err := d.Token(t.Context()); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				}
			})
		}
		wg.Wait()
		r := c.registration
		r.mu.Lock()
		if derived, holders := len(r.derived), len(r.holders); derived > most || holders > most {
			t.Errorf("%s: %d clients are remembered, and %d of their entries", name, derived, holders)
		}
		r.mu.Unlock()
		c.Close()
	}
}

func TestReplacedCertificatesEntryForgetsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		var certificate shown
		certificate.Store(&tls.Certificate{Certificate: [][]byte{{0}}})
		c, err := New(Config{
			TokenURL:      "https://as.example.com/token",
			ClientID:      cctest.DefaultClientID,
			Auth:          ClientSecretBasic(SecretString(cctest.DefaultClientSecret)),
			TLS:           &tls.Config{GetClientCertificate: certificate.get},
			WrapTransport: func(http.RoundTripper) http.RoundTripper { return as.RoundTripper() },
			Cache:         cache.Options{MaxKeys: 2},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		d := c.For(Target{Audience: "x"})
		for i := range byte(3) {
			certificate.Store(&tls.Certificate{Certificate: [][]byte{{i}}})
			for _, kept := range []*Client{d, c, d} { // both have entries, so those of the certificate before make room
				if _, err := kept.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(2 * time.Second)
			if c.For(Target{Audience: "x"}) != d {
				t.Errorf("after %d rotations For returns another client", i)
			}
		}
		if n := len(as.TokenRequests()); n != 6 {
			t.Errorf("%d token requests, want 6", n)
		}
	})
}

func TestClientOfReplacedCertificateThatNobodyUsesIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{Lifetime: 100 * time.Second})
		var certificate shown
		certificate.Store(&tls.Certificate{Certificate: [][]byte{{0}}})
		c, err := New(Config{
			TokenURL:      "https://as.example.com/token",
			ClientID:      cctest.DefaultClientID,
			Auth:          ClientSecretBasic(SecretString(cctest.DefaultClientSecret)),
			TLS:           &tls.Config{GetClientCertificate: certificate.get},
			WrapTransport: func(http.RoundTripper) http.RoundTripper { return as.RoundTripper() },
			Cache:         cache.Options{KeepFresh: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.For(Target{Audience: "x"}).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		certificate.Store(&tls.Certificate{Certificate: [][]byte{{1}}})
		time.Sleep(100 * time.Second) // the refresh ahead finds another certificate
		synctest.Wait()
		r := c.registration
		r.mu.Lock()
		defer r.mu.Unlock()
		if n, m := len(r.derived), len(r.holders); n != 0 || m != 0 {
			t.Errorf("%d clients are remembered, and %d entries, of which the cache has none", n, m)
		}
	})
}

func TestForOfKnownTargetAllocatesNothing(t *testing.T) {
	c, err := New(Config{
		TokenURL: "https://as.example.com/token",
		ClientID: "id",
		Auth:     ClientSecretBasic(SecretString("secret")),
		Scopes:   []string{"a", "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	target := Target{Audience: "https://api.example.com", Resources: []string{"urn:x"}, Label: "x"}
	c.For(target)
	if n := testing.AllocsPerRun(1000, func() { c.For(target) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
