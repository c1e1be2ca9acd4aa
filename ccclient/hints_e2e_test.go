package ccclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// clientCertificate is one of a client, by a CA that is returned with it.
func clientCertificate(t *testing.T, notBefore, notAfter time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "client"}, NotBefore: notBefore, NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err = x509.CreateCertificate(rand.Reader, leaf, parsed, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestHandshakeThatFailsSaysWhatToMend(t *testing.T) {
	now := time.Now()
	good, trusted := clientCertificate(t, now.Add(-time.Hour), now.Add(time.Hour))
	expired, trustsExpired := clientCertificate(t, now.Add(-3*time.Hour), now.Add(-2*time.Hour))
	_, others := clientCertificate(t, now, now)
	expiry := expired.Leaf
	if expiry == nil {
		var err error
		if expiry, err = x509.ParseCertificate(expired.Certificate[0]); err != nil {
			t.Fatal(err)
		}
	}
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, `{"error":"invalid_client"}`)
	})
	for name, tc := range map[string]struct {
		server *tls.Config
		shown  *tls.Certificate
		want   string
	}{
		"expired": {&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trustsExpired}, &expired,
			"expired at " + expiry.NotAfter.UTC().Format(time.RFC3339) + ": replace it"},
		"of another CA":   {&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: others}, &good, "client certificate in "},
		"none":            {&tls.Config{ClientAuth: tls.RequireAnyClientCert}, nil, "client certificate, which goes into "},
		"never asked for": {&tls.Config{}, &good, "none was asked for in the TLS handshake"},
		"asked for, and refused": {&tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted}, &good,
			"the server knows the certificate in Config.TLS"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, http2 := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, HTTP/2 %v", name, tls.VersionName(version), http2), func(t *testing.T) {
					s := httptest.NewUnstartedServer(refuse)
					s.TLS, s.EnableHTTP2, s.Config.ErrorLog = tc.server.Clone(), http2, quiet
					s.StartTLS()
					defer s.Close()
					roots := x509.NewCertPool()
					roots.AddCert(s.Certificate())
					cfg := ccclient.Config{
						TokenURL: s.URL, ClientID: "client", Auth: ccclient.TLSClientAuth(),
						TLS:   &tls.Config{RootCAs: roots, MaxVersion: version},
						Retry: ccclient.Retry{MinBackoff: 1, MaxBackoff: 1},
					}
					if tc.shown != nil {
						cfg.TLS.Certificates = []tls.Certificate{*tc.shown}
					} else {
						cfg.Auth = ccclient.ClientSecretPost(ccclient.SecretString("secret"))
					}
					// A connection that is reset loses an alert that was not read yet: what it said is not known then.
					var e *ccclient.Error
					for try := 0; try == 0 || try < 100 && tc.shown != &expired && e.Attempts > 1; try++ {
						c, err := ccclient.New(cfg)
						if err != nil {
							t.Fatal(err)
						}
						_, err = c.Token(t.Context())
						c.Close()
						var ok bool
						if e, ok = errors.AsType[*ccclient.Error](err); !ok {
							t.Fatal(err)
						}
					}
					if !strings.Contains(e.Hint, tc.want) || e.Temporary() || e.Attempts != 1 {
						t.Errorf("%v\nhas %d attempts, temporary %v; want %q", e, e.Attempts, e.Temporary(), tc.want)
					}
				})
			}
		}
	}
}

func TestPlainHTTPToTLSPortIsTold(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = quiet
	s.StartTLS()
	defer s.Close()
	plain := strings.Replace(s.URL, "https:", "http:", 1)
	for setting, cfg := range map[string]ccclient.Config{"TokenURL": {TokenURL: plain}, "Issuer": {Issuer: plain}} {
		cfg.ClientID, cfg.Auth = "client", ccclient.ClientSecretBasic(ccclient.SecretString("secret"))
		c, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Token(t.Context())
		e, ok := errors.AsType[*ccclient.Error](err)
		if !ok || e.Hint != "use https in "+setting && e.Hint != "the port speaks TLS: use https in "+setting ||
			e.Temporary() || e.Attempts > 1 {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestProxysRefusalIsTheProxys(t *testing.T) {
	for status, want := range map[int]struct {
		text, hint string
		attempts   int32
	}{
		407: {"the proxy made no connection to the server: 407 Proxy Authentication Required", "a user and a password", 1},
		403: {"the proxy made no connection to the server: 403 Forbidden", "have the proxy allow it", 1},
		502: {"the proxy made no connection to the server: 502 Bad Gateway", "", 3},
	} {
		var passed atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			passed.Add(1)
			w.WriteHeader(status)
		}))
		defer proxy.Close()
		through, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		direct := &http.Transport{Proxy: http.ProxyURL(through)}
		wrapped := roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := direct.RoundTrip(r)
			if err != nil {
				err = fmt.Errorf("wrapped: %w", err)
			}
			return resp, err
		})
		for name, cfg := range map[string]ccclient.Config{
			"token request": {TokenURL: asTokenURL, HTTPClient: &http.Client{Transport: direct}},
			"wrapped":       {TokenURL: asTokenURL, HTTPClient: &http.Client{Transport: wrapped}},
			"metadata":      {Issuer: asIssuer, HTTPClient: &http.Client{Transport: direct}},
		} {
			passed.Store(0)
			cfg.ClientID, cfg.Auth = "client", ccclient.ClientSecretBasic(ccclient.SecretString("secret"))
			cfg.Retry = ccclient.Retry{MinBackoff: 1, MaxBackoff: 1}
			c, err := ccclient.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, err = c.Token(t.Context())
			e, ok := errors.AsType[*ccclient.Error](err)
			if !ok || !strings.Contains(err.Error(), want.text) || !strings.Contains(e.Hint, want.hint) ||
				e.Temporary() != (want.attempts > 1) || passed.Load() != want.attempts {
				t.Errorf("%d, %s: %v, after %d attempts", status, name, err, passed.Load())
			}
		}
	}
}

func TestProxysRefusalOfPlainHTTPIsTheProxys(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	for setting, cfg := range map[string]ccclient.Config{
		"TokenURL": {TokenURL: "http://as.example.com/token"}, "Issuer": {Issuer: "http://as.example.com"},
	} {
		cfg.ClientID, cfg.Auth = "client", ccclient.ClientSecretBasic(ccclient.SecretString("secret"))
		cfg.HTTPClient = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through)}}
		cfg.InsecureHTTP = true
		c, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Token(t.Context())
		e, ok := errors.AsType[*ccclient.Error](err)
		if !ok || !strings.Contains(err.Error(), "a proxy in between wants authentication") &&
			!strings.Contains(err.Error(), "the proxy made no connection to the server: 407") ||
			!strings.HasPrefix(e.Hint, "the proxy wants a user and a password") || e.Temporary() {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestPrivateCAsHintFitsTheClient(t *testing.T) {
	as := cctest.NewServer(cctest.Options{TLS: true})
	defer as.Close()
	other := httptest.NewTLSServer(http.NotFoundHandler())
	other.Config.ErrorLog = quiet
	defer other.Close()
	secret := ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret))
	trusting := func() *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: as.ClientTLS()}}
	}
	for name, tc := range map[string]struct {
		cfg  ccclient.Config
		api  bool // the token can be had
		want string
	}{
		"own":            {ccclient.Config{}, false, "add it to RootCAs in Config.TLS"},
		"own, for calls": {ccclient.Config{TLS: as.ClientTLS()}, true, "not among the RootCAs in Config.TLS, which stand in place of"},
		"given": {ccclient.Config{HTTPClient: &http.Client{Transport: new(http.Transport)}}, false,
			"add it to RootCAs in the TLSClientConfig of HTTPClient's Transport"},
		"given, for calls": {ccclient.Config{HTTPClient: trusting()}, true,
			"not among the RootCAs in the TLSClientConfig of HTTPClient's Transport"},
	} {
		tc.cfg.TokenURL, tc.cfg.ClientID, tc.cfg.Auth = as.TokenURL(), cctest.DefaultClientID, secret
		c, err := ccclient.New(tc.cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err = c.Token(t.Context()); (err == nil) != tc.api {
			t.Fatalf("%s: %v", name, err)
		}
		if tc.api {
			_, err = c.HTTPClient().Get(other.URL)
		}
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok || strings.Count(err.Error(), tc.want) != 1 ||
			tc.cfg.HTTPClient != nil && strings.Contains(err.Error(), "Config.TLS") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIssuerThatIsNoneIsToldSo(t *testing.T) {
	tests := map[string]struct {
		issuer, server string // what is configured, and what the metadata say; the latter empty: there are none
		hint           string
	}{
		"a slash too few":  {asIssuer, asIssuer + "/", `set Issuer to "https://as.example.com/": a trailing slash counts`},
		"a slash too many": {asIssuer + "/", asIssuer, `set Issuer to "https://as.example.com": a trailing slash counts`},
		"another": {asIssuer, "https://other.example.com", `set Issuer to "https://other.example.com" if that is the server ` +
			`which is meant`},
		"no metadata":        {asIssuer, "", "if the server publishes none, set TokenURL in place of Issuer"},
		"the token endpoint": {asIssuer + "/oauth2/token", "", "it looks like a token endpoint, which goes into TokenURL"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var d road
			d.answer(func(r *http.Request) (*http.Response, error) {
				if tc.server == "" {
					return status(http.StatusNotFound)(r)
				}
				body := fmt.Sprintf(`{"issuer":%q,"token_endpoint":%q}`, tc.server, asTokenURL)
				w := httptest.NewRecorder()
				io.WriteString(w, body)
				return w.Result(), nil
			})
			inBubble(t, cctest.Options{}, d.found(tc.issuer), func(t *testing.T, r *rig) {
				_, err := r.Token(t.Context())
				e, ok := errors.AsType[*ccclient.Error](err)
				if !ok || e.Hint != tc.hint || e.Temporary() || strings.Count(err.Error(), "slash") > 1 {
					t.Errorf("got %v\nwant %s", err, tc.hint)
				}
			})
		})
	}
}

func TestAddressOfMetadataIsRefusedByNew(t *testing.T) {
	auth := ccclient.ClientSecretBasic(ccclient.SecretString("secret"))
	for given, want := range map[string]string{
		"https://as.example/t/.well-known/openid-configuration":       `may be "https://as.example/t"`,
		"https://as.example/.well-known/oauth-authorization-server":   `may be "https://as.example"`,
		"https://as.example/.well-known/oauth-authorization-server/t": `may be "https://as.example/t"`,
	} {
		if _, err := ccclient.New(ccclient.Config{Issuer: given, ClientID: "c", Auth: auth}); err == nil ||
			!strings.Contains(err.Error(), "Issuer: is the address of metadata") ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", given, err)
		}
		if _, err := ccclient.New(ccclient.Config{TokenURL: given, ClientID: "c", Auth: auth}); err == nil ||
			!strings.Contains(err.Error(), "TokenURL: is the address of metadata: set Issuer") {
			t.Errorf("%s: %v", given, err)
		}
	}
}

func TestClientIDInEndpointParamsIsRefusedForEveryMethod(t *testing.T) {
	s := ccclient.SecretString("a secret that is long enough for HS256")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := ccclient.AuthFunc(func(context.Context, ccclient.Request) (c ccclient.Credentials, err error) {
		return c, nil
	})
	for _, auth := range []ccclient.Auth{
		ccclient.ClientSecretBasic(s), ccclient.ClientSecretBasicUnencoded(s), ccclient.ClientSecretPost(s),
		ccclient.ClientSecretJWT(s, ccclient.AssertionOptions{}), ccclient.ClientAssertion(s),
		ccclient.TLSClientAuth(), own, ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{}),
	} {
		_, err := ccclient.New(ccclient.Config{
			TokenURL: asTokenURL, ClientID: "client", Auth: auth, EndpointParams: url.Values{"client_id": {"other"}},
			HTTPClient: new(http.Client),
		})
		if err == nil || !strings.Contains(err.Error(), `EndpointParams: "client_id" is what `) {
			t.Errorf("%v: %v", auth, err)
		}
	}
}

func TestWrongSecretDoesNotCostMetadataEachTime(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		most int
	}{"with an OAuth error": {`{"error":"invalid_client"}`, 0}, "bare": {"", 11}} {
		t.Run(name, func(t *testing.T) {
			var d road
			inBubble(t, cctest.Options{}, d.found(asIssuer), func(t *testing.T, r *rig) {
				r.token()
				r.as.FailNextWith(1000, http.StatusUnauthorized, nil, []byte(tc.body))
				d.log()
				for range 200 {
					if _, err := r.Refresh(t.Context()); !errors.Is(err, ccclient.InvalidClient) {
						t.Fatal(err)
					}
					time.Sleep(500 * time.Millisecond)
				}
				if n := metadataRequests(d.log()); n > tc.most || tc.most > 0 && n < tc.most/2 {
					t.Errorf("%d metadata requests in 100 s, want %d at most", n, tc.most)
				}
			})
		})
	}
}

func TestCallerThatGivesUpHearsWhatFailed(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.as.FailNext(3, http.StatusBadGateway, http.Header{"Retry-After": {"5"}})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := r.Token(ctx)
		const want = "ccclient: gave up waiting for a token from as.example.com: context deadline exceeded: " +
			"waited for 10ms, since 2000-01-01T00:00:00Z; the last failure, 10ms ago: " +
			`token request of client "client" to as.example.com answered with 502`
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "ccclient: ") != 1 {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error("the context's error is not found")
		}
		if e, ok := errors.AsType[*ccclient.Error](err); ok {
			t.Errorf("the end of the wait is taken for %v", e)
		}
	})
}

func TestRefreshThatGivesUpSaysForWhatItWaited(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.as.FailNext(10, http.StatusBadGateway, http.Header{"Retry-After": {"1"}})
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		_, err := r.Refresh(ctx)
		if e, ok := errors.AsType[*ccclient.Error](err); !ok || e.StatusCode != http.StatusBadGateway {
			t.Errorf("no pause that does not fit is begun, and yet: %v", err)
		}
		r.as.FailNext(0, http.StatusOK, nil)
		r.as.SetDelay(time.Hour)
		for what, get := range map[string]func(context.Context) error{
			"Token":   func(ctx context.Context) error { _, err := r.Token(ctx); return err },
			"Refresh": func(ctx context.Context) error { _, err := r.Refresh(ctx); return err },
		} {
			time.Sleep(time.Minute) // whatever cools down
			since := time.Now().UTC().Format(time.RFC3339)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			want := "ccclient: gave up waiting for a token from as.example.com: context deadline exceeded: " +
				"waited for 5s, since " + since
			if err := get(ctx); err == nil || !strings.HasPrefix(err.Error(), want) ||
				!errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func TestFewerScopesAreWarnedOfOnceForEachChange(t *testing.T) {
	var out bytes.Buffer
	warned := func() int {
		synctest.Wait()
		n := strings.Count(out.String(), "fewer scopes than were asked for")
		return n
	}
	inBubble(t, cctest.Options{}, func(cfg *ccclient.Config) {
		cfg.Scopes = []string{"read", "write", "https://api.example/.default"}
		cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
	}, func(t *testing.T, r *rig) {
		for i, step := range []struct {
			scope string
			want  int
		}{
			{`"read write"`, 0}, {`"read"`, 1}, {`"read other"`, 2}, {`"other read"`, 2}, {`""`, 3}, {`"write read"`, 3},
			{`""`, 4}, {`null`, 4},
		} {
			body := fmt.Sprintf(`{"access_token":"t%d","token_type":"Bearer","expires_in":60,"scope":%s}`, i, step.scope)
			r.as.FailNextWith(1, http.StatusOK, http.Header{"Content-Type": {"application/json"}}, []byte(body))
			if _, err := r.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := warned(); got != step.want {
				t.Errorf("%s: %d warnings, want %d\n%s", step.scope, got, step.want, out.String())
			}
		}
		if text := out.String(); !strings.Contains(text, "missing=write granted=read") ||
			!slices.Contains(strings.Fields(text), "host=as.example.com") {
			t.Error(text)
		}
	})
}
