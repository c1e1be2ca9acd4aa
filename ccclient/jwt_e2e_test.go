package ccclient_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// spiffeJWT is the assertion type of draft-ietf-oauth-spiffe-client-auth.
const spiffeJWT = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"

var longSecret = strings.Repeat("s", 32)

// A way is a method of client authentication with an assertion, and the client
// as the server knows it.
type way struct {
	name   string
	auth   func(t *testing.T) ccclient.Auth
	client cctest.Registration
	algs   []string // that the server takes; nil: all
	method string   // empty: private_key_jwt
	ready  bool     // the assertion is somebody else's
}

func keyed(t *testing.T, name string) cctest.Registration {
	return cctest.Registration{Keys: map[string]crypto.PublicKey{"": testKey(t, name).Public()}}
}

func privateKey(name string, o ccclient.AssertionOptions) func(*testing.T) ccclient.Auth {
	return func(t *testing.T) ccclient.Auth { return ccclient.PrivateKeyJWT(testKey(t, name), o) }
}

// workload signs an identity token for a workload, in a file.
func workload(t *testing.T, path, issuer, subject string) {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: testKey(t, "rsa2048.pkcs8.pem")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed, err := signer.Sign(fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":[%q],"iat":%d,"exp":%d}`,
		issuer, subject, asIssuer, now.Unix(), now.Add(15*time.Minute).Unix()))
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(compact+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ways(t *testing.T) []way {
	type o = ccclient.AssertionOptions
	k8s, svid := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "svid")
	return []way{
		{name: "RS256", auth: privateKey("rsa2048.pkcs8.pem", o{}), client: keyed(t, "rsa2048.pkcs8.pem"),
			algs: []string{"RS256", "PS256"}},
		{name: "PS256, listed alone", auth: privateKey("rsa2048.pkcs8.pem", o{}), client: keyed(t, "rsa2048.pkcs8.pem"),
			algs: []string{"ES256", "PS256"}},
		{name: "ES256", auth: privateKey("p256.sec1.pem", o{}), client: keyed(t, "p256.sec1.pem"), algs: []string{"ES256"}},
		{name: "ES384", auth: privateKey("p384.pkcs8.pem", o{}), client: keyed(t, "p384.pkcs8.pem"), algs: []string{"ES384"}},
		{name: "ES512", auth: privateKey("p521.pkcs8.pem", o{}), client: keyed(t, "p521.pkcs8.pem"), algs: []string{"ES512"}},
		{name: "EdDSA", auth: privateKey("ed25519.pem", o{}), client: keyed(t, "ed25519.pem"), algs: []string{"EdDSA"}},
		{
			name: "a key in a KMS", client: keyed(t, "p256.sec1.pem"),
			auth: func(t *testing.T) ccclient.Auth {
				return ccclient.PrivateKeyJWT(opaque{testKey(t, "p256.sec1.pem")}, o{})
			},
		},
		{
			name: "a key from a source", client: keyed(t, "p256.sec1.pem"),
			auth: func(t *testing.T) ccclient.Auth {
				return ccclient.PrivateKeyJWTFrom(ccclient.KeyFile(keys+"p256.sec1.pem"), o{})
			},
		},
		{
			name: "client_secret_jwt", client: cctest.Registration{Secret: longSecret,
				AuthMethods: []string{cctest.ClientSecretJWT}}, method: cctest.ClientSecretJWT,
			auth: func(*testing.T) ccclient.Auth {
				return ccclient.ClientSecretJWT(ccclient.SecretString(longSecret), o{})
			},
		},
		{
			name: "a Kubernetes token", ready: true,
			client: cctest.Registration{
				Keys:            map[string]crypto.PublicKey{"": testKey(t, "rsa2048.pkcs8.pem").Public()},
				AssertionIssuer: "https://cluster.example", AssertionSubject: "system:serviceaccount:shop:orders",
			},
			auth: func(t *testing.T) ccclient.Auth {
				workload(t, k8s, "https://cluster.example", "system:serviceaccount:shop:orders")
				return ccclient.ClientAssertion(ccclient.SecretFile(k8s))
			},
		},
		{
			name: "a JWT-SVID", ready: true, method: cctest.SPIFFEJWT,
			client: cctest.Registration{
				Keys:             map[string]crypto.PublicKey{"": testKey(t, "rsa2048.pkcs8.pem").Public()},
				AssertionSubject: "spiffe://example.org/orders",
			},
			auth: func(t *testing.T) ccclient.Auth {
				workload(t, svid, "", "spiffe://example.org/orders")
				return ccclient.SPIFFEAssertion(ccclient.SecretFile(svid))
			},
		},
	}
}

func (w way) wantedMethod() string {
	if w.method != "" {
		return w.method
	}
	return cctest.PrivateKeyJWT
}

func TestAssertionGetsTokensOverAWholeLife(t *testing.T) {
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			w.client.ID = "client"
			o := cctest.Options{Clients: []cctest.Registration{w.client}, SigningAlgs: w.algs, Lifetime: 100 * time.Second}
			configure := func(cfg *ccclient.Config) {
				cfg.TokenURL, cfg.Issuer = "", asIssuer
				cfg.Auth = w.auth(t) // in the bubble, whose clock it is signed by
			}
			inBubble(t, o, configure, func(t *testing.T, r *rig) {
				step := func(what string) {
					if status := r.call(); status != http.StatusOK {
						t.Fatalf("%s: the resource answered %d", what, status)
					}
				}
				// What is answered with an error is used up all the same.
				r.as.FailNext(1, http.StatusServiceUnavailable, nil)
				r.as.FailNext(1, cctest.NoAnswer, nil)
				step("at first")
				time.Sleep(5 * time.Minute)
				step("after the expiry")
				r.as.RevokeAll()
				step("after a revocation")
				r.wantRequests(5)
				seen := make(map[any]bool)
				for _, req := range r.as.TokenRequests() {
					if req.AuthMethod != w.wantedMethod() || req.Form.Get("client_id") != "client" ||
						req.Header.Get("Authorization") != "" {
						t.Errorf("%s with %v", req.AuthMethod, req.Form)
					}
					if w.ready {
						continue
					}
					if id := req.Claims["jti"]; id == nil || seen[id] {
						t.Errorf("jti %v, again or not at all", id)
					}
					seen[req.Claims["jti"]] = true
					if _, has := req.Claims["nbf"]; has || req.Claims["aud"] != asIssuer || req.Claims["iss"] != "client" ||
						req.Claims["sub"] != "client" ||
						req.Claims["exp"].(float64)-req.Claims["iat"].(float64) != 60 {
						t.Errorf("claims %v", req.Claims)
					}
				}
			})
		})
	}
}

func TestAssertionWorksThroughHTTPClientOnSockets(t *testing.T) {
	var clients []cctest.Registration
	var usable []way
	for i, w := range ways(t) {
		if !w.ready { // those are for the issuer of the others
			w.client.ID = fmt.Sprint("client-", i)
			clients, usable = append(clients, w.client), append(usable, w)
		}
	}
	as := cctest.NewServer(cctest.Options{Clients: clients})
	defer as.Close()
	api := httptest.NewServer(as.Protect(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		io.Copy(w, r.Body)
	})))
	defer api.Close()
	for _, w := range usable {
		t.Run(w.name, func(t *testing.T) {
			c, err := ccclient.New(ccclient.Config{Issuer: as.Issuer(), ClientID: w.client.ID, Auth: w.auth(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for range 2 {
				resp, err := c.HTTPClient().Post(api.URL, "text/plain", strings.NewReader("hello"))
				if got := read(t, resp, err); got != "200 hello" {
					t.Errorf("got %s", got)
				}
				as.RevokeAll()
			}
		})
	}
}

// spy is the server's transport, which also gives what each assertion says.
func spy(as http.RoundTripper, seen *[]map[string]any) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(strings.NewReader(string(body)))
			form, err := url.ParseQuery(string(body))
			if err != nil {
				return nil, err
			}
			header := joseHeader(form.Get("client_assertion"))
			header["client_assertion_type"] = form.Get("client_assertion_type")
			*seen = append(*seen, header)
		}
		return as.RoundTrip(r)
	}
}

func TestAudienceAndTypeDependOnWhatIsKnownOfTheServer(t *testing.T) {
	type o = ccclient.AssertionOptions
	const tenant = asIssuer + "/tenant"
	for _, tc := range []struct {
		name           string
		issuer         string
		o              o
		older          bool // the server knows nothing of rfc7523bis
		audience, kind string
	}{
		{"a discovered issuer", tenant, o{}, false, tenant, "client-authentication+jwt"},
		{"a bare token URL", "", o{}, true, tenant + "/token", "JWT"},
		{"a bare token URL, told the issuer", "", o{Audience: tenant}, false, tenant, "JWT"},
		{"an issuer, told the token URL", tenant, o{Audience: tenant + "/token", Type: "jwt"}, true, tenant + "/token",
			"jwt"},
	} {
		var seen []map[string]any
		options := cctest.Options{TokenURLAudience: tc.older, Clients: []cctest.Registration{{
			ID: "client", Keys: map[string]crypto.PublicKey{"k1": testKey(t, "p256.sec1.pem").Public()},
		}}}
		tc.o.KeyID = "k1"
		configure := func(cfg *ccclient.Config) {
			cfg.Auth = ccclient.PrivateKeyJWT(testKey(t, "p256.sec1.pem"), tc.o)
			cfg.TokenURL, cfg.Issuer = tenant+"/token", tc.issuer
			if tc.issuer != "" {
				cfg.TokenURL = ""
			}
			cfg.HTTPClient.Transport = spy(cfg.HTTPClient.Transport, &seen)
		}
		inBubble(t, options, configure, func(t *testing.T, r *rig) {
			r.token()
			if got := r.as.TokenRequests()[0].Claims["aud"]; got != tc.audience {
				t.Errorf("%s: aud %v", tc.name, got)
			}
		})
		if got := seen[0]; got["typ"] != tc.kind || got["kid"] != "k1" || got["client_assertion_type"] != jwtBearer {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestAssertionThatWasRefusedSaysWhatToCheck(t *testing.T) {
	o := cctest.Options{Clients: []cctest.Registration{{ID: "client",
		Keys: map[string]crypto.PublicKey{"": testKey(t, "ed25519.pem").Public()}}}}
	configure := func(cfg *ccclient.Config) {
		cfg.TokenURL, cfg.Issuer = "", asIssuer
		cfg.Auth = ccclient.PrivateKeyJWT(testKey(t, "p256.sec1.pem"), ccclient.AssertionOptions{})
	}
	inBubble(t, o, configure, func(t *testing.T, r *rig) {
		_, err := r.Token(t.Context())
		if !errors.Is(err, ccclient.InvalidClient) || !strings.Contains(err.Error(), "that the server knows the key") {
			t.Errorf("got %v", err)
		}
		r.wantRequests(1)
	})
}

func TestAssertionsFromAFileAreReadAnewForEachTokenRequest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "svid")
	const subject = "spiffe://example.org/orders"
	var seen []map[string]any
	o := cctest.Options{Lifetime: 20 * time.Minute, Clients: []cctest.Registration{{
		ID: "client", AssertionSubject: subject, Keys: map[string]crypto.PublicKey{"": testKey(t,
			"rsa2048.pkcs8.pem").Public()},
	}}}
	configure := func(cfg *ccclient.Config) {
		cfg.TokenURL, cfg.Issuer = "", asIssuer
		cfg.Auth = ccclient.SPIFFEAssertion(ccclient.SecretFile(path))
		cfg.HTTPClient.Transport = spy(cfg.HTTPClient.Transport, &seen)
		workload(t, path, "", subject)
	}
	inBubble(t, o, configure, func(t *testing.T, r *rig) {
		r.token()
		time.Sleep(25 * time.Minute) // the assertion is dead by now, and so is the token
		workload(t, path, "", subject)
		r.token()
		r.wantRequests(2)
		// While the file is gone a live token is used.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(18 * time.Minute)
		r.token()
		r.wantRequests(2)
		time.Sleep(3 * time.Minute)
		if _, err := r.Token(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		workload(t, path, "", subject)
		time.Sleep(time.Second) // the cool-down ends with the cause
		r.token()
	})
	if slices.ContainsFunc(seen, func(h map[string]any) bool { return h["client_assertion_type"] != spiffeJWT }) {
		t.Errorf("assertion types: %v", seen)
	}
}

func TestContextOfTheFirstCallerReachesTheKeySource(t *testing.T) {
	type key struct{}
	var got any
	configure := func(cfg *ccclient.Config) {
		cfg.TokenURL, cfg.Issuer = "", asIssuer
		cfg.Auth = ccclient.PrivateKeyJWTFrom(func(ctx context.Context) (ccclient.Key, error) {
			got = ctx.Value(key{})
			return ccclient.Key{Signer: testKey(t, "ed25519.pem")}, nil
		}, ccclient.AssertionOptions{})
	}
	c := keyed(t, "ed25519.pem")
	c.ID = "client"
	inBubble(t, cctest.Options{Clients: []cctest.Registration{c}}, configure, func(t *testing.T, r *rig) {
		if _, err := r.Token(context.WithValue(t.Context(), key{}, "trace")); err != nil {
			t.Fatal(err)
		}
	})
	if got != "trace" {
		t.Errorf("the source was asked with %v", got)
	}
}
