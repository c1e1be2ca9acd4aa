package ccclient_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"sync"
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
		for how, certificate := range map[string]func(*ccclient.Config){
			"static": static(tc.certificate), "asked": asked(tc.certificate),
		} {
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
					if r.AuthMethod != tc.method || len(r.Form) != 2 || r.Form.Get("client_id") != tc.id ||
						r.Header.Get("Authorization") != "" {
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
	for _, certificate := range []func(*ccclient.Config){
		static(one), static(two), asked(one), asked(two), shaken(one), shaken(two), static(one), static(two),
		asked(one), asked(two),
	} {
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
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok ||
			!strings.Contains(err.Error(), "RootCAs in Config.TLS") {
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
	if _, err := c.Refresh(t.Context()); !errors.Is(err, errNoCertificate) ||
		!strings.HasPrefix(err.Error(), "ccclient: ") {
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

// An asking is a server that asks for certificates, redirects to where it is told to, and notes what it was shown.
type asking struct {
	*httptest.Server
	mu    sync.Mutex // guards shown
	shown []string
}

func newAsking(t *testing.T, m *mutual, handler http.Handler, names ...string) *asking {
	t.Helper()
	a := &asking{Server: httptest.NewUnstartedServer(handler)}
	own, err := m.as.CA().Issue("server", append(names, "127.0.0.1")...)
	if err != nil {
		t.Fatal(err)
	}
	a.TLS = &tls.Config{
		Certificates: []tls.Certificate{own},
		ClientAuth:   tls.RequestClientCert,
		VerifyConnection: func(cs tls.ConnectionState) error {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.shown = append(a.shown, nameIn(cs))
			return nil
		},
	}
	a.Config.ErrorLog = quiet
	a.EnableHTTP2 = true
	a.StartTLS()
	t.Cleanup(a.Close)
	return a
}

func (a *asking) wantShown(t *testing.T, what, want string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if got := strings.Join(a.shown, " "); got != want {
		t.Errorf("%s: was shown %q, want %q", what, got, want)
	}
	a.shown = nil
}

var redirects = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if to := r.URL.Query().Get("to"); to != "" {
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		return
	}
	fmt.Fprint(w, r.Header.Get("Authorization"))
})

func TestCertificateGoesWhereTheTokenMayGoAndNowhereElse(t *testing.T) {
	for how, certificate := range map[string]func(*tls.Certificate) func(*ccclient.Config){"static": static,
		"asked": asked} {
		for _, wrapped := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, wrapped %v", how, wrapped), func(t *testing.T) {
				m := newMutual(t, false, orders)
				home, away := newAsking(t, m, redirects), newAsking(t, m, redirects)
				c := m.client(func(cfg *ccclient.Config) {
					certificate(m.issue("orders"))(cfg)
					cfg.AllowedHosts = []string{strings.TrimPrefix(home.URL, "https://")}
					cfg.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(0) // which the two ways must not share
					if wrapped {
						cfg.WrapTransport = func(own http.RoundTripper) http.RoundTripper {
							return struct{ http.RoundTripper }{own}
						}
					}
				})
				get := func(url, authorization string) string {
					t.Helper()
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Header.Set("Authorization", authorization)
					resp, err := c.HTTPClient().Do(req)
					return read(t, resp, err)
				}
				if got := get(home.URL, ""); !strings.HasPrefix(got, "200 Bearer ") {
					t.Error(got)
				}
				home.wantShown(t, "home", "orders")
				if got := get(home.URL+"?to="+away.URL, ""); got != "200 " {
					t.Error(got)
				}
				away.wantShown(t, "a redirect", "nobody")
				if got := get(away.URL, "Basic mine"); got != "200 Basic mine" {
					t.Error(got)
				}
				away.wantShown(t, "the caller's own Authorization", "") // the connection is used again
				c.HTTPClient().CloseIdleConnections()
				if got := get(away.URL, "Basic mine"); got != "200 Basic mine" {
					t.Error(got)
				}
				away.mu.Lock()
				shown := away.shown
				away.mu.Unlock()
				if len(shown) != 1 || !strings.HasPrefix(shown[0], "nobody") { // its own session may be resumed
					t.Errorf("after that: was shown %q", shown)
				}
				if got := get(home.URL, "Basic mine"); got != "200 Basic mine" {
					t.Error(got)
				}
				home.mu.Lock()
				shown, home.shown = home.shown, nil
				home.mu.Unlock()
				if len(shown) != 1 || !strings.HasPrefix(shown[0], "orders") {
					t.Errorf("the caller's own Authorization at home: was shown %q", shown)
				}
				back := away.URL + "?to=" + url.QueryEscape(home.URL)
				if got := get(home.URL+"?to="+url.QueryEscape(back), ""); got != "200 " {
					t.Error(got)
				}
				home.wantShown(t, "a redirect there and back", "nobody")
			})
		}
	}
}

// The environment's proxies are read once in a process, so this one is a process of its own.
func TestCertificateIsNotShownToAnHTTPSProxy(t *testing.T) {
	const child = "CCCLIENT_TEST_PROXY"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1", "NO_PROXY=", "no_proxy=")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	m := newMutual(t, false, orders)
	api := newAsking(t, m, redirects, "api.example.test")
	away := newAsking(t, m, redirects, "away.example.test")
	servers := map[string]*asking{"api.example.test:443": api, "away.example.test:443": away}
	proxy := newAsking(t, m, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server := servers[r.Host]
		if r.Method != http.MethodConnect || server == nil {
			http.Error(w, "no tunnel to "+r.Host, http.StatusForbidden)
			return
		}
		there, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { // ends when there is closed
			io.Copy(there, rw)
			there.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(here, there)
	}))
	os.Setenv("HTTPS_PROXY", proxy.URL)
	os.Setenv("https_proxy", proxy.URL)
	c := m.client(static(m.issue("orders")))
	resp, err := c.HTTPClient().Get("https://api.example.test/")
	if got := read(t, resp, err); !strings.HasPrefix(got, "200 Bearer ") {
		t.Error(got)
	}
	proxy.wantShown(t, "the proxy", "nobody")
	api.wantShown(t, "the API", "orders")
	resp, err = c.HTTPClient().Get("https://api.example.test/?to=https://away.example.test/")
	if got := read(t, resp, err); got != "200 " {
		t.Error(got)
	}
	away.wantShown(t, "a redirect", "nobody")
	proxy.wantShown(t, "the proxy", "nobody")
	c.HTTPClient().CloseIdleConnections()
}

// There are printers that follow pointers, exported or not.
func TestNoPointerOfAClientLeadsToItsKey(t *testing.T) {
	m := newMutual(t, false, orders)
	for how, certificate := range map[string]func(*ccclient.Config){
		"static": static(m.issue("static")),
		"two": func(cfg *ccclient.Config) {
			cfg.TLS.Certificates = []tls.Certificate{*m.issue("one"), *m.issue("two")}
		},
	} {
		c := m.client(certificate) // unused: the goroutines of connections write to what they lead to
		values := 0
		keys := make(map[string]bool)
		follow(reflect.ValueOf(c.HTTPClient()), make(map[[2]string]bool), func(v reflect.Value) {
			values++
			if v.Type() == reflect.TypeFor[ecdsa.PrivateKey]() {
				keys[fmt.Sprint(v)] = true
			}
		})
		if len(keys) > 0 || values < 100 {
			t.Errorf("%s: %d keys among %d values", how, len(keys), values)
		}
	}
}

// follow visits all that v leads to, by fields, elements and pointers, atomic ones too. Functions keep their secrets.
func follow(v reflect.Value, seen map[[2]string]bool, visit func(reflect.Value)) {
	visit(v)
	switch v.Kind() {
	case reflect.Pointer:
		key := [2]string{v.Type().String(), fmt.Sprint(v.Pointer())}
		if v.IsNil() || seen[key] {
			return
		}
		seen[key] = true
		follow(v.Elem(), seen, visit)
	case reflect.Interface:
		if !v.IsNil() {
			follow(v.Elem(), seen, visit)
		}
	case reflect.Struct:
		if strings.HasPrefix(v.Type().String(), "atomic.Pointer[") {
			if p := v.FieldByName("v").UnsafePointer(); p != nil {
				follow(reflect.NewAt(v.Type().Field(0).Type.Elem().Elem(), p), seen, visit)
			}
			return
		}
		for _, field := range v.Fields() {
			follow(field, seen, visit)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				follow(v.Index(i), seen, visit)
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			follow(it.Value(), seen, visit)
		}
	}
}
