package mcpauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func farAway() time.Time { return time.Now().Add(24 * time.Hour) }

func bodyOf(r *http.Request) []byte {
	data, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	return data
}

func TestSessionOfTwoHoursOutlivesItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{Lifetime: time.Minute})
		r := newRig(t, as)
		s := r.session(t, newClient(t, as))
		const calls = 2 * 60 * 60 / 10
		for range calls {
			time.Sleep(10 * time.Second)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if err := call(ctx, s, "echo"); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		equal(t, "calls", r.calls.Load(), calls)
		equal(t, "requests without a good token", r.refused.Load(), 1)
		if n := as.Stats().TokenRequests; n < 120 || n > 160 {
			t.Errorf("%d token requests for 120 lifetimes", n)
		}
	})
}

func TestIdleSessionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{Lifetime: time.Minute})
		r := newRig(t, as)
		s := r.session(t, newClient(t, as))
		for range 3 {
			time.Sleep(time.Hour)
			if err := call(t.Context(), s, "echo"); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "requests without a good token", r.refused.Load(), 1)
		equal(t, "requests for metadata", r.metadata.Load(), 1)
	})
}

func TestManyCallsOutliveRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		r := newRig(t, as)
		s := r.session(t, newClient(t, as))
		as.RevokeAll()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := call(t.Context(), s, "echo"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		equal(t, "token requests", as.Stats().TokenRequests, 2)
	})
}

func TestFailureOfTheTokenServerDoesNotEndTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		r := newRig(t, as)
		s := r.session(t, newClient(t, as))
		for name, fail := range map[string]func(){
			"expired": func() { time.Sleep(cctest.DefaultLifetime) },
			"revoked": as.RevokeAll,
		} {
			fail()
			as.SetDown(503)
			err := call(t.Context(), s, "echo")
			if e, ok := errors.AsType[*ccclient.Error](err); !ok || e.StatusCode != 503 {
				t.Errorf("%s: no 503 in %v", name, err)
			}
			as.SetDown(0)
			time.Sleep(time.Minute)
			if err := call(t.Context(), s, "echo"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDeadlineOfACallHoldsAgainstTheTokenServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		r := newRig(t, as)
		s := r.session(t, newClient(t, as))
		as.RevokeAll()
		as.SetDelay(time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := call(ctx, s, "echo"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		equal(t, "took", time.Since(start), 500*time.Millisecond)
		as.SetDelay(0)
		time.Sleep(time.Minute)
		if err := call(t.Context(), s, "echo"); err != nil {
			t.Errorf("the session has ended: %v", err)
		}
	})
}

func TestCallsDoNotWaitForTokensInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		h := newRig(t, as).handler(newClient(t, as))
		meet(t, h, 401, "Bearer resource_metadata="+quoted(metadata), "")
		time.Sleep(cctest.DefaultLifetime)
		as.SetDelay(5 * time.Second)
		start := time.Now()
		for range 10 {
			if s, err := h.TokenSource(t.Context()); s != nil || err != nil {
				t.Errorf("%v, %v", s, err)
			}
		}
		equal(t, "took", time.Since(start), time.Second)
		time.Sleep(5 * time.Second)
		for _, delay := range []time.Duration{0, 500 * time.Millisecond} { // A short wait is worth it again.
			as.SetDelay(delay)
			if s, err := h.TokenSource(t.Context()); s == nil || err != nil {
				t.Errorf("%v, %v", s, err)
			}
			time.Sleep(cctest.DefaultLifetime)
		}
	})
}

func TestScopesAreThoseOfTheChallengeThenOfTheMetadata(t *testing.T) {
	for name, tc := range map[string]struct {
		challenged, supported, own []string
		want                       string
	}{
		"challenge": {[]string{"c"}, []string{"s"}, []string{"o"}, "c"},
		"metadata":  {nil, []string{"s1", "s2", `"`, ""}, []string{"o"}, "s1 s2"},
		"own":       {nil, nil, []string{"o"}, "o"},
		"none":      {nil, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				as := cctest.NewServer(cctest.Options{})
				r := newRig(t, as, tc.challenged...)
				r.resource.ScopesSupported = tc.supported
				s := r.session(t, newClient(t, as, func(c *ccclient.Config) { c.Scopes = tc.own }))
				if err := call(t.Context(), s, "echo"); err != nil {
					t.Error(err)
				}
				equals(t, "scope", asked(as, "scope"), tc.want)
				equals(t, "resource", asked(as, "resource"), endpoint)
			})
		})
	}
}

func TestStepUpIsByUnionAndRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		r := newRig(t, as, "base")
		r.scopes = func(tool string) []string {
			if tool == "read" || tool == "write" {
				return []string{tool}
			}
			return nil
		}
		s := r.session(t, newClient(t, as))
		for _, tool := range []string{"echo", "read", "write", "read", "echo", "write"} {
			if err := call(t.Context(), s, tool); err != nil {
				t.Errorf("%s: %v", tool, err)
			}
		}
		equals(t, "scope", asked(as, "scope"), "base", "base read", "base read write")
		equal(t, "403s", r.lacking.Load(), 2)
		as.RevokeAll()
		if err := call(t.Context(), s, "write"); err != nil {
			t.Error(err)
		}
		equal(t, "403s", r.lacking.Load(), 2)
	})
}

func TestConcurrentStepUpsDoNotUndoEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		r := newRig(t, as)
		r.scopes = func(tool string) []string {
			if tool == "read" || tool == "write" {
				return []string{tool}
			}
			return nil
		}
		s := r.session(t, newClient(t, as))
		as.SetDelay(time.Second)
		var all sync.WaitGroup
		for _, tool := range []string{"read", "write", "read", "write"} {
			all.Go(func() {
				if err := call(t.Context(), s, tool); err != nil {
					t.Errorf("%s: %v", tool, err)
				}
			})
		}
		all.Wait()
	})
}

func TestServerThatAlwaysWantsMoreEndsNothingButTheCall(t *testing.T) {
	for name, tc := range map[string]struct {
		scopes   func(n int) []string
		known    []string // to the authorization server
		requests int
		calls    int
	}{
		"the same":        {func(int) []string { return []string{"admin"} }, nil, 2, 5},
		"one not granted": {func(int) []string { return []string{"write", "admin"} }, nil, 2, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				as := cctest.NewServer(cctest.Options{TokenResponse: func(_ cctest.RecordedRequest, m map[string]any) {
					m["scope"] = "base write" // never admin
				}})
				r := newRig(t, as)
				r.scopes = func(tool string) []string {
					if tool == "write" {
						return tc.scopes(0)
					}
					return nil
				}
				s := r.session(t, newClient(t, as))
				for range tc.calls {
					err := call(t.Context(), s, "write")
					if err == nil || !strings.Contains(err.Error(), "does not grant what it wants") {
						t.Errorf("got %v", err)
					}
					if err := call(t.Context(), s, "echo"); err != nil {
						t.Fatalf("the session has ended: %v", err)
					}
				}
				equal(t, "token requests", as.Stats().TokenRequests, tc.requests)
			})
		})
	}
}
