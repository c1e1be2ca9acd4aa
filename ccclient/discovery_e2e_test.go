package ccclient_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A road is the way to an authorization server: it notes what passes, and may
// answer in the server's place.
type road struct {
	mu      sync.Mutex // guards what follows
	passed  []string
	instead func(*http.Request) (*http.Response, error) // nil, or nil and nil: let it pass
}

// found configures a client that has nothing but the issuer to go by.
func (d *road) found(issuer string) func(*ccclient.Config) {
	return func(cfg *ccclient.Config) {
		as := cfg.HTTPClient.Transport
		cfg.TokenURL, cfg.Issuer = "", issuer
		cfg.HTTPClient.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			d.mu.Lock()
			d.passed = append(d.passed, r.Method+" "+r.URL.String())
			instead := d.instead
			d.mu.Unlock()
			if instead != nil {
				if resp, err := instead(r); resp != nil || err != nil {
					return resp, err
				}
			}
			return as.RoundTrip(r)
		})
	}
}

func (d *road) answer(instead func(*http.Request) (*http.Response, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.instead = instead
}

// log gives what has passed since it was asked last.
func (d *road) log() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	passed := d.passed
	d.passed = nil
	return passed
}

func (d *road) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := d.log(); !slices.Equal(got, want) {
		t.Errorf("requests %q, want %q", got, want)
	}
}

func metadataRequests(passed []string) (n int) {
	for _, request := range passed {
		if strings.HasPrefix(request, "GET ") {
			n++
		}
	}
	return n
}

func status(code int) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody}, nil
	}
}

// answer answers with a body.
func answer(code int, kind, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: code, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

// only answers requests for one kind of thing, and lets others pass.
func only(part string, answer func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		if !strings.Contains(r.URL.Path, part) {
			return nil, nil
		}
		return answer(r)
	}
}

const (
	oauthPlace    = "GET https://as.example.com/.well-known/oauth-authorization-server/tenant"
	insertedPlace = "GET https://as.example.com/.well-known/openid-configuration/tenant"
	openIDPlace   = "GET https://as.example.com/tenant/.well-known/openid-configuration"
)

func TestIssuerAloneIsEnough(t *testing.T) {
	var d road
	inBubble(t, cctest.Options{}, d.found(asIssuer+"/tenant"), func(t *testing.T, r *rig) {
		d.want(t) // New asked nothing
		for range 3 {
			if status := r.call(); status != http.StatusOK {
				t.Errorf("the resource answered %d", status)
			}
		}
		d.want(t, oauthPlace, "POST https://as.example.com/tenant/token")
		if _, err := r.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		d.want(t, "POST https://as.example.com/tenant/token")
	})
	inBubble(t, cctest.Options{}, d.found(asIssuer+"/tenant"), func(t *testing.T, r *rig) {
		d.answer(only("oauth-authorization-server", status(http.StatusNotFound)))
		r.token()
		d.want(t, oauthPlace, insertedPlace, "POST https://as.example.com/tenant/token")
	})
}

func TestMetadataOfAnotherIssuerAreNotUsed(t *testing.T) {
	var d road
	inBubble(t, cctest.Options{Issuer: "https://as.example.com/"}, d.found(asIssuer), func(t *testing.T, r *rig) {
		for range 60 {
			_, err := r.Token(t.Context())
			if _, ok := errors.AsType[*ccclient.Error](err); !ok || !strings.Contains(err.Error(), `"https://as.example.com/"`) || !strings.HasPrefix(err.Error(), "ccclient: ") {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		passed := d.log()
		if n := metadataRequests(passed); n != len(passed) || n > 2*6 {
			t.Errorf("in a minute: %q", passed)
		}
	})
}

func TestUnlistedMethodIsAnErrorThatNamesThoseListed(t *testing.T) {
	var d road
	var methods atomic.Value
	methods.Store([]string{"private_key_jwt", "tls_client_auth"})
	o := cctest.Options{Metadata: func(members map[string]any) {
		members["token_endpoint_auth_methods_supported"] = methods.Load()
	}}
	inBubble(t, o, d.found(asIssuer), func(t *testing.T, r *rig) {
		_, err := r.Token(t.Context())
		if err == nil || !strings.Contains(err.Error(), "Auth: ") || !strings.Contains(err.Error(), "does not support client_secret_basic, but private_key_jwt, tls_client_auth") {
			t.Fatalf("got %v", err)
		}
		r.wantRequests(0)
		// The server learns: that takes the client a minute, not the hour
		// that metadata are good for.
		methods.Store([]string{"client_secret_basic"})
		for range 90 {
			if _, err = r.Token(t.Context()); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		r.wantRequests(1)
		if n := metadataRequests(d.log()); n > 5 {
			t.Errorf("%d metadata requests", n)
		}
	})
}

func TestTokenEndpointThatMovedIsFoundAgainAtOnceAndOnce(t *testing.T) {
	gone := map[string]func(*http.Request) (*http.Response, error){
		"not found":    status(http.StatusNotFound),
		"gone":         status(http.StatusGone),
		"an empty 401": status(http.StatusUnauthorized),
		"no POST here": status(http.StatusMethodNotAllowed),
		"a redirect":   status(http.StatusPermanentRedirect),
		"a 401 in JSON": answer(http.StatusUnauthorized, "application/json",
			`{"status":401,"error":"Unauthorized","path":"/old/token"}`),
		"a 404 in JSON": answer(http.StatusNotFound, "application/json",
			`{"error":"Unable to find matching target resource method","error_description":"See the log."}`),
		"an empty 403": status(http.StatusForbidden),
		"a page":       answer(http.StatusOK, "text/html", "<html>Welcome"),
		"another's certificate": func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{
				Err: x509.HostnameError{Certificate: new(x509.Certificate), Host: "as.example.com"},
			}
		},
	}
	for name, answer := range gone {
		t.Run(name, func(t *testing.T) {
			var d road
			var place atomic.Value
			place.Store("/old/token")
			o := cctest.Options{Lifetime: 100 * time.Second, Metadata: func(members map[string]any) {
				members["token_endpoint"] = asIssuer + place.Load().(string)
			}}
			inBubble(t, o, d.found(asIssuer), func(t *testing.T, r *rig) {
				r.token()
				d.log()
				place.Store("/new/token")
				d.answer(only("/old/", answer))
				time.Sleep(4 * time.Minute) // for so long they are good
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						if _, err := r.Token(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				d.want(t, "POST https://as.example.com/old/token", "GET https://as.example.com/.well-known/oauth-authorization-server", "POST https://as.example.com/new/token")
			})
		})
	}
}

func TestTokenEndpointThatIsGoneForGoodCausesNoStorm(t *testing.T) {
	var d road
	d.answer(only("/token", status(http.StatusNotFound)))
	inBubble(t, cctest.Options{}, d.found(asIssuer), func(t *testing.T, r *rig) {
		for range 600 {
			if _, err := r.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "no token endpoint at this address: check the token_endpoint in the metadata of Issuer") {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		passed := d.log()
		if n := metadataRequests(passed); n > 20 || len(passed)-n > 20 {
			t.Errorf("%d requests in 10 minutes, %d of them for metadata", len(passed), n)
		}
	})
}

func TestOutageOfMetadataIsHarmlessOnceTheyWereThere(t *testing.T) {
	var d road
	inBubble(t, cctest.Options{Lifetime: 10 * time.Minute}, d.found(asIssuer), func(t *testing.T, r *rig) {
		r.token()
		hang := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}
		for _, outage := range []func(*http.Request) (*http.Response, error){
			status(http.StatusServiceUnavailable), hang,
		} {
			d.answer(only(".well-known", outage))
			for range 3 * 60 {
				time.Sleep(time.Minute)
				if status := r.call(); status != http.StatusOK {
					t.Fatalf("the resource answered %d", status)
				}
			}
		}
	})
}

func TestMetadataThatCannotBeHadAtFirstAreAskedForAgain(t *testing.T) {
	var d road
	fails := 2
	d.answer(only(".well-known", func(r *http.Request) (*http.Response, error) {
		if fails--; fails >= 0 {
			return nil, errors.New("connection refused")
		}
		return nil, nil
	}))
	inBubble(t, cctest.Options{}, d.found(asIssuer), func(t *testing.T, r *rig) {
		if _, err := r.Token(t.Context()); err != nil {
			t.Error(err)
		}
		r.wantRequests(1)
	})
	d.answer(status(http.StatusServiceUnavailable))
	inBubble(t, cctest.Options{}, d.found(asIssuer), func(t *testing.T, r *rig) {
		d.log()
		for range 60 {
			_, err := r.Token(t.Context())
			if err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "discovery") {
				t.Fatalf("got %v", err)
			}
			time.Sleep(time.Second)
		}
		if n := len(d.log()); n > 60 {
			t.Errorf("%d requests in a minute", n)
		}
		d.answer(nil)
		time.Sleep(10 * time.Second)
		r.token()
	})
}

func TestDiscoveryAndTokenRequestsShareTheAttempts(t *testing.T) {
	for name, test := range map[string]struct {
		metadata, token int // how many requests for each fail before one is answered
		want            int // attempts in the error; 0: a token comes
	}{
		"each once":       {1, 1, 0},
		"metadata twice":  {2, 0, 0},
		"both once more":  {1, 2, 3},
		"metadata always": {99, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			var d road
			d.answer(func(r *http.Request) (*http.Response, error) {
				left := &test.token
				if strings.Contains(r.URL.Path, ".well-known") {
					left = &test.metadata
				}
				if *left--; *left >= 0 {
					return nil, errors.New("connection refused")
				}
				return nil, nil
			})
			inBubble(t, cctest.Options{}, d.found(asIssuer), func(t *testing.T, r *rig) {
				_, err := r.Token(t.Context())
				e, failed := errors.AsType[*ccclient.Error](err)
				if failed != (test.want > 0) || failed && e.Attempts != test.want {
					t.Errorf("want %d attempts: %v", test.want, err)
				}
			})
		})
	}
}

func TestThousandColdCallersAskForMetadataAndTokenOnce(t *testing.T) {
	var d road
	slow := func(r *http.Request) (*http.Response, error) {
		time.Sleep(100 * time.Millisecond)
		return nil, nil
	}
	d.answer(slow)
	inBubble(t, cctest.Options{}, d.found(asIssuer), func(t *testing.T, r *rig) {
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				c := r.Client
				if i%10 == 0 {
					c = r.For(ccclient.Target{Scopes: []string{"other"}})
				}
				if _, err := c.Token(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		passed := d.log()
		if n := metadataRequests(passed); n != 1 || len(passed) != 3 {
			t.Errorf("requests %q, want one for metadata and one for each of two tokens", passed)
		}
		// Metadata, the first token of the client, the others.
		if took := time.Since(start); took > 310*time.Millisecond {
			t.Errorf("they waited %v", took)
		}
	})
}

func TestCloseEndsADiscovery(t *testing.T) {
	var d road
	d.answer(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	})
	inBubble(t, cctest.Options{}, d.found(asIssuer), func(t *testing.T, r *rig) {
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.Token(t.Context()); !errors.Is(err, ccclient.ErrClosed) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		start := time.Now()
		r.Close()
		wg.Wait()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close took %v", took)
		}
	})
}
