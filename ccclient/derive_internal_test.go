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
		m := &c.registered().derived
		m.mu.Lock()
		if m.count > most+most/4+memoLeast || len(m.table.Load().slots) > 2*m.most {
			t.Errorf("%s: %d clients are remembered in %d slots", name, m.count, len(m.table.Load().slots))
		}
		m.mu.Unlock()
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

func TestTokenOfReplacedCertificateIsNotKeptFresh(t *testing.T) {
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
		d := c.For(Target{Audience: "x"})
		if _, err := d.Token(t.Context()); err != nil || d.tokens.Evicted() {
			t.Fatal(err)
		}
		certificate.Store(&tls.Certificate{Certificate: [][]byte{{1}}})
		time.Sleep(100 * time.Second) // the refresh ahead finds another certificate
		synctest.Wait()
		if !d.tokens.Evicted() {
			t.Error("the entry of the certificate before is kept")
		}
	})
}

func TestMemoFindsWhatWasAddedInAnyOrder(t *testing.T) {
	var m memo
	m.init(10_000)
	add := func(target Target) *Client {
		hash, params := m.hash(&target), target.EndpointParams
		c := &Client{target: target, tokens: notMade{}}
		if c.target.EndpointParams = nil; params != nil {
			c.params = func() url.Values { return params }
		}
		return m.add(hash, c)
	}
	var all []*Client
	for i := range 1000 {
		all = append(all, add(Target{
			Scopes: []string{"a", strconv.Itoa(i)}, EndpointParams: url.Values{"x": {"1", "2"}, "y": {strconv.Itoa(i)}},
		}))
	}
	for i, want := range all {
		found := Target{
			Scopes: []string{strconv.Itoa(i), "a"}, EndpointParams: url.Values{"y": {strconv.Itoa(i)}, "x": {"1", "2"}},
		}
		if m.find(m.hash(&found), &found) != want || add(found) != want {
			t.Fatalf("client %d is not found by its scopes in another order", i)
		}
		for _, other := range []Target{
			{Scopes: found.Scopes},
			{Scopes: found.Scopes, EndpointParams: url.Values{"y": {strconv.Itoa(i)}, "x": {"2", "1"}}},
			{Scopes: []string{"a", "a"}, EndpointParams: found.EndpointParams},
			{Scopes: found.Scopes, Audience: "a", EndpointParams: found.EndpointParams},
			{Resources: found.Scopes, EndpointParams: found.EndpointParams},
		} {
			if c := m.find(m.hash(&other), &other); c != nil {
				t.Fatalf("%v is found for %v", c.target, other)
			}
		}
	}
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

func TestMemoTellsTargetsOfOneHashApart(t *testing.T) {
	var m memo
	m.init(10)
	const hash = 7
	c := &Client{target: Target{Scopes: []string{"a"}, Audience: "b", Resources: []string{"urn:c"}}, tokens: notMade{}}
	m.add(hash, c)
	if own := c.goal(); m.find(hash, &own) != c {
		t.Fatal("it is not found")
	}
	for _, other := range []Target{
		{Scopes: []string{"x"}, Audience: "b", Resources: []string{"urn:c"}},
		{Scopes: []string{"a"}, Audience: "x", Resources: []string{"urn:c"}},
		{Scopes: []string{"a"}, Audience: "b", Resources: []string{"urn:x"}},
		{Scopes: []string{"a"}, Audience: "b", Resources: []string{"urn:c"}, EndpointParams: url.Values{"x": {"1"}}},
	} {
		if m.find(hash, &other) != nil {
			t.Errorf("one token for %v too", other)
		}
	}
}
