package ccclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A tracer hears of everything, and does something then.
type tracer struct {
	do func(event string) // nil: nothing

	mu     sync.Mutex
	events []string
}

func (r *tracer) hear(format string, args ...any) {
	event := fmt.Sprintf(format, args...)
	r.mu.Lock()
	r.events = append(r.events, event)
	r.mu.Unlock()
	if r.do != nil {
		r.do(event)
	}
}

// heard returns the events with that beginning since the last call.
func (r *tracer) heard(prefix string) (events []string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if strings.HasPrefix(e, prefix) {
			events = append(events, e)
		}
	}
	r.events = nil
	return events
}

func (r *tracer) want(t *testing.T, prefix string, want ...string) {
	t.Helper()
	if got := r.heard(prefix); !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func (r *tracer) trace() *ccclient.Trace {
	outcome := func(err error) string {
		if e, ok := err.(*ccclient.Error); ok {
			return fmt.Sprintf("%d %s", e.StatusCode, e.Code)
		}
		return fmt.Sprint(err)
	}
	return &ccclient.Trace{
		Client: func(c *ccclient.Client) func() {
			r.hear("client")
			return func() { r.hear("client closed") }
		},
		TokenRequest: func(
			ctx context.Context, i ccclient.TokenRequestInfo,
		) (context.Context, func(ccclient.TokenRequestDone)) {
			r.hear("request %s %d %s", i.Reason, i.Attempt, i.Label)
			return ctx, func(d ccclient.TokenRequestDone) {
				r.hear("request done %d %q %v", d.StatusCode, d.Code, d.Again)
			}
		},
		Discovery: func(
			ctx context.Context, i ccclient.DiscoveryInfo,
		) (context.Context, func(ccclient.DiscoveryDone)) {
			r.hear("discovery %s %s %d", i.Issuer, i.Host, i.Port)
			return ctx, func(d ccclient.DiscoveryDone) { r.hear("discovery done %v %v", d.Err == nil, d.Kept) }
		},
		Waited: func(_ context.Context, i ccclient.WaitInfo) { r.hear("waited %v %v", i.Took, outcome(i.Err)) },
		Served: func(_ context.Context, i ccclient.ServedInfo) { r.hear("served %s", i.Source) },
		Granted: func(_ context.Context, i ccclient.GrantInfo) {
			r.hear("granted %q of %q without %q", i.Granted, i.Asked, i.Missing)
		},
		Rejected: func(_ context.Context, i ccclient.RejectInfo) {
			r.hear("rejected %s %d %d %s nonce=%v healed=%v", i.Host, i.Port, i.StatusCode, i.Error, i.Nonce, i.Healed)
		},
		CoolDown: func(_ context.Context, i ccclient.CoolDownInfo) {
			r.hear("cool-down ended=%v %d shared=%v %s", i.Ended, i.InARow, i.Shared, outcome(i.Err))
		},
		Store: func(_ context.Context, i ccclient.StoreInfo) {
			r.hear("store %s %v found=%v %v", i.Op, i.Err == nil, i.Found, i.Left > 0)
		},
	}
}

// traced runs f with a rig whose client is traced.
func traced(t *testing.T, o cctest.Options, configure func(*ccclient.Config), f func(*testing.T, *rig, *tracer)) {
	t.Helper()
	r := new(tracer)
	inBubble(t, o, func(cfg *ccclient.Config) {
		cfg.Trace = r.trace()
		if configure != nil {
			configure(cfg)
		}
	}, func(t *testing.T, rig *rig) { f(t, rig, r) })
}

func TestTraceHearsOfEachAttempt(t *testing.T) {
	var got []ccclient.TokenRequestInfo
	var ends []ccclient.TokenRequestDone
	trace := &ccclient.Trace{
		TokenRequest: func(
			ctx context.Context, i ccclient.TokenRequestInfo,
		) (context.Context, func(ccclient.TokenRequestDone)) {
			got = append(got, i)
			return ctx, func(d ccclient.TokenRequestDone) { ends = append(ends, d) }
		},
	}
	inBubble(t, cctest.Options{}, func(c *ccclient.Config) {
		c.Trace, c.Scopes = trace, []string{"read"}
	}, func(t *testing.T, r *rig) {
		r.as.FailNext(1, 503, nil)
		if _, err := r.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || len(ends) != 2 {
			t.Fatalf("heard of %d attempts that began and %d that ended, want 2", len(got), len(ends))
		}
		if i := got[1]; i.Host != "as.example.com" || i.Port != 443 || i.Attempt != 2 ||
			i.Method != "client_secret_basic" || i.GrantType != "client_credentials" ||
			!slices.Equal(i.Scopes, []string{"read"}) || i.Reason != cache.ReasonCold {
			t.Errorf("the second attempt: %+v", i)
		}
		if d := ends[0]; d.StatusCode != 503 || d.Err == nil || !d.Again {
			t.Errorf("the first attempt ended so: %+v", d)
		}
		if d := ends[1]; d.StatusCode != 200 || d.Err != nil || d.Expiry.IsZero() || d.Again {
			t.Errorf("the second attempt ended so: %+v", d)
		}
	})
}

func TestTraceTellsWhyEachTokenIsAskedFor(t *testing.T) {
	traced(t, cctest.Options{Lifetime: time.Hour}, nil, func(t *testing.T, r *rig, got *tracer) {
		for _, step := range []struct {
			reason string
			do     func()
		}{
			{"cold", func() { r.token() }},
			{"ahead", func() { time.Sleep(50 * time.Minute); r.token() }},
			{"expired", func() { time.Sleep(2 * time.Hour); r.token() }},
			{"rejected", func() { r.as.RevokeAll(); r.call() }},
			{"forced", func() { r.Refresh(t.Context()) }},
			{"cold", func() { r.For(ccclient.Target{Audience: "https://b.example"}).Token(t.Context()) }},
			{"expired", func() { time.Sleep(time.Hour - 5*time.Second); r.token() }},
		} {
			step.do()
			got.want(t, "request "+step.reason, "request "+step.reason+" 1 ")
		}
	})
}

func TestTraceTellsWhereTokensCameFromAndHowLongThatTook(t *testing.T) {
	store := cache.Memory()
	configure := func(cfg *ccclient.Config) { cfg.Cache.Store = store }
	traced(t, cctest.Options{}, configure, func(t *testing.T, r *rig, got *tracer) {
		r.as.SetDelay(100 * time.Millisecond)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { r.Token(t.Context()) })
		}
		wg.Wait()
		if e := got.heard("served"); len(e) != 3 || strings.Count(strings.Join(e, " "), "server") != 1 ||
			strings.Count(strings.Join(e, " "), "flight") != 2 {
			t.Errorf("heard %q", e)
		}
		r.token()
		got.want(t, "")

		other := new(tracer)
		cfg := ccclient.Config{
			TokenURL: asTokenURL, ClientID: cctest.DefaultClientID, Trace: other.trace(),
			Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
			HTTPClient: &http.Client{Transport: r.as.RoundTripper()}, Cache: cache.Options{Store: store},
		}
		c, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Token(t.Context())
		other.want(t, "", "client", "store get true found=true true", "waited 0s <nil>", "served store")
	})
}

func TestTraceHearsHowAWaitEnded(t *testing.T) {
	traced(t, cctest.Options{}, nil, func(t *testing.T, r *rig, got *tracer) {
		r.as.SetDelay(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		r.Token(ctx)
		if e := got.heard("waited"); len(e) != 1 || !strings.HasPrefix(e[0], "waited 300ms ccclient: gave up waiting") {
			t.Errorf("heard %q", e)
		}
		r.Token(t.Context())
		got.want(t, "waited", "waited 700ms <nil>")
		r.as.RevokeAll()
		r.as.FailNext(1, 401, nil)
		r.call()
		got.want(t, "waited", "waited 1s 401 invalid_client")
	})
}

func TestTraceHearsOfCoolDownsFromTheFirstFailureToTheEnd(t *testing.T) {
	configure := func(cfg *ccclient.Config) { cfg.Retry.MaxAttempts = 1 }
	traced(t, cctest.Options{}, configure, func(t *testing.T, r *rig, got *tracer) {
		r.as.SetDown(503)
		for range 5 {
			r.Token(t.Context()) // A look while it cools down is no failure.
		}
		time.Sleep(2 * time.Second)
		r.Token(t.Context())
		got.want(t, "cool", "cool-down ended=false 1 shared=true 503 temporarily_unavailable",
			"cool-down ended=false 2 shared=true 503 temporarily_unavailable")
		r.as.SetDown(0)
		time.Sleep(10 * time.Second)
		r.token()
		got.want(t, "cool", "cool-down ended=true 2 shared=true 503 temporarily_unavailable")
		r.Refresh(t.Context())
		got.want(t, "cool")

		r.as.SetDown(400)
		b := r.For(ccclient.Target{Audience: "https://b.example"})
		b.Token(t.Context())
		got.want(t, "cool", "cool-down ended=false 1 shared=false 400 invalid_request")
		r.as.SetDown(0)
		b.Refresh(t.Context())
		got.want(t, "cool", "cool-down ended=true 1 shared=false 400 invalid_request")
	})
}

func TestTraceHearsOfTheStore(t *testing.T) {
	broken := errors.New("the store is down")
	st := &switchable{Store: cache.Memory()}
	configure := func(cfg *ccclient.Config) { cfg.Cache.Store = st }
	traced(t, cctest.Options{}, configure, func(t *testing.T, r *rig, got *tracer) {
		r.token()
		got.want(t, "store", "store get true found=false false", "store put true found=false false")
		st.set(broken)
		r.as.RevokeAll()
		r.call()
		got.want(t, "store", "store get false found=false false") // Then it is left alone.
	})
}

// A switchable store fails when it is told to.
type switchable struct {
	cache.Store
	mu  sync.Mutex
	err error
}

func (s *switchable) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *switchable) Get(ctx context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func TestTraceHearsOfFewerScopesOnce(t *testing.T) {
	o := cctest.Options{TokenResponse: func(_ cctest.RecordedRequest, m map[string]any) { m["scope"] = "read" }}
	configure := func(cfg *ccclient.Config) { cfg.Scopes = []string{"read", "write"} }
	traced(t, o, configure, func(t *testing.T, r *rig, got *tracer) {
		r.token()
		r.Refresh(t.Context())
		got.want(t, "granted", `granted ["read"] of ["read" "write"] without ["write"]`)
	})
}

func TestTraceHearsOfRejections(t *testing.T) {
	traced(t, cctest.Options{}, nil, func(t *testing.T, r *rig, got *tracer) {
		r.call()
		got.want(t, "rejected")
		r.as.RevokeAll()
		r.call()
		got.want(t, "rejected", "rejected api.example.com 443 401 invalid_token nonce=false healed=true")
		r.as.RevokeAll()
		r.call() // within the spacing of forced refreshes
		got.want(t, "rejected", "rejected api.example.com 443 401 invalid_token nonce=false healed=false")
	})
}

func TestTraceHearsOfDPoPNonces(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	configure := func(cfg *ccclient.Config) { cfg.DPoPKey = key }
	traced(t, cctest.Options{DPoPNonce: true}, configure, func(t *testing.T, r *rig, got *tracer) {
		r.call()
		events := got.heard("")
		for _, want := range []string{
			`request done 400 "use_dpop_nonce" true`,
			"rejected api.example.com 443 401 use_dpop_nonce nonce=true healed=true",
		} {
			if !slices.Contains(events, want) {
				t.Errorf("heard %q, want %q among them", events, want)
			}
		}
	})
}

func TestTraceHearsOfDiscovery(t *testing.T) {
	configure := func(cfg *ccclient.Config) { cfg.TokenURL, cfg.Issuer = "", "https://as.example.com" }
	traced(t, cctest.Options{}, configure, func(t *testing.T, r *rig, got *tracer) {
		r.token()
		got.want(t, "discovery", "discovery https://as.example.com as.example.com 443", "discovery done true false")
	})
}

func TestTraceHearsOfClientsFromNewToClose(t *testing.T) {
	traced(t, cctest.Options{}, nil, func(t *testing.T, r *rig, got *tracer) {
		r.For(ccclient.Target{Audience: "https://b.example"}).Close()
		got.want(t, "client", "client")
		r.Close()
		r.Close()
		got.want(t, "client", "client closed")
	})
}

// life has a client meet everything that a Trace hears of.
func life(t *testing.T, r *rig) {
	wait := func(d time.Duration) { time.Sleep(d) }
	call := func() {
		resp, err := r.api.Get("https://api.example.com/things")
		if err == nil {
			resp.Body.Close()
		}
	}
	r.Token(t.Context())
	r.as.RevokeAll()
	call()
	r.as.SetDown(503)
	r.as.RevokeAll()
	wait(2 * time.Minute)
	call()
	wait(2 * time.Hour)
	r.Token(t.Context())
	r.as.SetDown(0)
	wait(time.Minute)
	r.Token(t.Context())
}

func everything(cfg *ccclient.Config) {
	cfg.TokenURL, cfg.Issuer = "", "https://as.example.com"
	cfg.Scopes = []string{"read", "write"}
	cfg.Cache.Store = cache.Memory()
	cfg.Retry.MaxAttempts = 1
}

var grudging = cctest.Options{
	TokenResponse: func(_ cctest.RecordedRequest, m map[string]any) { m["scope"] = "read" },
}

// kinds are those of the events that life brings.
var kinds = []string{
	"request ", "request done", "discovery ", "discovery done", "waited", "served", "granted", "rejected",
	"cool-down ended=false", "cool-down ended=true", "store get", "store put", "store lock", "store unlock",
}

func TestLifeBringsEveryKindOfEvent(t *testing.T) {
	traced(t, grudging, everything, func(t *testing.T, r *rig, got *tracer) {
		life(t, r)
		events := strings.Join(got.heard(""), "\n")
		for _, kind := range kinds {
			if !strings.Contains(events, kind) {
				t.Errorf("nothing of %q:\n%s", kind, events)
			}
		}
	})
}

func TestHooksMayUseTheClientThatTheyHearOf(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			traced(t, grudging, everything, func(t *testing.T, r *rig, got *tracer) {
				nested := 0
				got.do = func(event string) {
					if strings.HasPrefix(event, kind) {
						got.mu.Lock()
						nested++
						got.mu.Unlock()
						r.Token(context.Background())
						r.Status()
						r.Invalidate(nil)
					}
				}
				began := time.Now()
				life(t, r)
				if took := time.Since(began); took > 2*time.Hour+3*time.Minute+3*time.Second {
					t.Errorf("took %v", took)
				}
				if _, err := r.Token(t.Context()); err != nil {
					t.Errorf("afterwards: %v", err)
				}
				synctest.Wait()
				got.mu.Lock()
				defer got.mu.Unlock()
				if nested == 0 {
					t.Error("no hook has used the client")
				}
				got.do = nil
			})
		})
	}
}

func TestHookThatHangsHoldsUpNobodyBeyondTheirDeadline(t *testing.T) {
	for _, kind := range append([]string{"client"}, kinds...) {
		t.Run(kind, func(t *testing.T) {
			r := new(tracer)
			var over atomic.Bool
			r.do = func(event string) {
				if !over.Load() && strings.HasPrefix(event, kind) {
					time.Sleep(24 * time.Hour)
				}
			}
			inBubble(t, grudging, func(cfg *ccclient.Config) {
				everything(cfg)
				cfg.Trace = r.trace()
			}, func(t *testing.T, rig *rig) {
				const deadline, grace = 20 * time.Millisecond, 10 * time.Millisecond
				for range 100 {
					ctx, cancel := context.WithTimeout(t.Context(), deadline)
					began := time.Now()
					req, _ := http.NewRequestWithContext(ctx, "GET", "https://api.example.com/", nil)
					if resp, err := rig.api.Do(req); err == nil {
						resp.Body.Close()
					}
					if took := time.Since(began); took > deadline+grace {
						t.Fatalf("a call took %v", took)
					}
					cancel()
					rig.as.RevokeAll()
					time.Sleep(time.Minute)
				}
				began := time.Now()
				if _, err := rig.Token(t.Context()); err != nil || time.Since(began) > 100*time.Millisecond {
					t.Errorf("Token: %v after %v", err, time.Since(began))
				}
				time.Sleep(48 * time.Hour)
				over.Store(true)
			})
		})
	}
}

func TestHookThatPanicsCostsNoTokenAndIsLoggedWithoutItsValue(t *testing.T) {
	for _, kind := range append([]string{"client"}, kinds...) {
		t.Run(kind, func(t *testing.T) {
			var log bytes.Buffer
			r := new(tracer)
			r.do = func(event string) {
				if strings.HasPrefix(event, kind) {
					panic("canary")
				}
			}
			inBubble(t, grudging, func(cfg *ccclient.Config) {
				everything(cfg)
				cfg.Trace, cfg.Logger = r.trace(), slog.New(slog.NewTextHandler(&log, nil))
			}, func(t *testing.T, rig *rig) {
				r.heard("")
				life(t, rig)
				if _, err := rig.Token(t.Context()); err != nil {
					t.Errorf("Token: %v", err)
				}
				if kind != "client" && len(r.heard(kind)) == 0 {
					t.Error("no hook has panicked")
				}
				rig.Close()
				if l := log.String(); !strings.Contains(l, "panic in") || strings.Contains(l, "canary") {
					t.Errorf("logged: %s", l)
				}
			})
		})
	}
}

func TestTraceCostsATokenFromMemoryNoAllocation(t *testing.T) {
	traced(t, cctest.Options{}, nil, func(t *testing.T, r *rig, got *tracer) {
		r.token()
		got.heard("")
		if n := testing.AllocsPerRun(100, func() { r.Token(t.Context()) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		got.want(t, "")
	})
}

func TestContextOfAHookReachesTheTokenRequestButCannotEndIt(t *testing.T) {
	type key struct{}
	var seen any
	inBubble(t, cctest.Options{}, func(cfg *ccclient.Config) {
		next := cfg.HTTPClient.Transport
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			seen = r.Context().Value(key{})
			return next.RoundTrip(r)
		})}
		cfg.Trace = &ccclient.Trace{TokenRequest: func(
			ctx context.Context, _ ccclient.TokenRequestInfo,
		) (context.Context, func(ccclient.TokenRequestDone)) {
			ctx, cancel := context.WithCancel(context.WithValue(ctx, key{}, "span"))
			cancel()
			return ctx, nil
		}}
	}, func(t *testing.T, r *rig) {
		if r.token(); seen != "span" {
			t.Errorf("the request has the value %v", seen)
		}
	})
}

func TestTraceHearsOfAnotherProcessFailureAsOfItsOwn(t *testing.T) {
	store := cache.Memory()
	configure := func(cfg *ccclient.Config) {
		var err error
		if cfg.Cache.Store, err = cache.Seal(store, make([]byte, 32)); err != nil {
			t.Fatal(err)
		}
		cfg.Retry.MaxAttempts = 1
	}
	traced(t, cctest.Options{}, configure, func(t *testing.T, r *rig, _ *tracer) {
		r.as.SetDown(503)
		r.Token(t.Context())
		synctest.Wait()
		got := new(tracer)
		cfg := ccclient.Config{
			TokenURL: asTokenURL, ClientID: cctest.DefaultClientID, Trace: got.trace(),
			Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
			HTTPClient: &http.Client{Transport: r.as.RoundTripper()},
		}
		configure(&cfg)
		other, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		other.Token(t.Context())
		got.want(t, "cool", "cool-down ended=false 1 shared=true 503 temporarily_unavailable")
		r.wantRequests(1)
	})
}
