package ccclient_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A vault gives the n-th of its versions of a secret, and counts how often it
// was asked. Version 1 is the one that the server knows.
type vault struct {
	version, asked atomic.Int32
}

var errVaultSealed = errors.New("the vault is sealed")

func (v *vault) get() (version int32, err error) {
	v.asked.Add(1)
	if version = v.version.Load(); version < 0 {
		return 0, errVaultSealed
	}
	return version, nil
}

// A replaceable method takes what it needs from a vault.
type replaceable struct {
	name   string
	auth   func(v *vault) ccclient.Auth
	client cctest.Registration
}

func replaceables(t *testing.T) []replaceable {
	secret := func(v *vault) ccclient.Secret {
		return func(context.Context) (string, error) {
			version, err := v.get()
			if version == 1 {
				return longSecret, err
			}
			return fmt.Sprintf("%s-%d", longSecret, version), err
		}
	}
	keys := []crypto.Signer{testKey(t, "ed25519.pem"), testKey(t, "p256.sec1.pem"), testKey(t, "p384.pkcs8.pem")}
	byKey := cctest.Registration{ID: "client", Keys: map[string]crypto.PublicKey{"1": keys[1].Public()}}
	bySecret := cctest.Registration{ID: "client", Secret: longSecret}
	return []replaceable{
		{"client_secret_basic", func(v *vault) ccclient.Auth { return ccclient.ClientSecretBasic(secret(v)) }, bySecret},
		{"client_secret_basic, unencoded", func(v *vault) ccclient.Auth { return ccclient.ClientSecretBasicUnencoded(secret(v)) }, bySecret},
		{"client_secret_post", func(v *vault) ccclient.Auth { return ccclient.ClientSecretPost(secret(v)) }, bySecret},
		{"client_secret_jwt", func(v *vault) ccclient.Auth {
			return ccclient.ClientSecretJWT(secret(v),
				ccclient.AssertionOptions{})
		}, bySecret},
		{"private_key_jwt", func(v *vault) ccclient.Auth {
			return ccclient.PrivateKeyJWTFrom(func(context.Context) (ccclient.Key, error) {
				version, err := v.get()
				return ccclient.Key{Signer: keys[version], ID: fmt.Sprint(version)}, err
			}, ccclient.AssertionOptions{})
		}, byKey},
		{"wrapped in an AuthFunc", func(v *vault) ccclient.Auth {
			inner := ccclient.ClientSecretPost(secret(v))
			return ccclient.AuthFunc(func(ctx context.Context, r ccclient.Request) (ccclient.Credentials, error) {
				c, err := inner.Authenticate(ctx, r)
				if err != nil {
					return ccclient.Credentials{}, fmt.Errorf("wrapped: %w", err)
				}
				c.Header.Set("X-Tenant", "shop")
				return c, nil
			})
		}, bySecret},
	}
}

func forEachReplaceable(t *testing.T, f func(t *testing.T, r *rig, v *vault)) {
	for _, m := range replaceables(t) {
		t.Run(m.name, func(t *testing.T) {
			var v vault
			configure := func(cfg *ccclient.Config) {
				cfg.TokenURL, cfg.Issuer = "", asIssuer
				cfg.Auth = m.auth(&v)
			}
			o := cctest.Options{Lifetime: 100 * time.Second, Clients: []cctest.Registration{m.client}}
			inBubble(t, o, configure, func(t *testing.T, r *rig) { f(t, r, &v) })
		})
	}
}

func TestWhatWasReplacedIsUsedAtTheNextTokenRequest(t *testing.T) {
	forEachReplaceable(t, func(t *testing.T, r *rig, v *vault) {
		v.version.Store(1)
		r.token()
		if n := v.asked.Load(); n != 1 {
			t.Errorf("asked %d times for one token request", n)
		}
		for range 100 {
			r.token()
		}
		if n := v.asked.Load(); n != 1 {
			t.Errorf("asked %d times, of which some for a cached token", n)
		}
		v.version.Store(2) // that the server does not know
		time.Sleep(101 * time.Second)
		if _, err := r.Token(t.Context()); !errors.Is(err, ccclient.InvalidClient) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWhatWasReplacedEndsACoolDownWithinASecond(t *testing.T) {
	for _, wrong := range []int32{0, -1} { // a wrong one, and one that cannot be had
		forEachReplaceable(t, func(t *testing.T, r *rig, v *vault) {
			v.version.Store(wrong)
			requests := 0
			if wrong >= 0 {
				requests = 1
			}
			for range 100 { // so that the cool-down is long
				if _, err := r.Token(t.Context()); err == nil {
					t.Fatal("the server took a wrong secret")
				}
				time.Sleep(10 * time.Millisecond)
			}
			r.wantRequests(requests)
			v.version.Store(1)
			time.Sleep(time.Second)
			r.token()
			r.wantRequests(requests + 1)
		})
	}
}

func TestAfterARefusalWhatIsNewIsTriedAtOnceAndOnce(t *testing.T) {
	for _, m := range replaceables(t) {
		for name, tc := range map[string]struct {
			then     int32 // the version that the vault has once the server has seen the request
			requests int
			fails    bool
		}{
			"new and right": {then: 1, requests: 2},
			"new and wrong": {then: 2, requests: 2, fails: true},
			"the same":      {then: 0, requests: 1, fails: true},
			"not to be had": {then: -1, requests: 1, fails: true},
		} {
			t.Run(m.name+", "+name, func(t *testing.T) {
				var v vault
				configure := func(cfg *ccclient.Config) {
					cfg.TokenURL, cfg.Issuer = "", asIssuer
					cfg.Auth = m.auth(&v)
					as := cfg.HTTPClient.Transport
					cfg.HTTPClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
						resp, err := as.RoundTrip(r)
						if r.Method == http.MethodPost {
							v.version.Store(tc.then)
						}
						return resp, err
					})
				}
				o := cctest.Options{Clients: []cctest.Registration{m.client}}
				inBubble(t, o, configure, func(t *testing.T, r *rig) {
					start := time.Now()
					_, err := r.Token(t.Context())
					if tc.fails != (err != nil) || tc.fails && !errors.Is(err, ccclient.InvalidClient) {
						t.Errorf("got %v", err)
					}
					if took := time.Since(start); took != 0 {
						t.Errorf("it took %v", took)
					}
					r.wantRequests(tc.requests)
					if !tc.fails {
						return
					}
					// The cool-down of what no retry can help: 5 s at first, less a quarter.
					time.Sleep(3700 * time.Millisecond)
					r.Token(t.Context())
					r.wantRequests(tc.requests)
					time.Sleep(1300 * time.Millisecond)
					r.Token(t.Context())
					if n := len(r.as.TokenRequests()); tc.then >= 0 && n != tc.requests+1 {
						t.Errorf("%d token requests after the cool-down, want %d", n, tc.requests+1)
					}
				})
			})
		}
	}
}
