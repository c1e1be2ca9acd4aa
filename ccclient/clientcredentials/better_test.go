package clientcredentials_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
)

// numbered grants t1, t2, … for an hour, and answers API requests with what api returns for their token.
func numbered(api func(token string) int) *server {
	n := 0
	return &server{answer: func(req *http.Request, _ url.Values) (int, http.Header, string) {
		if req.URL.Host != "as.example" {
			return api(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")), nil, "{}"
		}
		n++
		return http.StatusOK, nil, fmt.Sprintf(`{"access_token":"t%d","token_type":"bearer","expires_in":3600}`, n)
	}}
}

func fine(string) int { return http.StatusOK }

func TestTokenIsRefreshedAheadOfItsExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(fine)
		ts := usual().ours().TokenSource(s.with(t.Context()))
		for _, want := range []string{"t1", "t1", "t1", "t2"} {
			tok, err := ts.Token()
			if err != nil || tok.AccessToken != want {
				t.Fatalf("%v, %v; want %s", tok, err, want)
			}
			synctest.Wait()
			time.Sleep(25 * time.Minute)
		}
	})
}

func TestFailureCoolsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := refusing(http.StatusInternalServerError, "")
		ts := usual().ours().TokenSource(s.with(t.Context()))
		for range 10 {
			if _, err := ts.Token(); err == nil {
				t.Error("no error")
			}
		}
		if n := len(s.requests()); n != 3 {
			t.Errorf("%d token requests, want the three attempts of the first call", n)
		}
	})
}

func TestServerErrorIsTriedInBothStyles(t *testing.T) {
	for _, body := range []string{"", `{"error":"server_error"}`, `{"error":"invalid_client"}`} {
		synctest.Test(t, func(t *testing.T) {
			f := usual()
			f.AuthStyle = oauth2.AuthStyleAutoDetect
			s := &server{answer: func(_ *http.Request, form url.Values) (int, http.Header, string) {
				if form.Has("client_id") {
					return http.StatusOK, nil, good
				}
				return http.StatusInternalServerError, nil, body
			}}
			conf := f.ours()
			for range 2 {
				if _, err := conf.Token(s.with(t.Context())); err != nil {
					t.Errorf("%q: %v", body, err)
				}
			}
			if n := len(s.requests()); n != 3 {
				t.Errorf("%q: %d token requests, want one in the header and two in the form", body, n)
			}
		})
	}
}

func TestRejectedRequestIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(func(token string) int {
			if token == "t1" {
				return http.StatusUnauthorized
			}
			return http.StatusOK
		})
		r := &run{}
		call(r, usual().ours().Client(s.with(t.Context())))
		if r.seen[0] != "200" || len(s.requests()) != 4 {
			t.Error(r.seen)
		}
	})
}

func TestOneRetryIsAllThatConfigureLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := refusing(http.StatusInternalServerError, "")
		conf := usual().ours()
		conf.Configure = func(c *ccclient.Config) { c.Retry.MaxAttempts = 1 }
		if _, err := conf.Token(s.with(t.Context())); err == nil {
			t.Error("no error")
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestStepUpIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answer: func(req *http.Request, form url.Values) (int, http.Header, string) {
			if req.URL.Host == "as.example" {
				token := strings.ReplaceAll(form.Get("scope"), " ", "-")
				return http.StatusOK, nil, fmt.Sprintf(`{"access_token":%q,"expires_in":3600}`, token)
			}
			if strings.Contains(req.Header.Get("Authorization"), "write") {
				return http.StatusOK, nil, "{}"
			}
			lacking := http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="write"`}}
			return http.StatusForbidden, lacking, "{}"
		}}
		f := usual()
		f.Scopes = []string{"a"}
		conf := f.ours()
		conf.Configure = func(cfg *ccclient.Config) { cfg.StepUp = true }
		client := conf.Client(s.with(t.Context()))
		for range 3 {
			resp, err := client.Get(apiURL)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("answered with %d", resp.StatusCode)
			}
		}
		if got := s.requests(); len(got) != 6 { // two token requests, one challenge, three answers
			t.Errorf("%d requests: %q", len(got), got)
		}
	})
}

func TestCallersOwnAuthorizationStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(fine)
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, apiURL, nil)
		req.Header.Set("Authorization", "Basic mine")
		resp, err := usual().ours().Client(s.with(t.Context())).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := s.requests(); len(got) != 1 || !strings.HasPrefix(got[0], "Basic mine ") {
			t.Error(got)
		}
	})
}

func redirecting(status int, host string) *server {
	return &server{answer: func(req *http.Request, _ url.Values) (int, http.Header, string) {
		if req.URL.Host == host {
			return status, http.Header{"Location": {"https://elsewhere.example/"}}, ""
		}
		return http.StatusOK, nil, good
	}}
}

func TestRedirectTakesTheTokenNowhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := redirecting(http.StatusTemporaryRedirect, "api.example")
		r := &run{}
		call(r, usual().ours().Client(s.with(t.Context())))
		got := s.requests()
		if r.seen[0] != "200" || len(got) != 3 || got[2] != " elsewhere.example " {
			t.Error(r.seen, got)
		}
	})
}

func TestRedirectTakesTheSecretNowhere(t *testing.T) {
	for _, style := range []oauth2.AuthStyle{
		oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := redirecting(http.StatusTemporaryRedirect, "as.example")
			f := usual()
			f.AuthStyle = style
			_, err := f.ours().Token(s.with(t.Context()))
			if err == nil || !strings.Contains(err.Error(), "elsewhere.example") || len(s.requests()) != 1 {
				t.Error(err)
			}
		})
	}
}

func TestRequestWaitsOnItsOwnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(fine)
		ctx, cancel := context.WithCancel(s.with(t.Context()))
		c := usual().ours().Client(ctx)
		cancel()
		r := &run{}
		call(r, c)
		if r.seen[0] != "200" {
			t.Error(r.seen)
		}
	})
}

func TestUnknownTokenTypeIsNotSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := granting(`{"access_token":"t","token_type":"mac"}`)
		_, err := usual().ours().Client(s.with(t.Context())).Get(apiURL)
		if !errors.Is(err, transport.ErrTokenType) || len(s.requests()) != 1 {
			t.Error(err)
		}
	})
}

func TestShortLivedTokenIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := granting(`{"access_token":"t","expires_in":8}`)
		ts := usual().ours().TokenSource(s.with(t.Context()))
		for range 5 {
			if _, err := ts.Token(); err != nil {
				t.Error(err)
			}
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestPlainHTTPIsRefusedWithTheRemedy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := granting(good)
		f := usual()
		f.TokenURL = "http://as.example/token"
		conf := f.ours()
		_, err := conf.Token(s.with(t.Context()))
		_, err2 := conf.TokenSource(s.with(t.Context())).Token()
		_, err3 := conf.Client(s.with(t.Context())).Get(apiURL)
		for _, err := range []error{err, err2, err3} {
			if err == nil || !strings.Contains(err.Error(), "Configure: func(c *ccclient.Config) { c.InsecureHTTP = true }") {
				t.Error(err)
			}
		}
		if len(s.requests()) != 0 {
			t.Error("it was sent")
		}
		conf.Configure = func(c *ccclient.Config) { c.InsecureHTTP = true }
		if _, err := conf.Token(s.with(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorsAreOfBothPackagesAndHoldNoSecret(t *testing.T) {
	for _, style := range []oauth2.AuthStyle{
		oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{answer: func(req *http.Request, form url.Values) (int, http.Header, string) {
				repeated := secret + req.Header.Get("Authorization") + form.Encode()
				body := `{"error":"invalid_client","error_description":"` + repeated + `","more":"` + strings.Repeat("x", 1<<16) + `"}`
				return http.StatusUnauthorized, http.Header{"X-Echo": {repeated}, "Set-Cookie": {"a=b"}}, body
			}}
			f := usual()
			f.AuthStyle = style
			conf := f.ours()
			_, err := conf.TokenSource(s.with(t.Context())).Token()
			if !errors.Is(err, ccclient.InvalidClient) {
				t.Error(err)
			}
			if _, ok := errors.AsType[*ccclient.Error](err); !ok {
				t.Errorf("%T", err)
			}
			e, ok := errors.AsType[*oauth2.RetrieveError](err)
			if !ok || len(e.Body) == 0 || len(e.Body) > 8<<10 || e.Response.Header.Get("Set-Cookie") != "" {
				t.Fatalf("%T, %t", err, ok)
			}
			shown := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %v", err, err, e, e.Body, e.Response.Header, conf, *conf, e)
			if strings.Contains(shown, secret) || strings.Contains(shown, "Y2xpZW50") {
				t.Error(shown)
			}
		})
	}
}

func TestCallersShareOneRequestAndCopiesAStyle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := picky(oauth2.AuthStyleInParams, http.StatusUnauthorized)
		f := usual()
		f.AuthStyle = oauth2.AuthStyleAutoDetect
		conf := f.ours()
		ctx := s.with(t.Context())
		ts, c := conf.TokenSource(ctx), conf.Client(ctx)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := ts.Token(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(s.requests()); n != 2 {
			t.Errorf("%d token requests, want one of each style", n)
		}
		copied := *conf
		if _, err := copied.Token(ctx); err != nil || len(s.requests()) != 1 {
			t.Errorf("the copy asked anew: %v", err)
		}
		for range 100 {
			wg.Go(func() {
				if resp, err := c.Get(apiURL); err != nil {
					t.Error(err)
				} else {
					resp.Body.Close()
				}
			})
		}
		wg.Wait()
		if n := len(s.requests()); n != 101 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestCachedTokenCostsNoAllocation(t *testing.T) {
	ts := usual().ours().TokenSource(granting(good).with(t.Context()))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ts.Token(); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The RoundTripper is what everything of a source leads to: once that is garbage, all is.
func TestNothingIsLeftOfWhatTheProgramForgets(t *testing.T) {
	forgotten := func() weak.Pointer[server] {
		s := numbered(fine)
		conf, ctx := usual().ours(), s.with(t.Context())
		if _, err := conf.TokenSource(ctx).Token(); err != nil {
			t.Error(err)
		}
		call(&run{}, conf.Client(ctx))
		if _, err := conf.Token(ctx); err != nil {
			t.Error(err)
		}
		return weak.Make(s)
	}()
	deadline := time.Now().Add(30 * time.Second)
	for forgotten.Value() != nil {
		if time.Now().After(deadline) {
			t.Fatal("it is still referred to")
		}
		runtime.GC()
		runtime.Gosched()
	}
}

func TestKeepFreshEndsWithItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := numbered(fine)
		conf := usual().ours()
		conf.Configure = func(c *ccclient.Config) { c.Cache.KeepFresh = true }
		ts := conf.TokenSource(s.with(t.Context()))
		if _, err := ts.Token(); err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Hour)
		if n := len(s.requests()); n < 3 {
			t.Errorf("%d token requests in three hours", n)
		}
		runtime.KeepAlive(ts)
		ts = nil
		for range 3 {
			runtime.GC()
		}
		time.Sleep(3 * time.Hour)
		if n := len(s.requests()); n != 0 {
			t.Errorf("%d token requests for a source that nobody has", n)
		}
	})
}
