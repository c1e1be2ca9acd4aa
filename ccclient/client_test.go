package ccclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestTokenIsGotKeptAndSpent(t *testing.T) {
	inBubble(t, cctest.Options{Lifetime: 100 * time.Second}, nil, func(t *testing.T, r *rig) {
		for range 10 {
			if status := r.call(); status != http.StatusOK {
				t.Fatalf("the resource answered %d", status)
			}
		}
		r.wantRequests(1)

		// Refreshed ahead of expiry, without a wait.
		time.Sleep(81 * time.Second)
		r.as.SetDelay(time.Second)
		first := r.token()
		r.wantRequests(2)
		time.Sleep(2 * time.Second)
		if r.token() == first {
			t.Error("the token was not refreshed")
		}

		// Revoked, healed by the retry.
		r.as.RevokeAll()
		if status := r.call(); status != http.StatusOK {
			t.Errorf("the resource answered %d to a caller whose token was revoked", status)
		}
		r.wantRequests(3)

		// An outage that nobody notices.
		r.as.SetDelay(0)
		r.as.SetDown(http.StatusServiceUnavailable)
		for range 95 {
			if status := r.call(); status != http.StatusOK {
				t.Fatalf("the resource answered %d", status)
			}
			time.Sleep(time.Second)
		}
		r.as.SetDown(0)
		time.Sleep(time.Minute)
		if status := r.call(); status != http.StatusOK {
			t.Errorf("after the outage the resource answered %d", status)
		}
	})
}

func TestExpiryCountsFromWhenTheRequestWasSent(t *testing.T) {
	inBubble(t, cctest.Options{Lifetime: time.Minute}, nil, func(t *testing.T, r *rig) {
		// From the attempt that brought the token, and from its beginning.
		r.as.FailNext(1, http.StatusServiceUnavailable, http.Header{"Retry-After": {"7"}})
		r.as.SetDelay(5 * time.Second)
		start := time.Now()
		tok, err := r.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sent := time.Now().Add(-5 * time.Second)
		if got := tok.Expiry.Sub(sent); got != time.Minute {
			t.Errorf("the token expires %v after the request was sent, want 1m", got)
		}
		if sent.Sub(start) < 7*time.Second || tok.ExpiresIn != 60 {
			t.Errorf("sent after %v, ExpiresIn %d", sent.Sub(start), tok.ExpiresIn)
		}
	})
}

func TestRetryAfterThatExceedsTheFetchIsTheCoolDown(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.as.FailNext(1, http.StatusTooManyRequests, http.Header{"Retry-After": {"120"}})
		for range 100 {
			_, err := r.Token(t.Context())
			e, ok := errors.AsType[*ccclient.Error](err)
			if !ok || e.StatusCode != http.StatusTooManyRequests || e.RetryAfter != 2*time.Minute {
				t.Fatalf("got %v, want the 429", err)
			}
			time.Sleep(time.Second)
		}
		r.wantRequests(1)
		time.Sleep(32 * time.Second)
		r.token()
		r.wantRequests(2)
	})
}

func TestWrongSecretIsTriedSeldom(t *testing.T) {
	configure := func(cfg *ccclient.Config) {
		cfg.Auth = ccclient.ClientSecretBasic(ccclient.SecretString("wrong"))
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		start := time.Now()
		for time.Since(start) < 10*time.Minute {
			if _, err := r.Token(t.Context()); !errors.Is(err, ccclient.InvalidClient) {
				t.Fatalf("got %v, want invalid_client", err)
			}
			time.Sleep(time.Second)
		}
		// 5, 10, 20, 40, 60, 60, ... s, up to a quarter less.
		if n := len(r.as.TokenRequests()); n < 12 || n > 18 {
			t.Errorf("%d token requests in 10 minutes", n)
		}
	})
}

func TestRefreshMakesItsTokenTheCurrentOne(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		first := r.token()
		tok, err := r.Refresh(t.Context())
		if err != nil || tok.AccessToken == first {
			t.Fatalf("Refresh gave %v, %v", tok, err)
		}
		if r.token() != tok.AccessToken {
			t.Error("what Refresh got is not the current token")
		}
	})
}

func TestTokenSourceReturnsTheCachedToken(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		source := r.TokenSource()
		tok, err := source.Token()
		if err != nil || tok.AccessToken != r.token() || !tok.Valid() {
			t.Errorf("got %v, %v", tok, err)
		}
		resp, err := (&http.Client{Transport: &oauth2.Transport{Source: source, Base: r.as.RoundTripper()}}).Get("https://as.example.com/jwks")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	})
}

func TestCloseEndsThoseThatForMadeToo(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		d := r.For(ccclient.Target{Scopes: []string{"a"}})
		if _, err := d.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil { // does nothing
			t.Error(err)
		}
		r.token()
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, c := range []*ccclient.Client{r.Client, d, r.For(ccclient.Target{Scopes: []string{"b"}})} {
			if _, err := c.Token(t.Context()); err != ccclient.ErrClosed {
				t.Errorf("Token after Close: %v", err)
			}
			if _, err := c.Refresh(t.Context()); err != ccclient.ErrClosed {
				t.Errorf("Refresh after Close: %v", err)
			}
		}
		if _, err := r.api.Get("https://api.example.com/"); !errors.Is(err, ccclient.ErrClosed) {
			t.Errorf("a call after Close: %v", err)
		}
		r.wantRequests(2)
	})
}

func TestCloseEndsTokenRequestUnderWay(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.as.SetDelay(20 * time.Second)
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() {
			if _, err := r.Token(t.Context()); err != ccclient.ErrClosed || time.Since(start) != time.Second {
				t.Errorf("got %v after %v, want ErrClosed after 1s", err, time.Since(start))
			}
		})
		time.Sleep(time.Second)
		r.Close()
		if time.Since(start) != time.Second {
			t.Errorf("Close took %v", time.Since(start)-time.Second)
		}
		wg.Wait()
	})
}

func TestAccessTokenIsTheTextOfToken(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		if text, err := r.AccessToken(t.Context()); err != nil || text != r.token() {
			t.Errorf("got %q, %v", text, err)
		}
		r.Close()
		if text, err := r.AccessToken(t.Context()); err != ccclient.ErrClosed || text != "" {
			t.Errorf("got %q, %v after Close", text, err)
		}
	})
}

var unreachable = roundTripper(
	func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
)

// stuck is an Auth that ignores its context.
func stuck(context.Context, ccclient.Request) (ccclient.Credentials, error) {
	time.Sleep(time.Hour)
	return ccclient.Credentials{}, errors.New("late")
}

func TestErrorsAreOfTypeErrorWithOnePrefix(t *testing.T) {
	for name, c := range map[string]struct {
		configure func(*ccclient.Config)
		target    ccclient.Target
	}{
		"refused":     {func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretPost(ccclient.SecretString("wrong")) }, ccclient.Target{}},
		"unreachable": {func(c *ccclient.Config) { c.HTTPClient = &http.Client{Transport: unreachable} }, ccclient.Target{}},
		"no metadata": {func(c *ccclient.Config) {
			c.TokenURL, c.Issuer, c.HTTPClient = "", "https://as.example.com", &http.Client{Transport: unreachable}
		}, ccclient.Target{}},
		"no secret":  {func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretPost(ccclient.SecretEnv("CCCLIENT_UNSET")) }, ccclient.Target{}},
		"bad target": {nil, ccclient.Target{Scopes: []string{"a b"}}},
		"panic": {func(c *ccclient.Config) {
			c.Auth = ccclient.AuthFunc(
				func(context.Context, ccclient.Request) (ccclient.Credentials, error) { panic("x") },
			)
		}, ccclient.Target{}},
		"stuck": {func(c *ccclient.Config) { c.Auth = ccclient.AuthFunc(stuck) }, ccclient.Target{}},
		"expired": {func(c *ccclient.Config) {
			c.HTTPClient = &http.Client{Transport: echo(200, "application/json", `{"access_token":"x","token_type":"bearer","expires_in":-1}`)}
		}, ccclient.Target{}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, c.configure, func(t *testing.T, r *rig) {
				d := r.For(c.target)
				_, errToken := d.Token(t.Context())
				_, errSource := d.TokenSource().Token()
				_, errText := d.AccessToken(t.Context())
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour+time.Minute)
				defer cancel()
				_, errRefresh := d.Refresh(ctx)
				for of, err := range map[string]error{
					"Token": errToken, "TokenSource": errSource, "AccessToken": errText, "Refresh": errRefresh,
				} {
					if _, ok := err.(*ccclient.Error); !ok {
						t.Errorf("%s: a %T: %v", of, err, err)
						continue
					}
					text := err.Error()
					if !strings.HasPrefix(text, "ccclient: ") || strings.Count(text, "ccclient: ") != 1 ||
						strings.Contains(text, "cache: ") {
						t.Errorf("%s: %q", of, text)
					}
				}
				time.Sleep(time.Hour) // until what is stuck has come back
			})
		})
	}
}

func TestErrorOfTheCallersContextSaysSo(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.as.SetDelay(5 * time.Second)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("a cause"))
		defer cancel()
		const want = "ccclient: gave up waiting for a token from as.example.com: context deadline exceeded"
		for _, token := range []func(context.Context) (string, error){
			r.AccessToken, r.For(ccclient.Target{Audience: "x"}).AccessToken,
		} {
			_, err := token(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if _, err := r.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) ||
			!strings.HasPrefix(err.Error(), "ccclient: ") {
			t.Errorf("Refresh: %v", err)
		}
	})
}

func TestClientThatNewDidNotMakeSaysSo(t *testing.T) {
	for _, c := range []*ccclient.Client{nil, new(ccclient.Client)} {
		_, errToken := c.Token(t.Context())
		_, errText := c.AccessToken(t.Context())
		_, errRefresh := c.Refresh(t.Context())
		_, errSource := c.TokenSource().Token()
		_, errFor := c.For(ccclient.Target{Scopes: []string{"a"}}).Token(t.Context())
		_, errCall := c.HTTPClient().Get("https://api.example.com/")
		_, errBase := (&http.Client{Transport: c.Transport(roundTripper(nil))}).Get("https://api.example.com/")
		for i, err := range []error{errToken, errText, errRefresh, errSource, errFor, errCall, errBase, c.Close()} {
			if err == nil || !strings.Contains(err.Error(), "made by ccclient.New") {
				t.Errorf("%d: got %v", i, err)
			}
		}
		c.Invalidate(&oauth2.Token{AccessToken: "x"})
		if text := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(text, "PANIC") {
			t.Errorf("printed as %s", text)
		}
		slog.New(slog.NewTextHandler(io.Discard, nil)).Info("x", "client", c)
	}
}

func TestPrintedClientSaysWhoseItIsAndWhatFor(t *testing.T) {
	cfg := good()
	cfg.TokenURL += "?key=canary"
	cfg.Scopes, cfg.EndpointParams = []string{"read"}, url.Values{"tenant": {"canary"}}
	c, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := `ccclient.Client{ClientID: "id", Server: "as.example.com", Target: ccclient.Target{Scopes: ["read"], Audience: "", Resources: [], EndpointParams: ["tenant"], Label: "orders"}}`
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, c.For(ccclient.Target{Label: "orders"})); got != want {
			t.Errorf("%s: %s, want %s", verb, got, want)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "client", c)
	if got := log.String(); !strings.Contains(got, `"client_id":"id","server":"as.example.com"`) || strings.Contains(got, "canary") {
		t.Errorf("logged as %s", got)
	}
	cfg.TokenURL, cfg.Issuer = "", "https://as.example.com/tenant"
	byIssuer, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer byIssuer.Close()
	if got := fmt.Sprint(byIssuer); !strings.Contains(got, `Server: "https://as.example.com/tenant"`) {
		t.Error(got)
	}
}

type ctxKey struct{}

func TestContextValuesReachAuthAndRequest(t *testing.T) {
	seen := 0
	configure := func(cfg *ccclient.Config) {
		inner, transport := cfg.Auth, cfg.HTTPClient.Transport
		cfg.Auth = ccclient.AuthFunc(func(ctx context.Context, r ccclient.Request) (ccclient.Credentials, error) {
			if ctx.Value(ctxKey{}) == "trace" {
				seen++
			}
			return inner.Authenticate(ctx, r)
		})
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Context().Value(ctxKey{}) == "trace" {
				seen++
			}
			return transport.RoundTrip(r)
		})}
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		if _, err := r.Token(context.WithValue(t.Context(), ctxKey{}, "trace")); err != nil || seen != 2 {
			t.Errorf("%v; %d places see the caller's value, want 2", err, seen)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLivingTokenOutlivesFailingSecret(t *testing.T) {
	var fail error
	configure := func(cfg *ccclient.Config) {
		cfg.Auth = ccclient.ClientSecretBasic(
			func(context.Context) (string, error) { return cctest.DefaultClientSecret, fail },
		)
	}
	inBubble(t, cctest.Options{Lifetime: time.Hour}, configure, func(t *testing.T, r *rig) {
		first := r.token()
		fail = errors.New("vault is sealed")
		for range 59 {
			time.Sleep(time.Minute)
			if r.token() != first {
				t.Fatal("another token")
			}
		}
		time.Sleep(time.Minute)
		if _, err := r.Token(t.Context()); err == nil || !strings.Contains(err.Error(), "vault is sealed") {
			t.Errorf("got %v, want the secret's error", err)
		}
		fail = nil
		time.Sleep(time.Second) // as soon as the source works again
		r.token()
		r.wantRequests(2)
	})
}

func TestSameTokenAgainAfterItsRejectionDoesNotLoop(t *testing.T) {
	inBubble(t, cctest.Options{RepeatToken: true}, nil, func(t *testing.T, r *rig) {
		r.token()
		r.as.RevokeAll()
		for range 100 {
			if status := r.call(); status != http.StatusUnauthorized {
				t.Fatalf("the resource answered %d", status)
			}
			time.Sleep(10 * time.Millisecond)
		}
		r.wantRequests(2)
	})
}

func TestParametersAreThoseOfTheConfig(t *testing.T) {
	configure := func(cfg *ccclient.Config) {
		cfg.TokenURL = asTokenURL + "?tenant=7"
		cfg.Scopes = []string{"b", "a"}
		cfg.Audience = "https://api.example.com"
		cfg.Resources = []string{"https://r1.example.com", "urn:r2"}
		cfg.EndpointParams = map[string][]string{"organization": {"org"}, "x": {"1", ""}}
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.token()
		form := r.as.TokenRequests()[0].Form
		for name, want := range map[string]string{
			"grant_type": "client_credentials", "scope": "b a", "audience": "https://api.example.com",
			"resource": "https://r1.example.com urn:r2", "organization": "org", "x": "1",
		} {
			if got := strings.Join(form[name], " "); got != want {
				t.Errorf("%s = %q, want %q", name, got, want)
			}
		}
		if len(form) != 6 {
			t.Errorf("the form has %d parameters: %v", len(form), form)
		}
	})
}
