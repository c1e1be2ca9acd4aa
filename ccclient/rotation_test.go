package ccclient_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// overBoth runs f with a resource that speaks HTTP/1.1, and one that speaks
// HTTP/2.
func overBoth(t *testing.T, f func(t *testing.T, m *mutual)) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) { f(t, newMutual(t, http2, orders)) })
	}
}

// rotates gives a client whose certificate can be replaced, in use.
func (m *mutual) rotates(configure func(*ccclient.Config)) (*ccclient.Client, *rotating) {
	m.t.Helper()
	source := new(rotating)
	source.Store(m.issue("old"))
	c := m.client(func(cfg *ccclient.Config) {
		cfg.TLS.GetClientCertificate = source.get
		if configure != nil {
			configure(cfg)
		}
	})
	m.call(c)
	m.call(c)
	m.wantRequests(1)
	return c, source
}

func TestRotationRenewsTokenAndConnectionsUnasked(t *testing.T) {
	overBoth(t, func(t *testing.T, m *mutual) {
		c, source := m.rotates(nil)
		tok, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		source.Store(m.issue("new"))
		for same := tok; same == tok; { // within a second
			m.call(c)
			if same, err = c.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		m.waitForTheEndOf("old")
		m.call(c)
		m.wantRequests(2)
		if got := m.handshakes(); got != "old new" {
			t.Errorf("the resource was shown %s", got)
		}
	})
}

func TestRotationAndRevocationAtOnceAreHealed(t *testing.T) {
	overBoth(t, func(t *testing.T, m *mutual) {
		c, source := m.rotates(nil)
		source.Store(m.issue("new"))
		m.as.RevokeAll()
		m.call(c)
		m.waitForTheEndOf("old")
		m.call(c)
		m.wantRequests(2)
		if got := m.handshakes(); got != "old new" {
			t.Errorf("the resource was shown %s", got)
		}
	})
}

func TestRotationThatHandshakeFindsIsHealed(t *testing.T) {
	overBoth(t, func(t *testing.T, m *mutual) {
		c, source := m.rotates(nil)
		source.Store(m.issue("new"))
		// The next call still has the old token, and must dial.
		c.HTTPClient().CloseIdleConnections()
		m.call(c)
		m.wantRequests(2)
		if got := strings.Fields(m.handshakes()); got[len(got)-1] != "new" {
			t.Errorf("the resource was shown %s", got)
		}
	})
}

func TestClientsOfForAreRenewedTooEvenIfForgotten(t *testing.T) {
	m := newMutual(t, false, orders)
	c, source := m.rotates(func(cfg *ccclient.Config) { cfg.Cache.MaxKeys = 2 })
	held := c.For(ccclient.Target{Scopes: []string{"held"}})
	m.call(held)
	for i := range 4 { // held makes room
		m.call(c.For(ccclient.Target{Scopes: []string{strconv.Itoa(i)}}))
	}
	before, err := held.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	source.Store(m.issue("new"))
	m.as.RevokeAll()
	m.call(c)
	m.call(held)
	if after, err := held.Token(t.Context()); err != nil || after == before {
		t.Errorf("the token bound to the old certificate is still there (%v)", err)
	}
	if _, err := c.For(ccclient.Target{Scopes: []string{`"`}}).Token(t.Context()); err == nil || !strings.Contains(err.Error(), "Scopes") {
		t.Errorf("an illegal scope: %v", err)
	}
}

func TestNoSessionIsResumedForTheCertificateBefore(t *testing.T) {
	overBoth(t, func(t *testing.T, m *mutual) {
		theirs := tls.NewLRUClientSessionCache(0)
		c, source := m.rotates(func(cfg *ccclient.Config) { cfg.TLS.ClientSessionCache = theirs })
		c.HTTPClient().CloseIdleConnections()
		m.call(c)
		if got := m.handshakes(); got != "old old*" {
			t.Fatalf("the resource was shown %s, want a resumed session", got)
		}
		source.Store(m.issue("new"))
		m.as.RevokeAll()
		m.call(c)
		c.HTTPClient().CloseIdleConnections()
		m.call(c)
		if got := m.handshakes(); got != "old old* new new*" {
			t.Errorf("the resource was shown %s", got)
		}
	})
}

func TestRotationUnderLoadIsNotNoticedByCallers(t *testing.T) {
	overBoth(t, func(t *testing.T, m *mutual) {
		c, source := m.rotates(nil)
		old := source.Load()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				other := ccclient.Target{Scopes: []string{strconv.Itoa(i % 4)}}
				for left := 40; left > 0; {
					if left == 20 && i == 0 && source.Load() == old {
						source.Store(m.issue("new"))
					}
					if left > 20 || strings.Contains(m.handshakes(), "new") {
						left--
					}
					m.call(c.For(other))
					m.call(c)
				}
			})
		}
		wg.Wait()
		m.waitForTheEndOf("old")
		if n := len(m.as.TokenRequests()); n > 15 {
			t.Errorf("%d token requests for 5 tokens, renewed once", n)
		}
	})
}

func TestWrappedConnectionsAreRenewedByRotation(t *testing.T) {
	overBoth(t, func(t *testing.T, m *mutual) {
		var through atomic.Int32
		c, source := m.rotates(func(cfg *ccclient.Config) {
			cfg.WrapTransport = func(own http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					through.Add(1)
					return own.RoundTrip(r)
				})
			}
		})
		before := through.Load()
		source.Store(m.issue("new"))
		m.as.RevokeAll()
		m.call(c)
		m.waitForTheEndOf("old")
		m.call(c)
		if got := m.handshakes(); got != "old new" {
			t.Errorf("the resource was shown %s", got)
		}
		// The call that is rejected, a token request, the repetition, and another call.
		if n := through.Load() - before; n != 4 {
			t.Errorf("the wrapper saw %d requests, want 4", n)
		}
	})
}

// instead is a WrapTransport that puts t in the place of connections.
func instead(t http.RoundTripper) func(http.RoundTripper) http.RoundTripper {
	return func(http.RoundTripper) http.RoundTripper { return t }
}

// shownBy serves as if a certificate had been shown in the handshake.
func shownBy(h http.Handler, certificate func() *tls.Certificate) http.RoundTripper {
	return cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS.PeerCertificates = []*x509.Certificate{certificate().Leaf}
		h.ServeHTTP(w, r)
	}))
}

func TestAnotherCertificateAtEachCallCausesNoStorm(t *testing.T) {
	for name, kinds := range map[string]int{"two in turn": 2, "always a new one": 1 << 10} {
		synctest.Test(t, func(t *testing.T) {
			as := cctest.NewServer(cctest.Options{})
			var asked int
			c, err := ccclient.New(ccclient.Config{
				TokenURL:      asTokenURL,
				ClientID:      cctest.DefaultClientID,
				Auth:          ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
				WrapTransport: instead(as.RoundTripper()),
				TLS: &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					asked++
					n := asked % kinds
					return &tls.Certificate{Certificate: [][]byte{{byte(n), byte(n >> 8)}}}, nil
				}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			const seconds = 60
			for range 100 * seconds {
				if _, err := c.Token(t.Context()); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if n := len(as.TokenRequests()); n > seconds+10 {
				t.Errorf("%s: %d token requests in a minute", name, n)
			}
			if asked > 6*seconds {
				t.Errorf("%s: asked %d times in a minute", name, asked)
			}
		})
	}
}

func TestRotatingCertificateCostsCachedTokenNoAllocation(t *testing.T) {
	as := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "id", Secret: "canary-secret"}}})
	var source rotating
	source.Store(&tls.Certificate{Certificate: [][]byte{{1}}})
	cfg := good()
	cfg.TLS = &tls.Config{GetClientCertificate: source.get}
	cfg.WrapTransport = instead(as.RoundTripper())
	c, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// refused gives a client for a server that knows only the second of its two
// certificates. seen is called when a token request arrives.
func refused(
	t *testing.T, seen func(n int, source *rotating, second *tls.Certificate),
) (*ccclient.Client, *cctest.Server, *rotating, *tls.Certificate) {
	var pair [2]tls.Certificate
	for i := range pair {
		var err error
		if pair[i], err = cctest.SelfSigned(strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	as := cctest.NewServer(cctest.Options{
		Clients: []cctest.Registration{{ID: "orders", Certificate: pair[1].Leaf, CertificateBound: true}},
	})
	source := new(rotating)
	source.Store(&pair[0])
	n := 0
	c, err := ccclient.New(ccclient.Config{
		TokenURL: asTokenURL, ClientID: "orders", Auth: ccclient.TLSClientAuth(),
		TLS: &tls.Config{GetClientCertificate: source.get},
		WrapTransport: instead(roundTripper(func(r *http.Request) (*http.Response, error) {
			shown := source.Load()
			n++
			seen(n, source, &pair[1])
			return shownBy(as.Handler(), func() *tls.Certificate { return shown }).RoundTrip(r)
		})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, as, source, &pair[1]
}

func TestRotationEndsTheCoolDownOfRefusedCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, as, source, second := refused(t, func(int, *rotating, *tls.Certificate) {})
		defer c.Close()
		for range 4 {
			if _, err := c.Token(t.Context()); !errors.Is(err, ccclient.InvalidClient) {
				t.Fatalf("got %v", err)
			}
		}
		if n := len(as.TokenRequests()); n != 1 {
			t.Errorf("%d token requests with a certificate that was refused", n)
		}
		source.Store(second)
		time.Sleep(time.Second)
		api := &http.Client{Transport: c.Transport(shownBy(as.Protect(http.NotFoundHandler()), source.Load))}
		resp, err := api.Get("https://api.example.com/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if n := len(as.TokenRequests()); resp.StatusCode != http.StatusNotFound || n != 2 {
			t.Errorf("the resource answered %d after %d token requests", resp.StatusCode, n)
		}
	})
}

func TestCertificateReplacedDuringRefusalIsTriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, as, _, _ := refused(t, func(n int, source *rotating, second *tls.Certificate) {
			if n == 1 {
				source.Store(second)
			}
		})
		defer c.Close()
		if _, err := c.Token(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(as.TokenRequests()); n != 2 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestProbeThatMeetsARotationShutsOutNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pair [2]tls.Certificate
		for i := range pair {
			pair[i].Certificate = [][]byte{{byte(i)}}
		}
		var looks, old atomic.Int64
		old.Store(1000)
		m := &moody{secret: "secret"}
		m.mood = func(url.Values, string) (int, http.Header, string) {
			if len(m.asked) == 1 {
				return 503, nil, ``
			}
			return 200, nil, fineAnswer
		}
		cfg := m.config()
		cfg.HTTPClient, cfg.WrapTransport = nil, instead(m)
		cfg.TLS = &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if looks.Add(1) > old.Load() {
				return &pair[1], nil
			}
			return &pair[0], nil
		}}
		c, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Token(t.Context()); err == nil {
			t.Fatal("no error")
		}
		time.Sleep(2 * time.Second)
		old.Store(looks.Load() + 1) // The look of the caller is the last to see it, and not that of the fetch.
		if _, err := c.Token(t.Context()); err != nil || m.requests() != 2 {
			t.Errorf("%d requests, %v", m.requests(), err)
		}
	})
}

func TestKeepFreshForgetsTokensOfReplacedCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{Lifetime: 100 * time.Second})
		var source rotating
		source.Store(&tls.Certificate{Certificate: [][]byte{{1}}})
		log := new(bytes.Buffer)
		c, err := ccclient.New(ccclient.Config{
			TokenURL:      asTokenURL,
			ClientID:      cctest.DefaultClientID,
			Auth:          ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
			WrapTransport: instead(as.RoundTripper()),
			TLS:           &tls.Config{GetClientCertificate: source.get},
			Cache:         cache.Options{KeepFresh: true},
			Logger:        slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for i := range byte(5) {
			source.Store(&tls.Certificate{Certificate: [][]byte{{i}}})
			if _, err := c.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(950 * time.Second)
		if n := len(as.TokenRequests()); n > 5+13 {
			t.Errorf("%d token requests in ten lives, after four rotations", n)
		}
		if log.Len() > 0 {
			t.Errorf("logged: %s", log)
		}
	})
}
