package ccclient_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// operations returns docs/operations.md.
func operations(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// failing fails every request with err.
func failing(err error) *http.Client {
	return &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, err })}
}

// troubles are those of which docs/operations.md shows what Check says.
var troubles = map[string]func(t *testing.T, c *ccclient.Config){
	"wrong secret": func(_ *testing.T, c *ccclient.Config) {
		c.Auth = ccclient.ClientSecretBasic(ccclient.SecretString("wrong"))
	},
	"missing secret": func(_ *testing.T, c *ccclient.Config) {
		c.Auth = ccclient.ClientSecretBasic(ccclient.SecretFile("/run/secrets/orders"))
	},
	"expired certificate of the client": func(t *testing.T, c *ccclient.Config) {
		own, _ := serverCertificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Hour) })
		c.Auth, c.TLS, c.HTTPClient = ccclient.TLSClientAuth(), &tls.Config{Certificates: []tls.Certificate{own}}, nil
		c.WrapTransport = instead(failing(&net.OpError{Op: "remote error", Err: tls.AlertError(45)}).Transport)
	},
	"expired certificate of the server": func(_ *testing.T, c *ccclient.Config) {
		c.HTTPClient = failing(&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{
			Reason: x509.Expired, Detail: "current time 2000-01-01T00:00:00Z is after 1999-12-31T23:00:00Z",
		}})
	},
	"server in trouble": func(_ *testing.T, c *ccclient.Config) {
		c.HTTPClient = &http.Client{Transport: cctest.RoundTripper(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		))}
	},
	"server down": func(_ *testing.T, c *ccclient.Config) {
		refused := os.NewSyscallError("connect", syscall.ECONNREFUSED)
		c.HTTPClient = failing(&net.OpError{Op: "dial", Net: "tcp", Err: refused})
	},
	"wrong clock": func(_ *testing.T, c *ccclient.Config) {
		c.HTTPClient.Transport = dated(10 * time.Minute)(c.HTTPClient.Transport)
	},
}

func TestOperationsShowWhatCheckSays(t *testing.T) {
	shown := strings.Join(strings.Fields(operations(t)), " ") // long lines are broken there
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, func(c *ccclient.Config) { trouble(t, c) }, func(t *testing.T, r *rig) {
				if err := r.Check(t.Context()); err == nil || !strings.Contains(shown, err.Error()) {
					t.Errorf("not there:\n%v", err)
				}
			})
		})
	}
}

func TestOperationsListWhatIsLogged(t *testing.T) {
	_, table, _ := strings.Cut(operations(t), "\n## Logs\n")
	table, _, _ = strings.Cut(table, "\n## ")
	written := make(map[string]bool)
	message := regexp.MustCompile(`(?:slog\.Level\w+, |o\.warn\(|msg(?:, attrs)? :?= )"([^"]+)"`)
	for _, file := range []string{"log.go", "observer.go", "../cache/log.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range message.FindAllStringSubmatch(string(text), -1) {
			written[m[1]] = true
			if !strings.Contains(table, "| `"+m[1]) {
				t.Errorf("%s logs %q, which is not there", file, m[1])
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1) {
		if !written[m[1]] {
			t.Errorf("nothing logs %q", m[1])
		}
	}
}

// works asks for a token each second, and must get one.
func works(t *testing.T, clients []*ccclient.Client, d time.Duration) {
	t.Helper()
	for range int(d / time.Second) {
		for i, c := range clients {
			if _, err := c.Token(t.Context()); err != nil {
				t.Fatalf("process %d: %v", i, err)
			}
		}
		time.Sleep(time.Second)
	}
}

const tokenLife = 10 * time.Minute // of a token

// replace replaces a file as a deployment does, by renaming.
func replace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// takes makes each request with one of these secrets one with the server's only secret.
func takes(next http.RoundTripper, secrets *atomic.Value) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		id, secret, _ := r.BasicAuth()
		if strings.Contains(secrets.Load().(string), secret) {
			secret = cctest.DefaultClientSecret
		}
		r.SetBasicAuth(id, secret)
		return next.RoundTrip(r)
	})
}

func TestSecretRotatesStepByStep(t *testing.T) {
	for name, one := range map[string]bool{"server that takes two": false, "server that takes one": true} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "client-secret")
			replace(t, file, "old-one")
			var secrets atomic.Value
			secrets.Store("old-one")
			configure := func(c *ccclient.Config) {
				c.Auth = ccclient.ClientSecretBasic(ccclient.SecretFile(file))
				c.HTTPClient.Transport = takes(c.HTTPClient.Transport, &secrets)
			}
			inBubble(t, cctest.Options{Lifetime: tokenLife}, configure, func(t *testing.T, r *rig) {
				all := []*ccclient.Client{r.Client}
				works(t, all, 2*tokenLife)
				if one {
					secrets.Store("new-one")
				} else {
					secrets.Store("old-one new-one")
				}
				works(t, all, tokenLife/10)
				replace(t, file, "new-one")
				works(t, all, 2*tokenLife)
				secrets.Store("new-one")
				works(t, all, 2*tokenLife)
				if err := r.Check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestKeyRotatesStepByStep(t *testing.T) {
	keys := map[string]string{
		"old": jwk(t, "rfc7515-a2.jwk.json", "old", "RS256"), "new": jwk(t, "rfc7515-a3.jwk.json", "new", "ES256"),
	}
	file := filepath.Join(t.TempDir(), "key.jwk")
	replace(t, file, keys["old"])
	var server atomic.Pointer[cctest.Server]
	knows := func(ids ...string) {
		public := make(map[string]crypto.PublicKey)
		for _, id := range ids {
			key, err := ccclient.ParseKey([]byte(keys[id]))
			if err != nil {
				t.Fatal(err)
			}
			public[id] = key.Signer.Public()
		}
		server.Store(cctest.NewServer(cctest.Options{Lifetime: tokenLife, Clients: []cctest.Registration{{
			ID: cctest.DefaultClientID, Keys: public,
		}}}))
	}
	configure := func(c *ccclient.Config) {
		c.TokenURL, c.Issuer = "", asIssuer
		c.Auth = ccclient.PrivateKeyJWTFrom(ccclient.KeyFile(file), ccclient.AssertionOptions{})
		c.HTTPClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			return server.Load().RoundTripper().RoundTrip(r)
		})
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		all := []*ccclient.Client{r.Client}
		for _, step := range []func(){
			func() { knows("old") },
			func() { knows("old", "new") },
			func() { replace(t, file, keys["new"]) },
			func() { knows("new") },
		} {
			step()
			works(t, all, 2*tokenLife)
		}
		if err := r.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSealKeysRotateStepByStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as, shared := cctest.NewServer(cctest.Options{Lifetime: tokenLife}), cache.Memory()
		fleet := make([]*ccclient.Client, 3)
		// deploy starts the i-th process anew, with these keys.
		deploy := func(i int, keys ...byte) {
			var all [][]byte
			for _, k := range keys {
				all = append(all, []byte(strings.Repeat(string(k), 32)))
			}
			store, err := cache.Seal(shared, all...)
			if err != nil {
				t.Fatal(err)
			}
			if fleet[i] != nil {
				fleet[i].Close()
			}
			if fleet[i], err = ccclient.New(ccclient.Config{
				TokenURL: asTokenURL, ClientID: cctest.DefaultClientID,
				Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
				HTTPClient: &http.Client{Transport: as.RoundTripper()},
				Cache:      cache.Options{Store: store},
			}); err != nil {
				t.Fatal(err)
			}
		}
		for _, keys := range []string{"a", "ab", "ba", "b"} {
			for i := range fleet {
				deploy(i, []byte(keys)...)
				if keys != "a" { // which started cold
					inStore(t, as, fleet[i])
				}
				// A token that it seals is one that all can open, those that are still to be replaced too.
				newest, err := fleet[i].Refresh(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				for j, other := range fleet {
					if other == nil || j == i {
						continue
					}
					own, err := other.Token(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					other.Invalidate(own)
					if got := inStore(t, as, other); got != newest.AccessToken {
						t.Errorf("with the keys %s in process %d, process %d has another token", keys, i, j)
					}
				}
				works(t, slices.DeleteFunc(slices.Clone(fleet), func(c *ccclient.Client) bool { return c == nil }),
					2*time.Minute)
			}
			works(t, fleet, tokenLife)
		}
		for _, c := range fleet {
			c.Close()
		}
	})
}

// inStore returns the token of c, for which the server must not be asked.
func inStore(t *testing.T, as *cctest.Server, c *ccclient.Client) string {
	t.Helper()
	before := as.Stats().TokenRequests
	tok, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := as.Stats().TokenRequests - before; n != 0 {
		t.Errorf("%d token requests for a token that is in the store", n)
	}
	return tok.AccessToken
}
