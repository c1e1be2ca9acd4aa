package ccclient_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// static and asked are the two ways to configure a certificate.
func static(c *tls.Certificate) func(*ccclient.Config) {
	return func(cfg *ccclient.Config) { cfg.TLS.Certificates = []tls.Certificate{*c} }
}

func asked(c *tls.Certificate) func(*ccclient.Config) {
	r := new(rotating)
	r.Store(c)
	return func(cfg *ccclient.Config) { cfg.TLS.GetClientCertificate = r.get }
}

// shaken is asked with a callback that only a handshake can call.
func shaken(c *tls.Certificate) func(*ccclient.Config) {
	return func(cfg *ccclient.Config) {
		cfg.TLS.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return c, info.Context().Err()
		}
	}
}

func TestCertificateAuthenticatesTheClientAndBindsItsTokens(t *testing.T) {
	self, err := cctest.SelfSigned("self")
	if err != nil {
		t.Fatal(err)
	}
	m := newMutual(t, false, orders, cctest.Registration{ID: "self", Certificate: self.Leaf, CertificateBound: true})
	thief := m.client(static(m.issue("thief")))
	for _, tc := range []struct {
		id, method, name string
		certificate      *tls.Certificate
	}{
		{"orders", cctest.TLSClientAuth, "pki", m.issue("pki")},
		{"self", cctest.SelfSignedTLSClientAuth, "self", &self},
	} {
		for how, certificate := range map[string]func(*ccclient.Config){"static": static(tc.certificate), "asked": asked(tc.certificate)} {
			t.Run(tc.id+" "+how, func(t *testing.T) {
				before := len(m.as.TokenRequests())
				c := m.client(func(cfg *ccclient.Config) {
					certificate(cfg)
					cfg.ClientID = tc.id
				})
				m.call(c)
				m.as.RevokeAll()
				m.call(c)
				requests := m.as.TokenRequests()[before:]
				if len(requests) != 2 {
					t.Errorf("%d token requests, want one and one after the revocation", len(requests))
				}
				for _, r := range requests {
					if r.AuthMethod != tc.method || len(r.Form) != 2 || r.Form.Get("client_id") != tc.id || r.Header.Get("Authorization") != "" {
						t.Errorf("%s with %v", r.AuthMethod, r.Form)
					}
				}
				if all := strings.Fields(m.handshakes()); all[len(all)-1] != tc.name {
					t.Errorf("the resource was shown %s", all)
				}

				tok, err := c.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				req, _ := http.NewRequest(http.MethodGet, m.api.URL, nil)
				tok.SetAuthHeader(req)
				resp, err := thief.HTTPClient().Do(req)
				if got := read(t, resp, err); !strings.HasPrefix(got, "401") {
					t.Errorf("with another certificate the resource answered %s", got)
				}
			})
		}
	}
}

func TestAliasForMutualTLSIsForThoseWithCertificate(t *testing.T) {
	post := cctest.Registration{ID: "post", Secret: "secret", CertificateBound: true}
	m := newMutual(t, false, orders, post, cctest.Registration{ID: "plain", Secret: "secret"})
	secret := ccclient.ClientSecretPost(ccclient.SecretString("secret"))

	plain := m.client(func(cfg *ccclient.Config) { cfg.ClientID, cfg.Auth = "plain", secret })
	m.call(plain)
	// A secret proves who the client is, a certificate what its tokens are bound to.
	m.call(m.client(func(cfg *ccclient.Config) {
		static(m.issue("post"))(cfg)
		cfg.ClientID, cfg.Auth = "post", secret
	}))
	// Without discovery the alias is the user's to know.
	m.call(m.client(func(cfg *ccclient.Config) {
		static(m.issue("orders"))(cfg)
		cfg.Issuer, cfg.TokenURL = "", m.as.MTLSURL()+"/token"
	}))
	c := m.client(func(cfg *ccclient.Config) {
		static(m.issue("orders"))(cfg)
		cfg.Issuer, cfg.TokenURL = "", m.as.TokenURL()
	})
	if _, err := c.Token(t.Context()); !errors.Is(err, ccclient.InvalidClient) {
		t.Errorf("where nobody asks for a certificate: %v", err)
	}
}

func TestTokensOfTwoCertificatesAreNotMixedInAStore(t *testing.T) {
	m := newMutual(t, false, orders)
	store := cache.Memory()
	one, two := m.issue("one"), m.issue("two")
	for _, certificate := range []func(*ccclient.Config){static(one), static(two), asked(one), asked(two), shaken(one), shaken(two), static(one), static(two), asked(one), asked(two)} {
		m.call(m.client(func(cfg *ccclient.Config) {
			certificate(cfg)
			cfg.Cache.Store = store
		}))
	}
	// A certificate that may rotate has keys of its own, and one that can be
	// seen in a handshake alone is not known before it.
	m.wantRequests(6)
	if n := m.as.Stats().ResourceRejected; n > 0 {
		t.Errorf("the resource rejected %d requests", n)
	}
}

func TestErrorOfUnknownCASaysWhereItGoes(t *testing.T) {
	m := newMutual(t, false, orders)
	for _, url := range []string{"Issuer", "TokenURL"} {
		c := m.client(func(cfg *ccclient.Config) {
			static(m.issue("orders"))(cfg)
			cfg.TLS.RootCAs = x509.NewCertPool()
			if url == "TokenURL" {
				cfg.Issuer, cfg.TokenURL = "", m.as.TokenURL()
			}
		})
		_, err := c.Token(t.Context())
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok || !strings.Contains(err.Error(), "RootCAs in Config.TLS") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestTLSBelowVersion12IsNotSpoken(t *testing.T) {
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = quiet
	old.StartTLS()
	defer old.Close()
	cfg := good()
	cfg.TokenURL = old.URL
	for _, config := range []*tls.Config{nil, {InsecureSkipVerify: true}} {
		cfg.TLS = config
		c, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "version") {
			t.Errorf("got %v", err)
		}
	}
	cfg.TLS = &tls.Config{MinVersion: tls.VersionTLS11}
	if _, err := ccclient.New(cfg); err == nil || !strings.Contains(err.Error(), "TLS 1.2") {
		t.Errorf("New: %v", err)
	}
}

func TestCertificateThatCannotBeHadCostsLivingTokenNothing(t *testing.T) {
	m := newMutual(t, false, orders)
	var source rotating
	c := m.client(func(cfg *ccclient.Config) {
		cfg.TLS.GetClientCertificate = source.get
		cfg.Retry.MaxAttempts = 1
	})
	if _, err := c.Refresh(t.Context()); !errors.Is(err, errNoCertificate) || !strings.HasPrefix(err.Error(), "ccclient: ") {
		t.Fatalf("got %v", err)
	}
	source.Store(m.issue("one"))
	first, err := c.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m.call(c)
	source.Store(nil)
	for range 10 {
		m.call(c)
		if tok, err := c.Token(t.Context()); err != nil || tok.AccessToken != first.AccessToken {
			t.Fatalf("Token gave %v, %v", tok, err)
		}
	}
	// Connections that are open still show it, also to the token endpoint.
	if _, err := c.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCallbackThatNeedsTheHandshakesContextWorks(t *testing.T) {
	m := newMutual(t, false, orders)
	c := m.client(shaken(m.issue("one")))
	m.call(c)
	m.as.RevokeAll()
	m.call(c)
	if got := m.handshakes(); slices.Contains(strings.Fields(got), "nobody") {
		t.Errorf("the resource was shown %s", got)
	}
}
