package ccclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A keyReader is a Store, and a Locker, that notes the keys it is asked for.
type keyReader struct {
	cache.Store
	mu   sync.Mutex // guards keys
	keys []string
}

func (s *keyReader) note(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.keys, key) {
		s.keys = append(s.keys, key)
	}
}

func (s *keyReader) Get(ctx context.Context, key string) ([]byte, error) {
	s.note(key)
	return s.Store.Get(ctx, key)
}

func (s *keyReader) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	s.note(key)
	return s.Store.Put(ctx, key, data, ttl)
}

func (s *keyReader) TryLock(
	ctx context.Context, key string, ttl time.Duration,
) (func(context.Context) error, bool, error) {
	s.note(key)
	return func(context.Context) error { return nil }, true, nil
}

func seal(t *testing.T, s cache.Store, key byte) cache.Store {
	t.Helper()
	sealed, err := cache.Seal(s, bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// two returns how many token requests two clients make, one after the other, each with a Store and a change.
func two(
	t *testing.T, stores [2]cache.Store, change [2]func(*ccclient.Config), target ccclient.Target,
) (n int, log string) {
	t.Helper()
	var buf bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		defer as.Close()
		for i := range 2 {
			cfg := ccclient.Config{
				TokenURL: asTokenURL, ClientID: cctest.DefaultClientID,
				Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
				HTTPClient: &http.Client{Transport: as.RoundTripper()},
				Cache:      cache.Options{Store: stores[i]},
				Logger:     slog.New(slog.NewTextHandler(&buf, nil)),
			}
			if change[i] != nil {
				change[i](&cfg)
			}
			c, err := ccclient.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.For(target).Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			c.Close()
		}
		n = len(as.TokenRequests())
	})
	return n, buf.String()
}

func TestSecretsCannotBeGuessedFromKeysOfAStore(t *testing.T) {
	with := func(value string) map[string]func(*ccclient.Config) {
		return map[string]func(*ccclient.Config){
			"parameter": func(c *ccclient.Config) { c.EndpointParams = url.Values{"api_key": {value}} },
			"header":    func(c *ccclient.Config) { c.EndpointHeader = http.Header{"x-api-key": {value}} },
			"query":     func(c *ccclient.Config) { c.TokenURL += "?v=" + value },
		}
	}
	for name, right := range with("right") {
		wrong := with("wrong")[name]
		same := [2]func(*ccclient.Config){right, right}

		open := &keyReader{Store: cache.Memory()}
		n, log := two(t, [2]cache.Store{open, open}, same, ccclient.Target{})
		if n != 2 || len(open.keys) != 0 || !strings.Contains(log, "cache.Seal") || strings.Contains(log, "right") {
			t.Errorf("%s, not sealed: %d requests, keys %q; logged: %s", name, n, open.keys, log)
		}
		below := &keyReader{Store: cache.Memory()}
		n, log = two(t, [2]cache.Store{seal(t, below, 1), seal(t, below, 1)}, same, ccclient.Target{})
		if n != 1 || len(below.keys) != 1 || log != "" {
			t.Errorf("%s, sealed: %d requests, keys %q; logged: %s", name, n, below.keys, log)
		}
		n, _ = two(t, [2]cache.Store{seal(t, below, 1), seal(t, below, 1)}, [2]func(*ccclient.Config){right, wrong},
			ccclient.Target{})
		if n != 1 || len(below.keys) != 2 {
			t.Errorf("%s: %d requests for another value, keys %q", name, n, below.keys)
		}
		guess := &keyReader{Store: cache.Memory()}
		two(t, [2]cache.Store{seal(t, guess, 2), guess}, same, ccclient.Target{})
		if len(guess.keys) != 1 || slices.Contains(below.keys, guess.keys[0]) {
			t.Errorf("%s: who has another key finds %q among %q", name, guess.keys, below.keys)
		}
	}
}

func TestSecretOfATargetKeepsThatAloneFromTheStore(t *testing.T) {
	for name, c := range map[string]struct {
		target         ccclient.Target
		requests, keys int
	}{
		"secret": {ccclient.Target{EndpointParams: url.Values{"api_key": {"canary"}}}, 2, 0},
		"open":   {ccclient.Target{EndpointParams: url.Values{"tenant": {"a"}}}, 1, 1},
	} {
		store := &keyReader{Store: cache.Memory()}
		n, log := two(t, [2]cache.Store{store, store}, [2]func(*ccclient.Config){}, c.target)
		if n != c.requests || len(store.keys) != c.keys || strings.Contains(log, "WARN") != (c.keys == 0) ||
			strings.Contains(log, "canary") {
			t.Errorf("%s: %d requests, keys %q; logged: %s", name, n, store.keys, log)
		}
	}
}

// A named Auth has the identity that it points to, and panics where it points to none.
type named struct {
	ccclient.Auth
	id *string
}

func (n named) Identity() string { return *n.id }

// A byPointer Auth has an identity only as a pointer.
type byPointer struct{ ccclient.Auth }

func (*byPointer) Identity() string { return "a" }

func TestIdentityTellsTokensOfAnAuthApart(t *testing.T) {
	library := ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret))
	foreign := ccclient.AuthFunc(library.Authenticate)
	a, b, none := "a", "b", ""
	for name, c := range map[string]struct {
		auth     [2]ccclient.Auth
		requests int
		stored   bool
	}{
		"same":               {[2]ccclient.Auth{named{foreign, &a}, named{foreign, &a}}, 1, true},
		"other":              {[2]ccclient.Auth{named{foreign, &a}, named{foreign, &b}}, 2, true},
		"of another type":    {[2]ccclient.Auth{named{foreign, &a}, &byPointer{foreign}}, 2, true},
		"empty":              {[2]ccclient.Auth{named{foreign, &none}, named{foreign, &none}}, 2, false},
		"by pointer":         {[2]ccclient.Auth{&byPointer{foreign}, &byPointer{library}}, 1, true},
		"by pointer, value":  {[2]ccclient.Auth{byPointer{foreign}, byPointer{foreign}}, 2, false},
		"library's, wrapped": {[2]ccclient.Auth{struct{ ccclient.Auth }{library}, foreign}, 2, false},
		"around the library": {[2]ccclient.Auth{library, ccclient.AuthFunc(named{library, &a}.Authenticate)}, 2, true},
	} {
		store := &keyReader{Store: cache.Memory()}
		n, _ := two(t, [2]cache.Store{store, store}, [2]func(*ccclient.Config){
			func(cfg *ccclient.Config) { cfg.Auth = c.auth[0] }, func(cfg *ccclient.Config) { cfg.Auth = c.auth[1] },
		}, ccclient.Target{})
		if n != c.requests || len(store.keys) > 0 != c.stored {
			t.Errorf("%s: %d requests, keys %q", name, n, store.keys)
		}
	}
	_, err := ccclient.New(ccclient.Config{TokenURL: asTokenURL, ClientID: "id", Auth: named{foreign, nil}})
	if err == nil || !strings.Contains(err.Error(), "Auth: ") || !strings.Contains(err.Error(), "Identity") {
		t.Errorf("a panic is %v", err)
	}
}

// A wrapper hides an http.Transport, and shows it again; what goes through it goes elsewhere.
type wrapper struct{ through, hidden http.RoundTripper }

func (w wrapper) RoundTrip(r *http.Request) (*http.Response, error) { return w.through.RoundTrip(r) }
func (w wrapper) Unwrap() http.RoundTripper                         { return w.hidden }

func TestCertificateInsideOfHTTPClientIsPartOfTheKey(t *testing.T) {
	static := func(der string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{[]byte(der)}}}}
	}
	asked := func(der string) *tls.Config {
		return &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{[]byte(der)}}, nil
		}}
	}
	for name, c := range map[string]struct {
		tls      [2]*tls.Config
		requests int
	}{
		"none":          {[2]*tls.Config{{}, nil}, 1},
		"the same":      {[2]*tls.Config{static("a"), static("a")}, 1},
		"other":         {[2]*tls.Config{static("a"), static("b")}, 2},
		"one alone":     {[2]*tls.Config{static("a"), nil}, 2},
		"the same kept": {[2]*tls.Config{asked("a"), asked("a")}, 1},
		"others kept":   {[2]*tls.Config{asked("a"), asked("b")}, 2},
	} {
		store := cache.Memory()
		inside := func(i int) func(*ccclient.Config) {
			return func(cfg *ccclient.Config) {
				hidden := wrapper{nil, &http.Transport{TLSClientConfig: c.tls[i]}}
				cfg.HTTPClient.Transport = wrapper{cfg.HTTPClient.Transport, hidden}
			}
		}
		n, _ := two(t, [2]cache.Store{store, store}, [2]func(*ccclient.Config){inside(0), inside(1)}, ccclient.Target{})
		if n != c.requests {
			t.Errorf("%s: %d requests, want %d", name, n, c.requests)
		}
	}
}

func TestStoreSeesNoSecretOfClientsWhoseCertificatesRotate(t *testing.T) {
	const canary = "canary-of-a-parameter-4711"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		defer as.Close()
		below, generation := &keyReader{Store: cache.Memory()}, byte(1)
		var log bytes.Buffer
		cfg := certifiedConfig(as, func() {})
		cfg.TLS = &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{{generation}}, PrivateKey: key}, nil
		}}
		cfg.EndpointHeader = http.Header{"X-Api-Key": {canary}}
		cfg.Cache.Store = seal(t, below, 1)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		var clients []*ccclient.Client
		for range 2 {
			c, err := ccclient.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			clients = append(clients, c.For(ccclient.Target{EndpointParams: url.Values{"api_key": {canary}}}))
		}
		for range 3 {
			for _, c := range clients { // the second one finds what the first one got
				if _, err := c.Token(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
			}
			generation++
			time.Sleep(2 * time.Second)
		}
		if n := len(as.TokenRequests()); n != 3 || len(below.keys) != 3 {
			t.Errorf("%d token requests for three certificates, keys %q", n, below.keys)
		}
		logged := strings.ReplaceAll(log.String(), "client_secret_basic", "the method")
		all := append([]string{logged, dump(clients), printed(clients[0])}, below.keys...)
		for _, k := range below.keys {
			data, err := below.Store.Get(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(data))
		}
		seen := strings.Join(all, "\n")
		for _, secret := range []string{
			canary, hex.EncodeToString([]byte(canary)), string(raw), new(big.Int).SetBytes(raw).String(),
			cctest.DefaultClientSecret, hex.EncodeToString(bytes.Repeat([]byte{1}, 32)),
		} {
			if strings.Contains(seen, secret) {
				t.Errorf("%q is to be seen", secret)
			}
		}
	})
}
