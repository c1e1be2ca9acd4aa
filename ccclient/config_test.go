package ccclient_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func good() ccclient.Config {
	return ccclient.Config{
		TokenURL: "https://as.example.com/token",
		ClientID: "id",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString("canary-secret")),
	}
}

func itself(own http.RoundTripper) http.RoundTripper { return own }

func TestNewReportsEveryFaultAtOnce(t *testing.T) {
	_, err := ccclient.New(ccclient.Config{
		Scopes:       []string{"a b"},
		Resources:    []string{"/relative"},
		AllowedHosts: []string{"https://x"},
		Retry:        ccclient.Retry{MaxAttempts: -1},
		Cache:        cache.Options{RefreshAt: 2, ExpiryMargin: -1},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, field := range []string{
		"TokenURL", "ClientID", "Auth", "Scopes", "Resources", "AllowedHosts", "Retry", "Cache", "Cache.RefreshAt",
	} {
		if !strings.Contains(err.Error(), field+": ") {
			t.Errorf("the error does not name %s:\n%v", field, err)
		}
	}
	if !strings.HasPrefix(err.Error(), "ccclient: ") {
		t.Errorf("the error does not say whose it is: %v", err)
	}
}

func TestEachFaultNamesItsFieldAndTheRemedy(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*ccclient.Config)
		want   string // in the error; empty: none
	}{
		"good":           {func(c *ccclient.Config) {}, ""},
		"loopback http":  {func(c *ccclient.Config) { c.TokenURL = "http://127.0.0.1:8080/token" }, ""},
		"not loopback":   {func(c *ccclient.Config) { c.TokenURL = "http://LocalHost:8080/token" }, "TokenURL: http://"},
		"localhost http": {func(c *ccclient.Config) { c.TokenURL = "http://localhost/token" }, ""},
		"query":          {func(c *ccclient.Config) { c.TokenURL += "?tenant=1" }, ""},
		"http":           {func(c *ccclient.Config) { c.TokenURL = "http://as.example.com/token" }, "TokenURL: http:// to as.example.com"},
		"http allowed":   {func(c *ccclient.Config) { c.TokenURL, c.InsecureHTTP = "http://as.example.com/token", true }, ""},
		"fragment":       {func(c *ccclient.Config) { c.TokenURL += "#x" }, "TokenURL: has a fragment"},
		"empty fragment": {func(c *ccclient.Config) { c.TokenURL += "#" }, "TokenURL: has a fragment"},
		"no host":        {func(c *ccclient.Config) { c.TokenURL = "https:///token" }, "TokenURL: not an absolute https URL"},
		"relative":       {func(c *ccclient.Config) { c.TokenURL = "/token" }, "TokenURL: not an absolute https URL"},
		"ftp":            {func(c *ccclient.Config) { c.TokenURL = "ftp://as.example.com" }, "TokenURL: not an absolute https URL"},
		"no URL":         {func(c *ccclient.Config) { c.TokenURL = "https://a b/%zz" }, "TokenURL: not a URL"},
		"password in it": {func(c *ccclient.Config) { c.TokenURL = "https://u:canary-secret@as.example.com/" }, "TokenURL: has a user"},
		"both":           {func(c *ccclient.Config) { c.Issuer = "https://as.example.com" }, "TokenURL: set together with Issuer"},
		"issuer alone":   {func(c *ccclient.Config) { c.TokenURL, c.Issuer = "", "https://as.example.com" }, ""},
		"issuer http":    {func(c *ccclient.Config) { c.TokenURL, c.Issuer = "", "http://as.example.com" }, "Issuer: "},
		"no client id":   {func(c *ccclient.Config) { c.ClientID = "" }, "ClientID: required"},
		"no auth":        {func(c *ccclient.Config) { c.Auth = nil }, "Auth: required"},
		"nil AuthFunc":   {func(c *ccclient.Config) { c.Auth = ccclient.AuthFunc(nil) }, "Auth: "},
		"nil secret":     {func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretPost(nil) }, "Auth: client_secret_post: "},
		"nil key":        {func(c *ccclient.Config) { c.Auth = ccclient.PrivateKeyJWT(nil, ccclient.AssertionOptions{}) }, "Auth: private_key_jwt: "},
		"weak key":       {func(c *ccclient.Config) { c.Auth = ccclient.PrivateKeyJWT(small, ccclient.AssertionOptions{}) }, "at least 2048"},
		"wrong curve":    {func(c *ccclient.Config) { c.Auth = ccclient.PrivateKeyJWT(p224, ccclient.AssertionOptions{}) }, "Auth: private_key_jwt: "},
		"alg none": {func(c *ccclient.Config) {
			c.Auth = ccclient.ClientSecretJWT(ccclient.SecretString("x"), ccclient.AssertionOptions{Algorithm: "none"})
		}, "Algorithm"},
		"weak DPoP key":          {func(c *ccclient.Config) { c.DPoPKey = small }, "DPoPKey: "},
		"empty scope":            {func(c *ccclient.Config) { c.Scopes = []string{""} }, "Scopes: an empty scope"},
		"scope with quote":       {func(c *ccclient.Config) { c.Scopes = []string{`a"b`} }, "Scopes: "},
		"scope with backslash":   {func(c *ccclient.Config) { c.Scopes = []string{`a\b`} }, "Scopes: "},
		"scope with control":     {func(c *ccclient.Config) { c.Scopes = []string{"a\x7f"} }, "Scopes: "},
		"scope beyond ASCII":     {func(c *ccclient.Config) { c.Scopes = []string{"ä"} }, "Scopes: "},
		"scope URL":              {func(c *ccclient.Config) { c.Scopes = []string{"https://graph.microsoft.com/.default", "!#[]~"} }, ""},
		"resource with fragment": {func(c *ccclient.Config) { c.Resources = []string{"https://x#y"} }, "Resources: "},
		"resource urn":           {func(c *ccclient.Config) { c.Resources = []string{"urn:x:y"} }, ""},
		"grant_type":             {func(c *ccclient.Config) { c.EndpointParams = url.Values{"grant_type": {"account_credentials"}} }, ""},
		"two grant_types":        {func(c *ccclient.Config) { c.EndpointParams = url.Values{"grant_type": {"a", "b"}} }, "EndpointParams: grant_type"},
		"scope twice":            {func(c *ccclient.Config) { c.Scopes, c.EndpointParams = []string{"a"}, url.Values{"scope": {"b"}} }, `EndpointParams: "scope" is what Scopes sets`},
		"scope by parameter":     {func(c *ccclient.Config) { c.EndpointParams = url.Values{"scope": {"a,b"}} }, ""},
		"audience twice":         {func(c *ccclient.Config) { c.Audience, c.EndpointParams = "a", url.Values{"audience": {"b"}} }, `"audience" is what Audience sets`},
		"resource twice": {func(c *ccclient.Config) {
			c.Resources, c.EndpointParams = []string{"urn:a"}, url.Values{"resource": {"b"}}
		}, `"resource" is what Resources sets`},
		"client_id with basic": {func(c *ccclient.Config) { c.EndpointParams = url.Values{"client_id": {"id"}} }, `"client_id" is what ClientID sets`},
		"client_id with post": {func(c *ccclient.Config) {
			c.Auth = ccclient.ClientSecretPost(ccclient.SecretString("x"))
			c.EndpointParams = url.Values{"client_id": {"id"}}
		}, `"client_id" is what ClientID sets`},
		"client_secret by parameter": {func(c *ccclient.Config) { c.EndpointParams = url.Values{"client_secret": {"canary-secret"}} }, `"client_secret" is what Auth sets`},
		"assertion by parameter":     {func(c *ccclient.Config) { c.EndpointParams = url.Values{"client_assertion": {"x"}} }, `"client_assertion" is what Auth sets`},
		"parameter without a name":   {func(c *ccclient.Config) { c.EndpointParams = url.Values{"": {"x"}} }, "EndpointParams: a parameter without a name"},
		"host pattern":               {func(c *ccclient.Config) { c.AllowedHosts = []string{"*.example.com", "api.example.com:8443"} }, ""},
		"URL as host":                {func(c *ccclient.Config) { c.AllowedHosts = []string{"https://api.example.com"} }, "AllowedHosts: "},
		"old TLS":                    {func(c *ccclient.Config) { c.TLS = &tls.Config{MinVersion: tls.VersionTLS10} }, "TLS: allows versions below TLS 1.2"},
		"old TLS by the other end":   {func(c *ccclient.Config) { c.TLS = &tls.Config{MaxVersion: tls.VersionTLS11} }, "TLS: "},
		"negative retry":             {func(c *ccclient.Config) { c.Retry.MinBackoff = -1 }, "Retry: "},
		"negative margin":            {func(c *ccclient.Config) { c.Cache.ExpiryMargin = -time.Second }, "Cache: "},
		"RefreshAt of nothing":       {func(c *ccclient.Config) { c.Cache.RefreshAt = math.NaN() }, "Cache.RefreshAt: "},
		"RefreshAt above one":        {func(c *ccclient.Config) { c.Cache.RefreshAt = 80 }, "Cache.RefreshAt: 80 "},
		"TLS authentication": {func(c *ccclient.Config) {
			c.Auth, c.TLS = ccclient.TLSClientAuth(), &tls.Config{Certificates: make([]tls.Certificate, 1)}
		}, ""},
		"TLS authentication, no cert":      {func(c *ccclient.Config) { c.Auth = ccclient.TLSClientAuth() }, "TLS: "},
		"TLS authentication, given client": {func(c *ccclient.Config) { c.Auth, c.HTTPClient = ccclient.TLSClientAuth(), &http.Client{} }, ""},
		"TLS and a client":                 {func(c *ccclient.Config) { c.TLS, c.HTTPClient = &tls.Config{}, &http.Client{} }, "TLS: would be ignored"},
		"a wrapper and a client":           {func(c *ccclient.Config) { c.WrapTransport, c.HTTPClient = itself, &http.Client{} }, "WrapTransport: would be ignored"},
		"a wrapper and TLS":                {func(c *ccclient.Config) { c.WrapTransport, c.TLS = itself, &tls.Config{} }, ""},
		"a wrapper that returns nothing": {func(c *ccclient.Config) {
			c.WrapTransport = func(http.RoundTripper) http.RoundTripper { return nil }
		}, "WrapTransport: returned nil"},
		"negative replay limit": {func(c *ccclient.Config) { c.ReplayLimit = -1 }, "ReplayLimit: -1 is negative"},
		"a logger":              {func(c *ccclient.Config) { c.Logger = slog.Default() }, ""},
		"the cache's logger":    {func(c *ccclient.Config) { c.Cache.Logger = slog.Default() }, ""},
		"a trace of the cache":  {func(c *ccclient.Config) { c.Cache.Trace = new(cache.Trace) }, "Cache.Trace: "},
		"two loggers":           {func(c *ccclient.Config) { c.Logger, c.Cache.Logger = slog.Default(), slog.Default() }, "Cache.Logger: set together with Logger"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			c.change(&cfg)
			client, err := ccclient.New(cfg)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "canary"):
				t.Errorf("the error shows a secret: %v", err)
			}
			if err == nil {
				client.Close()
			}
		})
	}
}

func TestNewCopiesWhatItIsGiven(t *testing.T) {
	cfg := good()
	cfg.Scopes = []string{"a"}
	cfg.Resources = []string{"urn:a"}
	cfg.EndpointParams = url.Values{"x": {"1"}}
	cfg.AllowedHosts = []string{"api.example.com"}
	jar := &http.Client{}
	cfg.HTTPClient = jar
	form := ""
	jar.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		r.ParseForm()
		form = r.PostForm.Encode()
		return nil, http.ErrHandlerTimeout
	})
	cfg.Retry.MaxAttempts = 1
	c, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if jar.CheckRedirect != nil {
		t.Error("New changed the http.Client that it was given")
	}
	cfg.Scopes[0], cfg.Resources[0], cfg.AllowedHosts[0] = "changed", "changed", "changed"
	cfg.EndpointParams["x"][0] = "changed"
	cfg.EndpointParams.Set("y", "changed")
	c.Refresh(t.Context())
	if strings.Contains(form, "changed") || !strings.Contains(form, "scope=a") {
		t.Errorf("sent %q", form)
	}
	if got := c.Transport(nil).AllowedHosts[0]; got != "api.example.com" {
		t.Errorf("AllowedHosts became %q", got)
	}
}

// A tenantAuth is an Auth of the user's own that says what tells its tokens apart.
type tenantAuth struct{ ccclient.Auth }

func (tenantAuth) Identity() string { return "tenant" }

func TestTokensOfAuthWithoutIdentityGoIntoNoStore(t *testing.T) {
	library := ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret))
	for name, c := range map[string]struct {
		auth     ccclient.Auth
		requests int // of two clients with one Store
		warned   bool
	}{
		"the library's":    {library, 1, false},
		"without identity": {ccclient.AuthFunc(library.Authenticate), 2, true},
		"with an identity": {tenantAuth{library}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var cfg ccclient.Config
			configure := func(c2 *ccclient.Config) {
				c2.Auth, c2.Cache.Store = c.auth, cache.Memory()
				c2.Logger = slog.New(slog.NewTextHandler(&log, nil))
				cfg = *c2
			}
			requests := 0
			inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
				r.token() // and waits until it is stored
				other, err := ccclient.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				defer other.Close()
				if _, err := other.Token(t.Context()); err != nil {
					t.Error(err)
				}
				requests = len(r.as.TokenRequests())
			})
			if warned := strings.Contains(log.String(), "level=WARN"); requests != c.requests || warned != c.warned {
				t.Errorf("%d token requests, want %d; logged: %s", requests, c.requests, log.String())
			}
		})
	}
}
