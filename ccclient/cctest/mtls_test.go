package cctest_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func issue(t *testing.T, ca *cctest.CA, name string, alternatives ...string) tls.Certificate {
	t.Helper()
	var c tls.Certificate
	var err error
	if ca == nil {
		c, err = cctest.SelfSigned(name, alternatives...)
	} else {
		c, err = ca.Issue(name, alternatives...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// showing serves as if the client had shown a certificate in the handshake.
func showing(h http.Handler, c *tls.Certificate) http.RoundTripper {
	return cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c != nil {
			r.TLS.PeerCertificates = []*x509.Certificate{c.Leaf}
		}
		h.ServeHTTP(w, r)
	}))
}

func TestCertificatesAuthenticateClients(t *testing.T) {
	ca, foreign := cctest.NewCA(), cctest.NewCA()
	self := issue(t, nil, "self")
	named := issue(t, ca, "orders", "orders.example", "spiffe://example.org/orders", "10.0.0.1", "a@example.org")
	other, forged, anyone := issue(t, ca, "other"), issue(t, foreign, "orders", "orders.example"), issue(t, nil,
		"orders")
	s := cctest.NewServer(cctest.Options{ClientCAs: ca.Pool(), Clients: []cctest.Registration{
		{ID: "self", Certificate: self.Leaf},
		{ID: "dn", TLSSubjectDN: "CN=orders"},
		{ID: "dns", TLSSAN: "orders.example"},
		{ID: "uri", TLSSAN: "spiffe://example.org/orders"},
		{ID: "ip", TLSSAN: "10.0.0.1"},
		{ID: "mail", TLSSAN: "a@example.org"},
		{ID: "both", Certificate: self.Leaf, TLSSubjectDN: "CN=orders"},
		{ID: "secret", Secret: "secret"},
	}})
	for _, test := range []struct {
		client string
		shown  *tls.Certificate
		method string // empty: refused
	}{
		{"self", &self, cctest.SelfSignedTLSClientAuth},
		{"dn", &named, cctest.TLSClientAuth},
		{"dns", &named, cctest.TLSClientAuth},
		{"uri", &named, cctest.TLSClientAuth},
		{"ip", &named, cctest.TLSClientAuth},
		{"mail", &named, cctest.TLSClientAuth},
		{"both", &self, cctest.SelfSignedTLSClientAuth},
		{"both", &named, cctest.TLSClientAuth},
		{"self", nil, ""},
		{"self", &anyone, ""},
		{"self", &named, ""},
		{"dn", &other, ""},
		{"dn", &forged, ""},
		{"dn", &anyone, ""},
		{"dns", &forged, ""},
		{"dns", &other, ""},
		{"both", &other, ""},
		{"secret", &named, ""},
		{"nobody", &named, ""},
		{"", &named, ""},
	} {
		pairs := []string{"grant_type", "client_credentials"}
		if test.client != "" {
			pairs = append(pairs, "client_id", test.client)
		}
		got := do(t, showing(s.Handler(), test.shown), form(t.Context(), tokenURL, pairs...))
		requests := s.TokenRequests()
		last := requests[len(requests)-1]
		if test.method == "" && (got.status != 401 || got.str("error") != "invalid_client") ||
			test.method != "" && (got.status != 200 || last.AuthMethod != test.method) {
			t.Errorf("%s: %d %s, recorded %+v", test.client, got.status, got.body, last)
		}
	}
}

func TestTokenIsBoundToTheCertificate(t *testing.T) {
	mine, other := issue(t, nil, "mine"), issue(t, nil, "other")
	s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{
		{ID: "c", Certificate: mine.Leaf, CertificateBound: true},
		{ID: "client", Secret: "secret", CertificateBound: true},
	}})
	if got := do(t, s.RoundTripper(), grant(t)); got.status != 400 || got.str("error") != "invalid_request" {
		t.Errorf("a secret without a certificate: %d %s", got.status, got.body)
	}
	if got := do(t, showing(s.Handler(), &mine), grant(t)); got.status != 200 {
		t.Errorf("a secret with a certificate: %d %s", got.status, got.body)
	}
	token := do(t, showing(s.Handler(), &mine),
		form(t.Context(), tokenURL, "grant_type", "client_credentials", "client_id", "c")).str("access_token")
	for _, test := range []struct {
		shown  *tls.Certificate
		status int
	}{{&mine, 200}, {&other, 401}, {nil, 401}} {
		r, _ := http.NewRequest(http.MethodGet, apiURL, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		got := do(t, showing(s.Protect(ok), test.shown), r)
		if got.status != test.status || test.status == 401 &&
			!strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("got %d %v", got.status, got.header)
		}
	}
}

func TestTLSSocketsWithAnAliasForCertificates(t *testing.T) {
	self := issue(t, nil, "self")
	s := cctest.NewServer(cctest.Options{TLS: true, Clients: []cctest.Registration{
		{ID: "self", Certificate: self.Leaf, CertificateBound: true},
		{ID: "pki", TLSSubjectDN: "CN=pki"},
		{ID: "jwt", Secret: longKey},
	}})
	defer s.Close()
	pki := issue(t, s.CA(), "pki")
	through := func(certificates ...tls.Certificate) http.RoundTripper {
		tr := &http.Transport{TLSClientConfig: s.ClientTLS(certificates...), ForceAttemptHTTP2: true}
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}

	r, _ := http.NewRequest(http.MethodGet, s.URL()+"/.well-known/oauth-authorization-server", nil)
	meta := do(t, through(), r)
	alias, _ := meta.members["mtls_endpoint_aliases"].(map[string]any)["token_endpoint"].(string)
	if !strings.HasPrefix(s.URL(), "https://") || alias != s.MTLSURL()+"/token" ||
		meta.str("token_endpoint") != s.TokenURL() || meta.str("issuer") != s.URL() ||
		meta.members["tls_client_certificate_bound_access_tokens"] != true {
		t.Fatalf("got %s", meta.body)
	}
	r, _ = http.NewRequest(http.MethodGet, s.MTLSURL()+"/.well-known/oauth-authorization-server", nil)
	if again := do(t, through(), r); again.body != meta.body {
		t.Errorf("the alias says %s", again.body)
	}

	ask := func(rt http.RoundTripper, target, client string) reply {
		return do(t, rt, form(t.Context(), target, "grant_type", "client_credentials", "client_id", client))
	}
	if got := ask(through(pki), alias, "pki"); got.status != 200 {
		t.Errorf("pki: %d %s", got.status, got.body)
	}
	if got := ask(through(pki), s.TokenURL(), "pki"); got.status != 401 {
		t.Errorf("pki where nobody asks for certificates: %d", got.status)
	}
	got := ask(through(self), alias, "self")
	if got.status != 200 {
		t.Fatalf("self-signed: %d %s", got.status, got.body)
	}
	// At the alias the audience of assertions is still the issuer.
	assertion := sign(t, []byte(longKey), "HS256", nil, claims("jwt", map[string]any{"aud": s.Issuer()}))
	if got := do(t, through(), form(t.Context(), alias, "grant_type", "client_credentials", "client_assertion_type",
		jwtBearer, "client_assertion", assertion)); got.status != 200 {
		t.Errorf("assertion at the alias: %d %s", got.status, got.body)
	}

	api := httptest.NewUnstartedServer(s.Protect(ok))
	api.TLS = &tls.Config{Certificates: []tls.Certificate{issue(t, s.CA(), "api", "127.0.0.1")},
		ClientAuth: tls.RequestClientCert}
	api.StartTLS()
	defer api.Close()
	for _, test := range []struct {
		rt     http.RoundTripper
		status int
	}{{through(self), 200}, {through(pki), 401}, {through(), 401}} {
		r, _ := http.NewRequest(http.MethodGet, api.URL, nil)
		r.Header.Set("Authorization", "Bearer "+got.str("access_token"))
		if got := do(t, test.rt, r); got.status != test.status {
			t.Errorf("the resource: %d, want %d", got.status, test.status)
		}
	}
}

func TestNamesThatDoNotFitIntoACertificateAreErrors(t *testing.T) {
	for _, name := range []string{"é.example", "http://[", "é@example.org"} {
		if _, err := cctest.NewCA().Issue("x", name); err == nil {
			t.Errorf("%q: no error", name)
		}
		if _, err := cctest.SelfSigned("x", name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}
