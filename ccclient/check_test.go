package ccclient_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A planted mistake is one that Check is to find.
type planted struct {
	server  cctest.Options
	plant   func(t *testing.T, c *ccclient.Config, as *cctest.Server)
	mend    string // what the error says is to be mended
	problem string // and what is wrong
}

// answering is an authorization server that gives always the same answer.
func answering(t *testing.T, status int, mediaType, body string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// serverCertificate is one for 127.0.0.1, changed, and the pool that trusts it.
func serverCertificate(t *testing.T, change func(*x509.Certificate)) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// presenting is a TLS server with a certificate of its own, which c trusts.
func presenting(t *testing.T, c *ccclient.Config, change func(*x509.Certificate)) string {
	certificate, roots := serverCertificate(t, change)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = quiet
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.StartTLS()
	t.Cleanup(s.Close)
	c.TLS = &tls.Config{RootCAs: roots}
	return s.URL
}

// dated says what the server's clock is when it answers.
func dated(ahead time.Duration) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				resp.Header.Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			}
			return resp, err
		})
	}
}

var mistakes = map[string]planted{
	"host that does not exist": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL = "https://as.invalid/token"
			c.WrapTransport = func(http.RoundTripper) http.RoundTripper {
				return roundTripper(func(*http.Request) (*http.Response, error) {
					return nil, &net.DNSError{Err: "no such host", Name: "as.invalid", IsNotFound: true}
				})
			}
		},
		problem: "no such host", mend: "check the host in TokenURL, or the DNS of this machine",
	},
	"port where nothing listens": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c.TokenURL = "http://" + l.Addr().String() + "/token"
			l.Close()
		},
		problem: "connection refused", mend: "nothing listens there: check host and port in TokenURL",
	},
	"server that never answers": {
		plant: func(t *testing.T, c *ccclient.Config, as *cctest.Server) {
			as.SetDelay(time.Hour)
			c.Retry = ccclient.Retry{MaxAttempts: 1, AttemptTimeout: 50 * time.Millisecond}
		},
		problem: "no answer in time", mend: "check the host, and the firewalls and proxies on the way",
	},
	"private CA": {
		server: cctest.Options{TLS: true},
		plant: func(t *testing.T, c *ccclient.Config, as *cctest.Server) {
			c.TokenURL, c.TLS = as.URL()+"/token", nil
		},
		problem: "certificate signed by unknown authority", mend: "if its CA is a private one, add it to RootCAs in Config.TLS",
	},
	"expired certificate": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL = presenting(t, c, func(cert *x509.Certificate) { cert.NotAfter = time.Now().Add(-time.Hour) })
		},
		problem: "certificate has expired", mend: "the server's certificate has to be renewed, or this machine's clock is wrong",
	},
	"certificate for another name": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL = presenting(t, c, func(cert *x509.Certificate) {
				cert.IPAddresses, cert.DNSNames = nil, []string{"other.example"}
			})
		},
		problem: "certificate", mend: "check the host in TokenURL, or have the server show a certificate for it",
	},
	"https to a port without TLS": {
		plant: func(t *testing.T, c *ccclient.Config, as *cctest.Server) {
			c.TokenURL = strings.Replace(as.URL(), "http:", "https:", 1) + "/token"
		},
		problem: "HTTP response to HTTPS client", mend: "check the scheme of TokenURL",
	},
	"http to a port with TLS": {
		server: cctest.Options{TLS: true},
		plant: func(t *testing.T, c *ccclient.Config, as *cctest.Server) {
			c.TokenURL = strings.Replace(as.URL(), "https:", "http:", 1) + "/token"
		},
		problem: "TLS", mend: "use https in TokenURL",
	},
	"path without a token endpoint": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL = answering(t, 404, "text/html", "<html>Not Found</html>")
		},
		problem: "404", mend: "check TokenURL",
	},
	"token endpoint that redirects": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			s := httptest.NewServer(http.RedirectHandler("https://login.example/token", http.StatusFound))
			t.Cleanup(s.Close)
			c.TokenURL = s.URL
		},
		problem: "redirects (302) to host login.example", mend: "set TokenURL to the final URL",
	},
	"issuer without metadata": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL, c.Issuer = "", answering(t, 404, "text/plain", "no")
		},
		problem: "no usable metadata", mend: "set TokenURL in place of Issuer",
	},
	"issuer with a slash too many": {
		plant: func(t *testing.T, c *ccclient.Config, as *cctest.Server) {
			c.TokenURL, c.Issuer = "", as.URL()+"/"
		},
		server: cctest.Options{Metadata: func(m map[string]any) {
			m["issuer"] = strings.TrimSuffix(m["issuer"].(string), "/")
		}},
		problem: "issuer", mend: "a trailing slash counts",
	},
	"method that the server does not support": {
		server: cctest.Options{Metadata: func(m map[string]any) {
			m["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"}
		}},
		plant:   func(t *testing.T, c *ccclient.Config, as *cctest.Server) { c.TokenURL, c.Issuer = "", as.URL() },
		problem: "does not support client_secret_basic, but private_key_jwt", mend: "set one that it supports",
	},
	"wrong secret": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.Auth = ccclient.ClientSecretBasic(ccclient.SecretString("wrong"))
		},
		problem: "invalid_client", mend: "check ClientID and the secret",
	},
	"secret with a newline": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.Auth = ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret + "\n"))
		},
		problem: "invalid_client", mend: "the secret ends in white space, which is sent as it is: take it out",
	},
	"unknown client": {
		plant:   func(t *testing.T, c *ccclient.Config, _ *cctest.Server) { c.ClientID = "nobody" },
		problem: "invalid_client", mend: "check ClientID and the secret",
	},
	"missing secret file": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.Auth = ccclient.ClientSecretBasic(ccclient.SecretFile("/nonexistent/secret"))
		},
		problem: "/nonexistent/secret", mend: "put it there, or correct Auth",
	},
	"variable that is not set": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.Auth = ccclient.ClientSecretBasic(ccclient.SecretEnv("CCCLIENT_TEST_UNSET"))
		},
		problem: "CCCLIENT_TEST_UNSET is not set", mend: "put it there, or correct Auth",
	},
	"grant type that the server does not offer": {
		server:  cctest.Options{GrantTypes: []string{"urn:example:grant"}},
		problem: "unsupported_grant_type", mend: "EndpointParams may set another",
	},
	"unknown scope": {
		server:  cctest.Options{Scopes: []string{"read"}},
		plant:   func(t *testing.T, c *ccclient.Config, _ *cctest.Server) { c.Scopes = []string{"wrote"} },
		problem: `the scopes asked for were "wrote"`, mend: "correct Scopes",
	},
	"scope that is not granted": {
		server: cctest.Options{TokenResponse: func(_ cctest.RecordedRequest, m map[string]any) { m["scope"] = "read" }},
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.Scopes = []string{"read", "write"}
		},
		problem: "lacks scopes that were asked for: write",
		mend:    "allow them for this client at the server, or take them out of Scopes",
	},
	"resource that the server does not know": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL = answering(t, 400, "application/json", `{"error":"invalid_target"}`)
			c.Resources = []string{"https://api.example.com"}
		},
		problem: `the resources asked for were ["https://api.example.com"]`, mend: "correct Resources and Audience",
	},
	"clock that is behind": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.WrapTransport = dated(10 * time.Minute)
		},
		problem: "this machine's clock is about 10m0s behind the server's", mend: "set the one that is wrong",
	},
	"clock that is ahead, and costs the assertion": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL = answering(t, 401, "application/json", `{"error":"invalid_client"}`)
			c.WrapTransport = dated(-2 * time.Hour)
		},
		problem: "this machine's clock is about 2h0m0s ahead of the server's", mend: "set the one that is wrong",
	},
	"token that has expired when it comes": {
		server:  cctest.Options{Lifetime: -time.Minute},
		plant:   func(*testing.T, *ccclient.Config, *cctest.Server) {},
		problem: "had already expired when it came", mend: "set the clock that is wrong",
	},
	"server in trouble": {
		plant: func(t *testing.T, c *ccclient.Config, as *cctest.Server) {
			as.SetDown(503)
			c.Retry.MaxAttempts = 1
		},
		problem: "503", mend: "nothing is wrong here: the server has to be mended, or will recover",
	},
	"server that wants a certificate": {
		plant: func(t *testing.T, c *ccclient.Config, _ *cctest.Server) {
			c.TokenURL = demanding(t, c)
		},
		problem: "certificate", mend: "the server wants a client certificate, which goes into Config.TLS",
	},
	"server that wants proofs of possession": {
		server: cctest.Options{Clients: []cctest.Registration{{
			ID: cctest.DefaultClientID, Secret: cctest.DefaultClientSecret, RequireDPoP: true,
		}}},
		problem: "DPoP", mend: "set DPoPKey",
	},
}

func TestCheckSaysOfEachMistakeWhatToMend(t *testing.T) {
	if len(mistakes) < 14 {
		t.Errorf("%d mistakes", len(mistakes))
	}
	for name, m := range mistakes {
		t.Run(name, func(t *testing.T) {
			as := cctest.NewServer(m.server)
			t.Cleanup(as.Close)
			cfg := ccclient.Config{
				TokenURL: as.URL() + "/token", ClientID: cctest.DefaultClientID,
				Auth: ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
			}
			if m.server.TLS {
				cfg.TLS = as.ClientTLS()
			}
			if m.plant != nil {
				m.plant(t, &cfg, as)
			}
			c, err := ccclient.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			err = c.Check(t.Context())
			e, ok := errors.AsType[*ccclient.Error](err)
			if !ok || !strings.Contains(err.Error(), m.problem) || !strings.Contains(e.Hint, m.mend) ||
				!strings.Contains(err.Error(), m.mend) {
				t.Errorf("%v\nwant %q and %q", err, m.problem, m.mend)
			}
		})
	}
}

// demanding is a TLS server, which c trusts, that wants a client certificate.
func demanding(t *testing.T, c *ccclient.Config) string {
	certificate, roots := serverCertificate(t, nil)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = quiet
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	c.TLS = &tls.Config{RootCAs: roots}
	return s.URL
}

func TestCheckOfWhatIsInOrderIsNoError(t *testing.T) {
	for name, configure := range map[string]func(*ccclient.Config){
		"a token URL": nil,
		"an issuer":   func(c *ccclient.Config) { c.TokenURL, c.Issuer = "", "https://as.example.com" },
		"scopes":      func(c *ccclient.Config) { c.Scopes = []string{"read"} },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
				if err := r.Check(t.Context()); err != nil {
					t.Error(err)
				}
				r.token()
				r.wantRequests(1)
			})
		})
	}
}

func TestCheckAsksWhateverIsCached(t *testing.T) {
	var metadata int
	configure := func(c *ccclient.Config) {
		c.TokenURL, c.Issuer = "", "https://as.example.com"
		next := c.HTTPClient.Transport
		c.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/.well-known/") {
				metadata++
			}
			return next.RoundTrip(r)
		})}
		c.Retry.MaxAttempts = 1
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.token()
		asked := metadata
		if err := r.Check(t.Context()); err != nil || metadata == asked {
			t.Errorf("%v, the metadata were asked for %d times", err, metadata)
		}
		r.wantRequests(2)
		r.as.SetDown(503)
		for range 3 { // no cool-down is heeded, and none begins
			if err := r.Check(t.Context()); err == nil {
				t.Error("no error, with the server down")
			}
		}
		r.wantRequests(5)
		if s := r.status(); s.State != cache.StateFresh || !s.CoolDown.IsZero() {
			t.Errorf("%+v", s)
		}
		r.as.SetDown(0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Check(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		r.Close()
		if err := r.Check(t.Context()); !errors.Is(err, ccclient.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}
