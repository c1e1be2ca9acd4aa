package ccclient_test

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
)

// bound are the options of a server whose one client must bind its tokens.
func bound(t *testing.T, nonces bool) cctest.Options {
	c := keyed(t, "rsa2048.pkcs8.pem")
	c.ID, c.RequireDPoP = "client", true
	return cctest.Options{Clients: []cctest.Registration{c}, DPoPNonce: nonces, Lifetime: 100 * time.Second}
}

// withProofs configures a client that signs an assertion for each token
// request, and binds its tokens to key.
func withProofs(t *testing.T, key crypto.Signer) func(*ccclient.Config) {
	return func(cfg *ccclient.Config) {
		cfg.TokenURL, cfg.Issuer = "", asIssuer
		cfg.Auth = ccclient.PrivateKeyJWT(testKey(t, "rsa2048.pkcs8.pem"), ccclient.AssertionOptions{})
		cfg.DPoPKey = key
	}
}

func TestBoundTokensAreGotAndSpentWithEveryKindOfKey(t *testing.T) {
	for _, tc := range []struct {
		name string
		key  crypto.Signer
		algs []string
	}{
		{"ES256", testKey(t, "p256.sec1.pem"), nil},
		{"ES384", testKey(t, "p384.pkcs8.pem"), nil},
		{"ES512", testKey(t, "p521.pkcs8.pem"), nil},
		{"EdDSA", testKey(t, "ed25519.pem"), nil},
		{"RS256", testKey(t, "rsa2048.pkcs1.pem"), nil},
		{"PS256, listed alone", testKey(t, "rsa2048.pkcs1.pem"), []string{"PS256"}},
		{"in a KMS", opaque{testKey(t, "p256.sec1.pem")}, nil},
	} {
		for _, nonces := range []bool{false, true} {
			t.Run(fmt.Sprint(tc.name, " with nonces: ", nonces), func(t *testing.T) {
				o := bound(t, nonces)
				o.SigningAlgs, o.Lifetime = tc.algs, time.Hour
				inBubble(t, o, withProofs(t, tc.key), func(t *testing.T, r *rig) {
					step := func(what string, requests int) {
						t.Helper()
						defer time.Sleep(2 * time.Minute) // or forced refreshes would be spaced
						if status := r.call(); status != http.StatusOK {
							t.Fatalf("%s: the resource answered %d", what, status)
						}
						r.wantRequests(requests)
					}
					first := 1
					if nonces {
						first = 2 // the first is told the nonce
					}
					step("at first", first)
					step("again", first)
					r.as.RotateDPoPNonces()
					step("when the resource has other nonces", first)
					time.Sleep(time.Hour)
					step("after the expiry", 2*first)
					r.as.RevokeAll()
					step("after a revocation", 2*first+1)
					// A demand for a nonce and a revocation in one call, on both sides.
					r.as.RotateDPoPNonces()
					r.as.RevokeAll()
					step("after both", 3*first+1)
					r.as.FailNext(1, http.StatusServiceUnavailable, nil)
					r.as.RevokeAll()
					step("after a failure", 3*first+3)

					seen := make(map[any]bool)
					for _, req := range r.as.TokenRequests() {
						if jti := req.Claims["jti"]; jti == nil || seen[jti] {
							t.Errorf("the assertion's jti %v again", jti)
						}
						seen[req.Claims["jti"]] = true
					}
				})
			})
		}
	}
}

// A prover notes the proofs of the requests that pass, by server.
type prover struct {
	base http.RoundTripper

	mu     sync.Mutex // guards proofs
	proofs []string
}

func (p *prover) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.proofs = append(p.proofs, strings.Join(r.Header.Values("DPoP"), " and "))
	p.mu.Unlock()
	return p.base.RoundTrip(r)
}

// wantUnique checks that no proof was sent twice.
func (p *prover) wantUnique(t *testing.T, n int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make(map[string]bool)
	for _, proof := range p.proofs {
		if strings.Contains(proof, " ") || seen[proof] {
			t.Error("a proof was sent twice")
		}
		seen[proof] = proof != ""
	}
	if len(p.proofs) != n {
		t.Errorf("%d requests, want %d", len(p.proofs), n)
	}
}

func TestEveryAttemptAndEveryHopHasAProofOfItsOwn(t *testing.T) {
	inBubble(t, bound(t, true), withProofs(t, testKey(t, "p256.sec1.pem")), func(t *testing.T, r *rig) {
		resource := r.as.Protect(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			switch req.URL.Path {
			case "/start":
				http.Redirect(w, req, "/moved?to=here#there", http.StatusTemporaryRedirect)
			case "/moved":
				io.Copy(w, req.Body)
			case "/away":
				http.Redirect(w, req, "https://elsewhere.example/", http.StatusTemporaryRedirect)
			}
		}))
		p := &prover{base: cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Host == "elsewhere.example" {
				fmt.Fprint(w, req.Header["Authorization"], req.Header["Dpop"])
				return
			}
			resource.ServeHTTP(w, req)
		}))}
		api := &http.Client{Transport: r.Transport(p)}
		resp, err := api.Post("https://api.example.com/start?a=b", "text/plain", strings.NewReader("hello"))
		if got := read(t, resp, err); got != "200 hello" {
			t.Fatalf("got %s", got)
		}
		p.wantUnique(t, 3) // one was told the nonce
		r.as.RevokeAll()
		r.as.RotateDPoPNonces()
		resp, err = api.Post("https://api.example.com/start", "text/plain", strings.NewReader("hello"))
		if got := read(t, resp, err); got != "200 hello" {
			t.Fatalf("got %s", got)
		}
		p.wantUnique(t, 6) // revoked, and told the nonce with that
		resp, err = api.Post("https://api.example.com/away", "text/plain", strings.NewReader("hello"))
		if got := read(t, resp, err); got != "200 [] []" {
			t.Errorf("another origin got %s", got)
		}
	})
}

func TestBodyIsSentAgainForNonceWithinReplayLimit(t *testing.T) {
	inBubble(t, bound(t, true), withProofs(t, testKey(t, "ed25519.pem")), func(t *testing.T, r *rig) {
		resource := r.as.Protect(
			http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { io.Copy(w, req.Body) }),
		)
		for limit, want := range map[int64]int{0: http.StatusUnauthorized, 5: http.StatusOK} {
			tr := r.Transport(cctest.RoundTripper(resource))
			tr.ReplayLimit = limit
			r.as.RotateDPoPNonces()
			once := io.MultiReader(strings.NewReader("hello")) // of which net/http knows no copy
			resp, err := (&http.Client{Transport: tr}).Post("https://api.example.com/", "text/plain", once)
			if got := read(t, resp, err); resp.StatusCode != want || want == http.StatusOK && got != "200 hello" {
				t.Errorf("limit %d: got %s", limit, got)
			}
		}
	})
}

func TestBearerAnswerIsAnErrorNeitherCachedNorSpent(t *testing.T) {
	var answer string
	o := bound(t, false)
	o.TokenResponse = func(_ cctest.RecordedRequest, members map[string]any) {
		if answer != "" {
			members["token_type"] = answer
		}
	}
	store := cache.Memory()
	configure := func(cfg *ccclient.Config) {
		withProofs(t, testKey(t, "p256.sec1.pem"))(cfg)
		cfg.Cache.Store = store
	}
	answer = "Bearer"
	inBubble(t, o, configure, func(t *testing.T, r *rig) {
		for range 3 {
			_, err := r.api.Get("https://api.example.com/")
			if _, ok := errors.AsType[*ccclient.Error](err); !ok || !strings.Contains(err.Error(), "DPoP") {
				t.Fatalf("got %v", err)
			}
		}
		if n := r.as.Stats().ResourceRequests; n != 0 {
			t.Errorf("the resource got %d requests", n)
		}
		r.wantRequests(1)
		answer = "dPoP" // RFC 6749, section 5.1: case-insensitive
		time.Sleep(time.Minute)
		if status := r.call(); status != http.StatusOK {
			t.Errorf("the resource answered %d", status)
		}
		r.wantRequests(2)
	})
}

func TestTokenIsForTheKeyItIsBoundTo(t *testing.T) {
	store := cache.Memory()
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(bound(t, false))
		resource := cctest.RoundTripper(as.Protect(http.NotFoundHandler()))
		keys := []crypto.Signer{testKey(t, "p256.sec1.pem"), testKey(t, "ed25519.pem"), testKey(t, "p256.sec1.pem")}
		for _, key := range keys {
			cfg := ccclient.Config{
				ClientID: "client", HTTPClient: &http.Client{Transport: as.RoundTripper()},
				Cache: cache.Options{Store: store},
			}
			withProofs(t, key)(&cfg)
			c, err := ccclient.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, scopes := range [][]string{nil, {"a"}, {"b"}} {
				derived := c.For(ccclient.Target{Scopes: scopes})
				resp, err := (&http.Client{Transport: derived.Transport(resource)}).Get("https://api.example.com/")
				if got := read(t, resp, err); !strings.HasPrefix(got, "404") {
					t.Errorf("got %s", got)
				}
			}
			// Without the key the token is of no use, and is not sent.
			thief := &transport.Transport{Source: c, Base: resource}
			req, _ := http.NewRequest(http.MethodGet, "https://api.example.com/", nil)
			if _, err := thief.RoundTrip(req); !errors.Is(err, transport.ErrTokenType) {
				t.Errorf("without the key: %v", err)
			}
		}
		if n := len(as.TokenRequests()); n != 6 {
			t.Errorf("%d token requests, want one for each of three scopes and two keys", n)
		}
		if s := as.Stats(); s.ResourceRejected != 0 {
			t.Errorf("the resource rejected %d requests", s.ResourceRejected)
		}
	})
}

func TestNoncesChangeUnderLoadUnseen(t *testing.T) {
	o := bound(t, true)
	o.Lifetime = time.Hour
	as := cctest.NewServer(o)
	defer as.Close()
	api := httptest.NewServer(
		as.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })),
	)
	defer api.Close()
	c, err := ccclient.New(ccclient.Config{
		Issuer: as.Issuer(), ClientID: "client", DPoPKey: testKey(t, "p256.sec1.pem"),
		Auth: ccclient.PrivateKeyJWT(testKey(t, "rsa2048.pkcs8.pem"), ccclient.AssertionOptions{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var rounds [3]sync.WaitGroup
	for i := range rounds {
		for j := range 16 {
			derived := c
			if j%2 == 0 {
				derived = c.For(ccclient.Target{Scopes: []string{"even"}})
			}
			rounds[i].Go(func() {
				for range 10 {
					resp, err := derived.HTTPClient().Post(api.URL, "text/plain", strings.NewReader("hello"))
					if err != nil {
						t.Error(err)
						return
					}
					body, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode != http.StatusOK || string(body) != "hello" {
						t.Errorf("got %d %s", resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
					}
				}
			})
		}
		if i == 1 {
			as.RotateDPoPNonces() // amid the requests
		}
		rounds[i].Wait()
	}
	for _, req := range as.TokenRequests() {
		if !slices.Contains([]int{http.StatusOK, http.StatusBadRequest}, req.Status) {
			t.Errorf("a token request was answered %d", req.Status)
		}
	}
}

func TestProofThatAServerRepeatsIsHidden(t *testing.T) {
	var proofs []string
	repeats := cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proofs = append(proofs, r.Header.Get("DPoP"))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error": "invalid_request", "error_description": "what is %s?"}`, r.Header.Get("DPoP"))
	}))
	client, err := ccclient.New(ccclient.Config{
		TokenURL: "https://as.example.com/token", ClientID: "client", DPoPKey: testKey(t, "p256.sec1.pem"),
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString("secret")),
		HTTPClient: &http.Client{Transport: repeats},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Token(t.Context())
	if err == nil || len(proofs) == 0 || len(proofs[0]) < 100 {
		t.Fatalf("%v, after proofs %q", err, proofs)
	}
	if text := err.Error(); !strings.Contains(text, "what is [redacted]?") || strings.Contains(text, proofs[0][:16]) {
		t.Error(text)
	}
}
