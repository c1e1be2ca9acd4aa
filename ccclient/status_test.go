package ccclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// status is that of the client's own token.
func (r *rig) status() ccclient.TokenStatus {
	r.t.Helper()
	synctest.Wait()
	all := r.Status()
	if len(all) == 0 {
		r.t.Fatal("no status")
	}
	return all[0]
}

func TestStatusFollowsTokensThroughTheirLives(t *testing.T) {
	configure := func(c *ccclient.Config) { c.Cache.RefreshAt, c.Retry.MaxAttempts = 0.5, 1 }
	inBubble(t, cctest.Options{Lifetime: time.Hour}, configure, func(t *testing.T, r *rig) {
		began := time.Now()
		if s := r.status(); s.State != cache.StateNone || s.Fetching || s.Counts != (ccclient.Counts{}) {
			t.Errorf("at first: %+v", s)
		}
		r.as.SetDelay(time.Second)
		go r.Token(t.Context())
		if s := r.status(); s.State != cache.StateNone || !s.Fetching {
			t.Errorf("while it is asked for: %+v", s)
		}
		time.Sleep(time.Second)
		s := r.status()
		if s.State != cache.StateFresh || s.Fetching || !s.Obtained.Equal(began) ||
			!s.Expiry.Equal(began.Add(time.Hour)) || s.Refresh.Before(began.Add(27*time.Minute)) ||
			s.Refresh.After(began.Add(30*time.Minute)) || s.Counts.Fetches != 1 {
			t.Errorf("fresh: %+v", s)
		}
		time.Sleep(time.Until(s.Refresh))
		if s := r.status(); s.State != cache.StateStale || s.Fetching {
			t.Errorf("stale: %+v", s)
		}
		r.as.SetDown(503)
		r.Token(t.Context())
		if s := r.status(); s.State != cache.StateStale || !s.Fetching || !s.Refresh.IsZero() {
			t.Errorf("while it is refreshed: %+v", s)
		}
		time.Sleep(time.Second)
		now := time.Now()
		s = r.status()
		if s.State != cache.StateStale || s.Fetching || !s.CoolDown.After(now) || s.InARow != 1 || !s.Shared ||
			!s.Temporary || !s.Since.Equal(now) || !s.FailedAt.Equal(now) ||
			!strings.HasPrefix(s.LastError, `token request of client "client" to as.example.com answered with 503`) ||
			s.Counts.Failures != 1 {
			t.Errorf("after a failure: %+v", s)
		}
		time.Sleep(time.Until(began.Add(time.Hour - 5*time.Second)))
		if s := r.status(); s.State != cache.StateExpiring || !s.CoolDown.IsZero() || s.LastError == "" {
			t.Errorf("expiring: %+v", s)
		}
		time.Sleep(5 * time.Second)
		if s := r.status(); s.State != cache.StateNone || !s.Expiry.IsZero() || !s.Obtained.IsZero() {
			t.Errorf("expired: %+v", s)
		}
		r.as.SetDown(0)
		r.Token(t.Context())
		if s := r.status(); s.State != cache.StateFresh || s.LastError != "" || s.InARow != 0 {
			t.Errorf("at last: %+v", s)
		}
		r.Invalidate(must(r.Token(t.Context())))
		if s := r.status(); s.State != cache.StateNone || s.Counts.Rejected != 1 {
			t.Errorf("rejected: %+v", s)
		}
	})
}

func TestTokensFromMemoryAreCountedWhereThatIsRead(t *testing.T) {
	read := func(*ccclient.Client) func() { return nil }
	deaf := new(tracer).trace()
	deaf.Client = nil
	for name, test := range map[string]struct {
		configure func(*ccclient.Config)
		want      uint64
	}{
		"nobody reads":               {nil, 0},
		"a trace that does not read": {func(c *ccclient.Config) { c.Trace = deaf }, 0},
		"a trace that reads":         {func(c *ccclient.Config) { c.Trace = &ccclient.Trace{Client: read} }, 7},
		"asked for":                  {func(c *ccclient.Config) { c.Cache.CountServed = true }, 7},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, test.configure, func(t *testing.T, r *rig) {
				for range 8 {
					r.token()
				}
				if n := r.status().Counts.Served; n != test.want {
					t.Errorf("%d, want %d", n, test.want)
				}
			})
		})
	}
}

func TestStatusListsWhatForMadeInOrderAndEachTokenOnce(t *testing.T) {
	configure := func(c *ccclient.Config) { c.Scopes = []string{"own"} }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.For(ccclient.Target{Label: "b", Audience: "https://b.example"})
		r.For(ccclient.Target{Audience: "https://c.example", EndpointParams: url.Values{"tenant": {"canary"}}})
		r.For(ccclient.Target{Label: "b", Audience: "https://a.example", Resources: []string{"https://r.example"}})
		r.For(ccclient.Target{Scopes: []string{"own"}})
		all := r.Status()
		var got []string
		for _, s := range all {
			got = append(got, s.Label+" "+s.Audience+" "+strings.Join(s.Params, ","))
		}
		want := "  | https://c.example tenant|b https://a.example |b https://b.example "
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q, want %q", s, want)
		}
		data, err := json.Marshal(all)
		if err != nil || strings.Contains(string(data), "canary") {
			t.Errorf("%s, %v", data, err)
		}
		derived := r.For(ccclient.Target{Audience: "https://b.example"})
		if own := derived.Status(); len(own) != 1 || own[0].Label != "b" {
			t.Errorf("of a derived client: %+v", own)
		}
		if n := len(r.as.TokenRequests()); n != 0 {
			t.Errorf("%d token requests", n)
		}
	})
	if s := new(ccclient.Client).Status(); s != nil {
		t.Errorf("of no client: %+v", s)
	}
}

func TestReadyAsksNobodyWhileATokenLives(t *testing.T) {
	inBubble(t, cctest.Options{Lifetime: time.Hour}, nil, func(t *testing.T, r *rig) {
		if err := r.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.as.SetDown(503)
		time.Sleep(time.Hour - time.Second)
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		r.wantRequests(1)
	})
}

func TestReadySaysWhyNotAndSinceWhen(t *testing.T) {
	configure := func(c *ccclient.Config) { c.Retry.MaxAttempts = 1 }
	inBubble(t, cctest.Options{Lifetime: time.Hour}, configure, func(t *testing.T, r *rig) {
		r.as.SetDown(503)
		r.Ready(t.Context())
		time.Sleep(30 * time.Second)
		err := r.Ready(t.Context())
		e, ok := errors.AsType[*ccclient.Error](err)
		if !ok || e.StatusCode != 503 {
			t.Fatalf("%v", err)
		}
		want := `ccclient: not ready: no token since 2000-01-01T00:00:00Z, after 2 failed requests: ` +
			`token request of client "client" to as.example.com answered with 503: temporarily_unavailable: "the server was told to fail"`
		if err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.as.SetDown(0)
		r.as.SetDelay(2 * time.Second)
		time.Sleep(10 * time.Second)
		if err := r.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second) // The request has gone on.
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		r.wantRequests(3)
		r.Close()
		if err := r.Ready(t.Context()); !errors.Is(err, ccclient.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}

func TestProgramStartedInAnOutageIsReadyWithinOnePauseOfItsEnd(t *testing.T) {
	const outage, pause = time.Minute, 10 * time.Second
	for name, down := range map[string]int{"answers 503": 503, "no answer": cctest.NoAnswer} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) { // New has succeeded: the program is up.
				r.as.SetDown(down)
				time.AfterFunc(outage, func() { r.as.SetDown(0) })
				if err := r.Ready(t.Context()); err == nil {
					t.Error("ready, with the server down")
				}
				began := time.Now()
				ready := make(chan time.Time)
				go func() {
					for r.Ready(t.Context()) != nil { // as a probe does
						time.Sleep(time.Second)
					}
					ready <- time.Now()
				}()
				if err := r.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, at := range []time.Time{time.Now(), <-ready} {
					if after := at.Sub(began) - outage; after > pause+time.Second {
						t.Errorf("ready %v after the end of the outage", after)
					}
				}
				if n := len(r.as.TokenRequests()); n > 3*12 {
					t.Errorf("%d token requests", n)
				}
			})
		})
	}
}

func TestWaitReturnsAtOnceWhereTimeCannotHelp(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	basic := func(s ccclient.Secret) func(*ccclient.Config) {
		return func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasic(s) }
	}
	for name, configure := range map[string]func(*ccclient.Config){
		"bad credentials":       basic(ccclient.SecretString("wrong")),
		"a missing secret file": basic(ccclient.SecretFile("/nonexistent/secret")),
		"an empty secret file":  basic(ccclient.SecretFile(empty)),
		"a variable unset":      basic(ccclient.SecretEnv("CCCLIENT_TEST_UNSET")),
		"a missing key": func(c *ccclient.Config) {
			c.Auth = ccclient.PrivateKeyJWTFrom(ccclient.KeyFile("/nonexistent/key"), ccclient.AssertionOptions{})
		},
		"a missing assertion": func(c *ccclient.Config) {
			c.Auth = ccclient.ClientAssertion(ccclient.SecretFile("/nonexistent/token"))
		},
		"an unknown scope": func(c *ccclient.Config) { c.Scopes = []string{"unknown"} },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, cctest.Options{Scopes: []string{"known"}}, configure, func(t *testing.T, r *rig) {
				began := time.Now()
				err := r.Wait(t.Context())
				took := time.Since(began)
				if e, ok := errors.AsType[*ccclient.Error](err); !ok || e.Temporary() || took > time.Second {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}

func TestWaitEndsWithItsContextAndSaysWhatItWaitedFor(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.as.SetDown(503)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err := r.Wait(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "503") ||
			time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestMissingSecretThatTurnsUpEndsTheCoolDown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	configure := func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasic(ccclient.SecretFile(file)) }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		if err := r.Ready(t.Context()); err == nil {
			t.Error("ready, without a secret")
		}
		if err := os.WriteFile(file, []byte(cctest.DefaultClientSecret), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := r.Ready(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkStatus is of ten thousand clients, for which it is to take less than 20 ms.
func BenchmarkStatus(b *testing.B) {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	c, err := ccclient.New(ccclient.Config{
		TokenURL: asTokenURL, ClientID: cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: as.RoundTripper()},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for i := range 10_000 {
		d := c.For(ccclient.Target{Audience: "https://" + strconv.Itoa(i) + ".example", Scopes: []string{"a", "b"}})
		if _, err := d.Token(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(c.Status()); n != 10_001 {
			b.Fatalf("%d tokens", n)
		}
	}
}
