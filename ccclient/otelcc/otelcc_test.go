package otelcc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/ccclient/otelcc"
)

func (r *rig) want(metric string, want float64, parts ...string) {
	r.t.Helper()
	synctest.Wait()
	if series := r.series(); sum(series, metric, parts...) != want {
		r.t.Errorf("%s %q is %v, want %v, in\n%v", metric, parts, sum(series, metric, parts...), want, series)
	}
}

const (
	requests   = "oauth.client.token.request.duration"
	served     = "oauth.client.token.served"
	waits      = "oauth.client.token.wait.duration"
	rejections = "oauth.client.api.rejections"
	nonces     = "oauth.client.dpop.nonce_retries"
	stores     = "oauth.client.store.duration"
	remaining  = "oauth.client.token.remaining"
	coolDown   = "oauth.client.cooldown"
)

func TestTokenRequestsAreMeasured(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.as.FailNext(1, 503, nil)
		r.For(ccclient.Target{Audience: "https://b.example", Label: "b"}).Token(t.Context())
		r.want(requests, 1, "oauth.client.label=b", "server.address=as.example.com", "server.port=443",
			"oauth.grant_type=client_credentials", "oauth.client.reason=cold", "http.response.status_code=503",
			"error.type=temporarily_unavailable")
		r.want(requests, 1, "oauth.client.label=b", "http.response.status_code=200")
		r.want(requests, 2)
		r.as.FailNextWith(1, 418, nil, []byte(`{"error":"canary"}`))
		r.Refresh(t.Context())
		r.want(requests, 1, "oauth.client.reason=forced", "error.type=418")
		r.want(requests, 0, "canary")
	})
}

func TestTokensAreCountedBySource(t *testing.T) {
	store := cache.Memory()
	configure := func(c *ccclient.Config) { c.Cache.Store = store }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.as.SetDelay(time.Second)
		for range 3 {
			go r.Token(t.Context())
		}
		time.Sleep(2 * time.Second)
		for range 10 {
			r.Token(t.Context())
		}
		r.want(served, 1, "source=server")
		r.want(served, 2, "source=flight")
		r.want(served, 10, "source=memory")
		r.want(waits, 3)
		for range 5 {
			r.Token(t.Context())
		}
		r.want(served, 15, "source=memory")
		r.Token(t.Context())
		r.Close()
		r.want(served, 16, "source=memory")
		for name := range r.series() {
			if strings.HasPrefix(name, remaining) {
				t.Errorf("%s, of a client that is closed", name)
			}
		}
	})
}

func TestTokensOfSeveralClientsAreCountedTogether(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		for _, name := range []string{"a", "b"} {
			c := r.For(ccclient.Target{Audience: "https://" + name + ".example", Label: name})
			for range 4 {
				c.Token(t.Context())
			}
		}
		r.want(served, 6, "source=memory")
		r.want(served, 2, "source=server")
		r.want(remaining, 3600, "label=a")
		r.want(remaining, 7200)
	})
}

func TestGaugesTellOfTheTokenThatIsWorstOff(t *testing.T) {
	configure := func(c *ccclient.Config) { c.Retry.MaxAttempts = 1 }
	inBubble(t, cctest.Options{Lifetime: time.Hour}, configure, func(t *testing.T, r *rig) {
		r.want(remaining, 0)
		if n := len(r.series()); n != 0 {
			t.Errorf("%d series before anything has happened", n)
		}
		a := r.For(ccclient.Target{Audience: "https://a.example", Label: "l"})
		b := r.For(ccclient.Target{Audience: "https://b.example", Label: "l"})
		a.Token(t.Context())
		time.Sleep(10 * time.Minute)
		b.Token(t.Context())
		r.want(remaining, 3000, "label=l")
		r.want(coolDown, 0, "label=l")
		r.as.FailNext(1, 503, http.Header{"Retry-After": {"120"}})
		r.as.RevokeAll()
		tok, _ := a.Token(t.Context())
		a.Invalidate(tok)
		a.Token(t.Context())
		r.want(remaining, 0, "label=l")
		if left := sum(r.series(), coolDown, "label=l"); left < 120 || left > 132 {
			t.Errorf("%v s of cool-down are left, of 120 and up to a tenth more", left)
		}
	})
}

func TestRejectionsAreCountedByWhatBecameOfThem(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		r.call(t.Context())
		r.want(rejections, 0)
		for range 3 {
			r.as.RevokeAll()
			r.call(t.Context())
		}
		r.want(rejections, 1, "server.address=api.example.com", "server.port=443", "healed=true")
		r.want(rejections, 2, "server.address=api.example.com", "server.port=443", "healed=false")
	})
}

func TestNoncesAreCountedAtBothServers(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	configure := func(c *ccclient.Config) { c.DPoPKey = key }
	inBubble(t, cctest.Options{DPoPNonce: true}, configure, func(t *testing.T, r *rig) {
		r.call(t.Context())
		r.want(nonces, 1, "server.address=as.example.com")
		r.want(nonces, 1, "server.address=api.example.com")
		r.want(rejections, 0)
	})
}

func TestStoreIsMeasured(t *testing.T) {
	configure := func(c *ccclient.Config) { c.Cache.Store = slow{cache.Memory()} }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.Token(t.Context())
		time.Sleep(time.Minute)
		r.want(stores, 1, "operation=get", "error.type=timeout")
	})
}

// slow is a store that takes a second for everything.
type slow struct{ cache.Store }

func (s slow) Get(ctx context.Context, key string) ([]byte, error) {
	select {
	case <-time.After(time.Second):
		return s.Store.Get(ctx, key)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// attributes returns those of a span as text.
func attributes(s tracetest.SpanStub) string {
	var b strings.Builder
	for _, kv := range s.Attributes {
		b.WriteString(string(kv.Key) + "=" + kv.Value.String() + "\n")
	}
	return b.String()
}

func TestTokenRequestIsASpanUnderTheCallThatNeedsIt(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		ctx, parent := r.tracer.Tracer("test").Start(t.Context(), "call")
		r.as.FailNext(1, 503, nil)
		r.call(ctx)
		parent.End()
		spans := r.spans.GetSpans()
		if len(spans) != 3 {
			t.Fatalf("%d spans, want two token requests and the call: %v", len(spans), spans)
		}
		for i, want := range []string{"http.response.status_code=503", "http.response.status_code=200"} {
			s := spans[i]
			if s.Parent.SpanID() != parent.SpanContext().SpanID() || s.SpanKind != trace.SpanKindClient ||
				s.Name != "POST token" || len(s.Links) != 0 {
				t.Errorf("span %d: %+v", i, s)
			}
			if a := attributes(s); !strings.Contains(a, want) ||
				strings.Contains(a, "http.request.resend_count=1\n") != (i == 1) {
				t.Errorf("span %d: %s", i, a)
			}
		}
		if s := spans[0].Status; s.Code != codes.Error || s.Description != "temporarily_unavailable" {
			t.Errorf("the first ended with %v", s)
		}
		if spans[1].Status.Code != codes.Unset {
			t.Errorf("the second ended with %v", spans[1].Status)
		}
	})
}

func TestBackgroundRefreshIsATraceOfItsOwnWithALink(t *testing.T) {
	configure := func(c *ccclient.Config) { c.TokenURL, c.Issuer = "", "https://as.example.com" }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.Token(t.Context())
		r.spans.Reset()
		time.Sleep(55 * time.Minute)
		ctx, parent := r.tracer.Tracer("test").Start(t.Context(), "call")
		r.call(ctx)
		parent.End()
		spans := r.spans.GetSpans()
		if len(spans) < 2 {
			t.Fatalf("%d spans: %v", len(spans), spans)
		}
		for _, s := range spans {
			if s.Name == "call" {
				continue
			}
			if s.Parent.IsValid() || s.SpanContext.TraceID() == parent.SpanContext().TraceID() {
				t.Errorf("%s belongs to the call", s.Name)
			}
			if len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != parent.SpanContext().SpanID() {
				t.Errorf("%s has the links %v", s.Name, s.Links)
			}
		}
	})
}

func TestDiscoveryIsASpan(t *testing.T) {
	configure := func(c *ccclient.Config) { c.TokenURL, c.Issuer = "", "https://as.example.com" }
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.Token(t.Context())
		spans := r.spans.GetSpans()
		if len(spans) != 2 || spans[0].Name != "GET metadata" || spans[0].Status.Code != codes.Unset ||
			!strings.Contains(attributes(spans[0]), "server.address=as.example.com\n") {
			t.Errorf("%v", spans)
		}
	})
}

func TestClientIDIsToldOnRequestAloneAndNothingSecretEver(t *testing.T) {
	const id, secret = "id-canary", "secret-canary"
	o := cctest.Options{Clients: []cctest.Registration{{ID: id, Secret: secret}}}
	configure := func(c *ccclient.Config) {
		c.ClientID, c.Auth = id, ccclient.ClientSecretBasic(ccclient.SecretString(secret))
		c.EndpointParams = map[string][]string{"tenant": {"param-canary"}}
	}
	for name, told := range map[string]bool{"asked for": true, "not asked for": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, o, configure, func(o *otelcc.Options) { o.ClientID = told })
				r.as.FailNextWith(1, 400, nil, []byte(`{"error":"words-canary","error_description":"words-canary"}`))
				r.Refresh(t.Context())
				r.call(t.Context())
				tok, err := r.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				all := fmt.Sprint(r.series(), r.spans.GetSpans())
				if strings.Contains(all, id) != told {
					t.Error(all)
				}
				for _, canary := range []string{secret, "param-canary", "words-canary", tok.AccessToken} {
					if strings.Contains(all, canary) {
						t.Errorf("%s is told: %s", canary, all)
					}
				}
			})
		})
	}
}

func TestKindsOfErrorsAreFew(t *testing.T) {
	inBubble(t, cctest.Options{}, func(c *ccclient.Config) {
		c.HTTPClient = &http.Client{Transport: failing{}}
		c.Retry.MaxAttempts = 1
	}, func(t *testing.T, r *rig) {
		r.Token(t.Context())
		r.want(requests, 1, "error.type=_OTHER")
		r.want(requests, 0, "canary")
	})
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("canary") }
