package ccclient

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

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
	for name, config := range map[string]*tls.Config{
		"plain": nil, "rotating": {GetClientCertificate: certificate.get},
	} {
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
					d := c.For(Target{Audience: strconv.Itoa(j % (50 + i))})
					if j%3 == i%3 { // others are made and never used
						if _, err := d.Token(t.Context()); err != nil {
							t.Errorf("%s: %v", name, err)
						}
					}
				}
			})
		}
		wg.Wait()
		if n := c.registered().derived.Len(); n > most+most/4+16 {
			t.Errorf("%s: %d clients are remembered", name, n)
		}
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

func TestForFindsTargetByItsScopesInAnyOrder(t *testing.T) {
	c := clientToDerive(t)
	for i := range 100 {
		want := c.For(Target{
			Scopes: []string{"a", strconv.Itoa(i)}, EndpointParams: url.Values{"x": {"1", "2"}, "y": {strconv.Itoa(i)}},
		})
		same := Target{
			Scopes: []string{strconv.Itoa(i), "a"}, EndpointParams: url.Values{"y": {strconv.Itoa(i)}, "x": {"1", "2"}},
		}
		if c.For(same) != want {
			t.Fatalf("client %d is not found by its scopes in another order", i)
		}
		for _, other := range []Target{
			{Scopes: same.Scopes},
			{Scopes: same.Scopes, EndpointParams: url.Values{"y": {strconv.Itoa(i)}, "x": {"2", "1"}}},
			{Scopes: []string{"a", "a"}, EndpointParams: same.EndpointParams},
			{Scopes: same.Scopes, Audience: "a", EndpointParams: same.EndpointParams},
			{Resources: same.Scopes, EndpointParams: same.EndpointParams},
		} {
			if c.For(other) == want {
				t.Fatalf("%v is found for %v", want, other)
			}
		}
	}
}

// clientToDerive is one for scopes a and b that asks nobody.
func clientToDerive(t *testing.T) *Client {
	t.Helper()
	c, err := New(Config{
		TokenURL: "https://as.example.com/token",
		ClientID: "id",
		Auth:     ClientSecretBasic(SecretString("secret")),
		Scopes:   []string{"a", "b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestForOfKnownTargetAllocatesNothing(t *testing.T) {
	c := clientToDerive(t)
	tenant := "tenant-1"
	lookUp := func(tenant string) {
		c.For(Target{Audience: "https://api.example.com/" + tenant, Resources: []string{"urn:x"}, Label: "x"})
		c.For(Target{Scopes: []string{"b", tenant, "a"}})
	}
	lookUp(tenant)
	// One for the text that is put together here: it does not fit on the stack.
	if n := testing.AllocsPerRun(1000, func() { lookUp(tenant) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

func TestHeldTokenCostsAtMost480BytesBesideItself(t *testing.T) {
	const keys = 10_000
	c, err := New(Config{
		TokenURL: "https://as.example.com/token",
		ClientID: "id",
		Auth:     ClientSecretBasic(SecretString("secret")),
		WrapTransport: func(http.RoundTripper) http.RoundTripper {
			return cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{"access_token":"`+rand.Text()+`","token_type":"Bearer","expires_in":3600}`)
			}))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	names := make([]string, keys)
	for i := range names {
		names[i] = "https://tenant-" + strconv.Itoa(i) + ".example.com"
	}
	tokens := make([]*oauth2.Token, keys)
	before := liveBytes()
	for i, name := range names {
		if tokens[i], err = c.For(Target{Audience: name}).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all := liveBytes() - before
	copies := make([]*oauth2.Token, keys)
	before = liveBytes()
	for i, tok := range tokens {
		copies[i] = &oauth2.Token{
			AccessToken: strings.Clone(tok.AccessToken), TokenType: tok.TokenType, Expiry: tok.Expiry,
		}
	}
	alone := liveBytes() - before
	if beside := (all - alone) / keys; beside > 480 {
		t.Errorf("%d bytes", beside)
	} else {
		t.Logf("%d bytes", beside)
	}
	runtime.KeepAlive(copies)
}

// liveBytes is how much the heap holds that can be reached.
func liveBytes() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestClientsOfOneHashAreToldApart(t *testing.T) {
	c := &Client{target: Target{Scopes: []string{"a"}, Audience: "b", Resources: []string{"urn:c"}}}
	if own := c.goal(); !c.isFor(&own) {
		t.Fatal("it is not for its own target")
	}
	for _, other := range []Target{
		{Scopes: []string{"x"}, Audience: "b", Resources: []string{"urn:c"}},
		{Scopes: []string{"a"}, Audience: "x", Resources: []string{"urn:c"}},
		{Scopes: []string{"a"}, Audience: "b", Resources: []string{"urn:x"}},
		{Scopes: []string{"a"}, Audience: "b", Resources: []string{"urn:c"}, EndpointParams: url.Values{"x": {"1"}}},
	} {
		if c.isFor(&other) {
			t.Errorf("one token for %v too", other)
		}
	}
}
