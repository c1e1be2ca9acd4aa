package ccclient_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestATokenIsGotKeptAndSpent(t *testing.T) {
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

func TestTheExpiryCountsFromWhenTheRequestWasSent(t *testing.T) {
	inBubble(t, cctest.Options{Lifetime: time.Minute}, nil, func(t *testing.T, r *rig) {
		start := time.Now()
		r.as.SetDelay(5 * time.Second)
		tok, err := r.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Expiry.Sub(start); got != time.Minute {
			t.Errorf("the token expires %v after the request was sent, want 1m", got)
		}
	})
}

func TestTheExpiryCountsFromTheAttemptThatBroughtTheToken(t *testing.T) {
	inBubble(t, cctest.Options{Lifetime: time.Minute}, nil, func(t *testing.T, r *rig) {
		r.as.FailNext(1, http.StatusServiceUnavailable, http.Header{"Retry-After": {"7"}})
		start := time.Now()
		tok, err := r.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := tok.Expiry.Sub(start); got < 67*time.Second {
			t.Errorf("the token expires %v after the first attempt, want a minute after the second", got)
		}
		if tok.Expiry.IsZero() || tok.ExpiresIn != 60 {
			t.Errorf("Expiry %v, ExpiresIn %d", tok.Expiry, tok.ExpiresIn)
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

func TestAWrongSecretIsAskedForSeldom(t *testing.T) {
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

func TestFetchGetsANewTokenAndMakesItTheCurrentOne(t *testing.T) {
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

func TestTokenSourceGivesTheCachedToken(t *testing.T) {
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

func TestCloseEndsAClientAndThoseMadeOfIt(t *testing.T) {
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

func TestCloseEndsATokenRequestUnderWay(t *testing.T) {
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

type ctxKey struct{}

func TestValuesOfTheCallersContextReachAuthAndRequest(t *testing.T) {
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

func TestATokenThatIsStillAliveOutlivesAFailingSecret(t *testing.T) {
	var fail error
	configure := func(cfg *ccclient.Config) {
		cfg.Auth = ccclient.ClientSecretBasic(func(context.Context) (string, error) { return cctest.DefaultClientSecret, fail })
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

func TestTheSameTokenAgainAfterARejectionDoesNotLoop(t *testing.T) {
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

func TestARequestsParametersAreThoseOfTheConfig(t *testing.T) {
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
