package ccclient_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
)

// inStepUpBubble runs f with a rig whose client asks for read and may step up.
func inStepUpBubble(t *testing.T, o cctest.Options, f func(t *testing.T, r *rig), more ...func(*ccclient.Config)) {
	t.Helper()
	inBubble(t, o, func(cfg *ccclient.Config) {
		cfg.StepUp, cfg.Scopes = true, []string{"read"}
		for _, configure := range more {
			configure(cfg)
		}
	}, f)
}

// resource is an API that the client of r may call.
func (r *rig) resource(h http.Handler) *http.Client {
	return &http.Client{Transport: r.Transport(cctest.RoundTripper(h))}
}

// scoped is a resource that asks for scopes.
func (r *rig) scoped(scopes ...string) *http.Client {
	return r.resource(r.as.ProtectScopes(http.HandlerFunc(hello), scopes...))
}

func hello(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

// challenging answers everything with a challenge, which may differ from call to call, and counts the calls.
type challenging struct {
	mu     sync.Mutex
	calls  int
	status int
	header func(call int) string
}

func (c *challenging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	w.Header().Set("WWW-Authenticate", c.header(c.calls))
	w.WriteHeader(c.status)
	io.WriteString(w, "more")
}

// get calls an API, and returns the status and the body.
func get(t *testing.T, api *http.Client) string {
	t.Helper()
	resp, err := api.Get("https://api.example.com/things")
	return read(t, resp, err)
}

// asked returns the scopes of all token requests.
func (r *rig) asked() string {
	var all []string
	for _, req := range r.as.TokenRequests() {
		all = append(all, req.Form.Get("scope"))
	}
	return strings.Join(all, ", ")
}

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestInsufficientScopeIsMetByTheUnion(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		wantText(t, "what read may", get(t, r.scoped("read")), "200 hello")
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
		wantText(t, "asked for", r.asked(), "read, read write")
		before := r.as.Stats()
		for range 3 {
			wantText(t, "what write may, later", get(t, r.scoped("write")), "200 hello")
			wantText(t, "what read may, later", get(t, r.scoped("read")), "200 hello")
		}
		if after := r.as.Stats(); after.ResourceRejected != before.ResourceRejected {
			t.Error("the union is not remembered: later calls are challenged")
		}
		r.wantRequests(2)
		if tok, err := r.Token(t.Context()); err != nil || tok.Extra("scope") != "read" {
			t.Errorf("Token itself steps up: %v %v", tok.Extra("scope"), err)
		}
	})
}

func TestStepUpIsOffByDefault(t *testing.T) {
	inBubble(t, cctest.Options{}, func(cfg *ccclient.Config) { cfg.Scopes = []string{"read"} },
		func(t *testing.T, r *rig) {
			wantText(t, "what write may", get(t, r.scoped("write")), "403 ")
			r.wantRequests(1)
			if r.Transport(nil).Challenged != nil {
				t.Error("the transport heeds challenges")
			}
		})
}

func TestStepUpLastsAcrossExpiryAndRevocation(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		get(t, r.scoped("write"))
		time.Sleep(2 * time.Hour)
		wantText(t, "after the expiry", get(t, r.scoped("write")), "200 hello")
		time.Sleep(time.Second)
		r.as.RevokeAll()
		wantText(t, "after a revocation", get(t, r.scoped("write")), "200 hello")
		wantText(t, "asked for", r.asked(), "read, read write, read write, read write")
	})
}

func TestStepUpOf401WithInsufficientScope(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		api := &challenging{status: 401, header: func(int) string { return `Bearer error="insufficient_scope", scope="write"` }}
		wantText(t, "answer", get(t, r.resource(api)), "401 more")
		wantText(t, "asked for", r.asked(), "read, read write")
	})
}

func TestStepUpWithoutScopesKeepsThoseGranted(t *testing.T) {
	client := cctest.Registration{ID: "client", Secret: "secret", Scopes: []string{"admin", "read", "write"}}
	inStepUpBubble(t, cctest.Options{Clients: []cctest.Registration{client}}, func(t *testing.T, r *rig) {
		api := &challenging{status: 403, header: func(int) string { return `Bearer error="insufficient_scope", scope="write"` }}
		get(t, r.resource(api))
		wantText(t, "asked for", r.asked(), "") // It had all that it may have.
	}, func(cfg *ccclient.Config) { cfg.Scopes = nil })
	inStepUpBubble(t, cctest.Options{TokenResponse: func(req cctest.RecordedRequest, m map[string]any) {
		if req.Form.Get("scope") == "" {
			m["scope"] = "default other"
		}
	}}, func(t *testing.T, r *rig) {
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
		wantText(t, "asked for", r.asked(), ", default other write")
	}, func(cfg *ccclient.Config) { cfg.Scopes = nil })
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
		wantText(t, "asked for, where nothing is known", r.asked(), ", write")
	}, func(cfg *ccclient.Config) { cfg.Scopes = nil })
}

func TestServerThatAlwaysChallengesIsAskedTwice(t *testing.T) {
	for _, status := range []int{401, 403} {
		inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
			api := &challenging{status: status, header: func(call int) string {
				return fmt.Sprintf(`Bearer error="insufficient_scope", scope="s%d"`, call)
			}}
			resp, err := r.resource(api).Get("https://api.example.com/")
			wantText(t, "answer", read(t, resp, err), fmt.Sprint(status, " more"))
			wantText(t, "challenge", resp.Header.Get("WWW-Authenticate"), `Bearer error="insufficient_scope", scope="s2"`)
			if api.calls != 2 {
				t.Errorf("the API got %d requests", api.calls)
			}
			wantText(t, "asked for", r.asked(), "read, read s1")
		})
	}
}

func TestChallengeThatHeldTokenShouldMeetIsReturned(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		api := &challenging{status: 403, header: func(int) string { return `Bearer error="insufficient_scope", scope="write"` }}
		for range 5 {
			wantText(t, "answer", get(t, r.resource(api)), "403 more")
			time.Sleep(10 * time.Minute)
		}
		if api.calls != 6 { // two for the first call
			t.Errorf("the API got %d requests", api.calls)
		}
		wantText(t, "asked for", r.asked(), "read, read write")
	})
}

func TestEveryChallengeAnotherScopeMintsFewTokens(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		api := &challenging{status: 403, header: func(call int) string {
			return fmt.Sprintf(`Bearer error="insufficient_scope", scope="s%d"`, call)
		}}
		client := r.resource(api)
		for range 3600 {
			get(t, client)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		// In an hour: 1 s doubling to 60 s makes some 65 new targets, and of each token one refresh at most.
		if n := len(r.as.TokenRequests()); n < 50 || n > 80 {
			t.Errorf("%d token requests in an hour", n)
		}
		for _, req := range r.as.TokenRequests() {
			if scope := req.Form.Get("scope"); len(scope) > 8<<10 || len(strings.Fields(scope)) > 128 {
				t.Errorf("asked for %d scopes of %d bytes", len(strings.Fields(scope)), len(scope))
			}
		}
	})
}

func TestWhatChallengesAddIsForgottenWhenItIsTooMuch(t *testing.T) {
	for name, test := range map[string]struct {
		prefix string
		scopes []string // of the Config
		most   int
	}{
		"many":                  {"s", []string{"read"}, 1 + 3*32},
		"long":                  {strings.Repeat("long", 25), []string{"read"}, 1 + 2*32},
		"beside those by grace": {"s", nil, 1 + 3*32},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			api := &challenging{status: 403, header: func(int) string {
				var scopes []string
				for range 32 {
					n++
					scopes = append(scopes, fmt.Sprint(test.prefix, n))
				}
				return `Bearer error="insufficient_scope", scope="` + strings.Join(scopes, " ") + `"`
			}}
			o := cctest.Options{TokenResponse: func(req cctest.RecordedRequest, m map[string]any) {
				if req.Form.Get("scope") == "" {
					m["scope"] = "read"
				}
			}}
			var log strings.Builder
			inStepUpBubble(t, o, func(t *testing.T, r *rig) {
				client := r.resource(api)
				for range 10 {
					get(t, client)
					time.Sleep(2 * time.Minute)
				}
				most := 0
				for i, req := range r.as.TokenRequests() {
					scopes := strings.Fields(req.Form.Get("scope"))
					if most = max(most, len(scopes)); i > 0 && !slices.Contains(scopes, "read") {
						t.Errorf("request %d forgot what was there before", i)
					}
				}
				if most != test.most {
					t.Errorf("at most %d scopes were asked for, want %d", most, test.most)
				}
				r.wantRequests(11) // Each of the ten challenges was met.
				if n := strings.Count(log.String(), "from now on"); n != 10 {
					t.Errorf("of ten steps %d lasted", n)
				}
				wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
			}, func(cfg *ccclient.Config) {
				cfg.Scopes, cfg.Logger = test.scopes, slog.New(slog.NewTextHandler(&log, nil))
			})
		})
	}
}

func TestRefusedStepUpReturnsTheFirstAnswer(t *testing.T) {
	inStepUpBubble(t, cctest.Options{Scopes: []string{"read"}}, func(t *testing.T, r *rig) {
		base := r.token()
		client := r.scoped("write")
		resp, err := client.Get("https://api.example.com/things")
		wantText(t, "answer", read(t, resp, err), "403 ")
		if got := resp.Header.Get("WWW-Authenticate"); !strings.Contains(got, `scope="write"`) {
			t.Errorf("challenge: %s", got)
		}
		wantText(t, "asked for", r.asked(), "read, read write")
		for range 30 {
			wantText(t, "answer", get(t, client), "403 ")
			time.Sleep(100 * time.Millisecond)
		}
		r.wantRequests(2) // The refusal is remembered.
		wantText(t, "token", r.token(), base)
		wantText(t, "what read may", get(t, r.scoped("read")), "200 hello")
		for range 100 {
			time.Sleep(10 * time.Second)
			get(t, client)
		}
		if n := len(r.as.TokenRequests()); n > 25 {
			t.Errorf("%d token requests in a quarter of an hour", n)
		}
		wantText(t, "token", r.token(), base)
	})
}

func TestServerThatGrantsLessIsNoStepUp(t *testing.T) {
	for _, granted := range []string{"read", "write", ""} { // less than read and write
		inStepUpBubble(t, cctest.Options{TokenResponse: func(req cctest.RecordedRequest, m map[string]any) {
			if strings.Contains(req.Form.Get("scope"), "write") {
				m["scope"] = granted
			}
		}}, func(t *testing.T, r *rig) {
			api := &challenging{status: 403, header: func(int) string { return `Bearer error="insufficient_scope", scope="write"` }}
			client := r.resource(api)
			for range 10 {
				wantText(t, "answer", get(t, client), "403 more")
			}
			r.wantRequests(2)
			if api.calls != 10 {
				t.Errorf("the API got %d requests for 10 calls", api.calls)
			}
			get(t, r.scoped("read"))
			wantText(t, "asked for", r.asked(), "read, read write")
		})
	}
}

func TestStepUpIsAtOnceAgainAfterAMinute(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		for i := range 60 {
			get(t, r.scoped(fmt.Sprint("s", i)))
			time.Sleep(time.Second)
		}
		wantText(t, "too soon", get(t, r.scoped("write")), "403 ")
		time.Sleep(time.Minute)
		for _, scope := range []string{"write", "list"} {
			wantText(t, "what "+scope+" may", get(t, r.scoped(scope)), "200 hello")
			time.Sleep(time.Second)
		}
	})
}

func TestWiderTokenThatIsNoLongerGrantedIsGivenUp(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		get(t, r.scoped("write"))
		time.Sleep(2 * time.Hour)
		r.as.FailNext(1, http.StatusBadRequest, http.Header{"Content-Type": {"application/json"}})
		wantText(t, "what read may", get(t, r.scoped("read")), "200 hello")
		wantText(t, "asked for", r.asked(), "read, read write, read write, read")
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
		r.wantRequests(5)
	})
}

func TestOutageIsNoRefusalOfTheWiderToken(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		get(t, r.scoped("write"))
		time.Sleep(2 * time.Hour)
		r.as.SetDown(http.StatusServiceUnavailable)
		if _, err := r.scoped("write").Get("https://api.example.com/"); err == nil {
			t.Error("no error without a token")
		}
		r.as.SetDown(0)
		time.Sleep(time.Minute)
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
		for _, scope := range strings.Split(r.asked(), ", ")[1:] {
			wantText(t, "asked for", scope, "read write")
		}
	})
}

func TestHundredChallengedCallersShareOneTokenRequest(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		r.token()
		r.as.SetDelay(time.Second)
		client := r.scoped("write")
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if got := get(t, client); got != "200 hello" {
					t.Error(got)
				}
			})
		}
		wg.Wait()
		wantText(t, "asked for", r.asked(), "read, read write")
	})
}

func TestChallengesThatOvertakeEachOtherAreAllMet(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		r.token()
		r.as.SetDelay(3 * time.Second)
		var wg sync.WaitGroup
		for _, scope := range []string{"list", "write"} {
			for range 10 {
				wg.Go(func() { wantText(t, "what "+scope+" may", get(t, r.scoped(scope)), "200 hello") })
			}
			time.Sleep(1500 * time.Millisecond)
		}
		time.Sleep(400 * time.Millisecond) // The first has landed.
		wantText(t, "what write may, while it is asked for", get(t, r.scoped("write")), "200 hello")
		wg.Wait()
		wantText(t, "asked for", r.asked(), "read, list read, read write")
		wantText(t, "what list may", get(t, r.scoped("list")), "200 hello")
		wantText(t, "asked for", r.asked(), "read, list read, read write, list read write")
	})
}

func TestCallThatCannotBeRepeatedStepsUpTheNext(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		client := r.scoped("write")
		stream := func() string {
			resp, err := client.Post("https://api.example.com/", "text/plain", io.MultiReader(strings.NewReader("body")))
			return read(t, resp, err)
		}
		wantText(t, "first", stream(), "403 ")
		wantText(t, "second", stream(), "200 hello")
		r.wantRequests(2)
	})
}

func TestCallersContextEndsTheWaitForWiderToken(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		r.token()
		r.as.SetDelay(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		resp, err := r.scoped("write").Do(req)
		wantText(t, "answer", read(t, resp, err), "403 ")
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("the call took %v", waited)
		}
		time.Sleep(5 * time.Second)
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello") // The token came for all the others.
		r.wantRequests(2)
	})
}

func TestDerivedClientsStepUpEachForThemselves(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		h := cctest.RoundTripper(r.as.ProtectScopes(http.HandlerFunc(hello), "write"))
		other := r.For(ccclient.Target{Scopes: []string{"list"}})
		wantText(t, "the derived one", get(t, &http.Client{Transport: other.Transport(h)}), "200 hello")
		wantText(t, "asked for", r.asked(), "list, list write")
		wantText(t, "what read may", get(t, r.scoped("read")), "200 hello")
		wantText(t, "asked for", r.asked(), "list, list write, read")
	})
}

func TestSupersededTargetsAreNotKeptFresh(t *testing.T) {
	less := func(_ cctest.RecordedRequest, m map[string]any) { m["scope"] = "read" }
	for name, o := range map[string]cctest.Options{"granted": {}, "not granted": {TokenResponse: less}} {
		inStepUpBubble(t, o, func(t *testing.T, r *rig) {
			for i := range 5 {
				get(t, r.resource(&challenging{status: 403, header: func(int) string {
					return fmt.Sprintf(`Bearer error="insufficient_scope", scope="s%d"`, i)
				}}))
				time.Sleep(2 * time.Minute)
			}
			before := len(r.as.TokenRequests())
			if before != 6 {
				t.Errorf("%s: %d token requests", name, before)
			}
			time.Sleep(10 * time.Hour)
			synctest.Wait()
			// The last target's, and that of the Client itself: each about every 50 minutes.
			if n := len(r.as.TokenRequests()) - before; n > 30 {
				t.Errorf("%s: %d token requests in ten idle hours", name, n)
			}
		}, func(cfg *ccclient.Config) { cfg.Cache.KeepFresh = true })
	}
}

func TestChallengeOfForeignHostIsNotHeard(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		thief := &challenging{status: 403, header: func(int) string { return `Bearer error="insufficient_scope", scope="write"` }}
		base := cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Host == "thief.example.com" {
				thief.ServeHTTP(w, req)
				return
			}
			http.Redirect(w, req, "https://thief.example.com/", http.StatusTemporaryRedirect)
		}))
		client := &http.Client{Transport: r.Transport(base)}
		wantText(t, "answer after a redirect", get(t, client), "403 more")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://thief.example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Basic x")
		resp, err := client.Do(req)
		wantText(t, "answer to the caller's own", read(t, resp, err), "403 more")
		wantText(t, "asked for", r.asked(), "read")
	})
}

func claimsChallenge(claims string) string {
	return `Bearer realm="", authorization_uri="https://login.example.com/authorize", error="insufficient_claims", claims="` +
		base64.StdEncoding.EncodeToString([]byte(claims)) + `"`
}

func TestClaimsChallengeIsMetByClaims(t *testing.T) {
	const notBefore = `{"access_token":{"nbf":{"essential":true,"value":"1702682181"}}}`
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		client := r.resource(r.as.ProtectClaims(http.HandlerFunc(hello), notBefore))
		for range 3 {
			wantText(t, "answer", get(t, client), "200 hello")
		}
		r.wantRequests(2)
		requests := r.as.TokenRequests()
		wantText(t, "claims at first", requests[0].Form.Get("claims"), `{"access_token":{"xms_cc":{"values":["cp1"]}}}`)
		wantText(t, "claims", requests[1].Form.Get("claims"),
			`{"access_token":{"nbf":{"essential":true,"value":"1702682181"},"xms_cc":{"values":["cp1"]}}}`)
		wantText(t, "scope", requests[1].Form.Get("scope"), "read")
		wantText(t, "what write may", get(t, r.scoped("write")), "403 ") // too soon
		time.Sleep(time.Second)
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
		last := r.as.TokenRequests()[2].Form
		wantText(t, "claims, kept", last.Get("claims"), requests[1].Form.Get("claims"))
		wantText(t, "scope", last.Get("scope"), "read write")
	}, func(cfg *ccclient.Config) {
		cfg.EndpointParams = url.Values{"claims": {`{"access_token":{"xms_cc":{"values":["cp1"]}}}`}}
	})
}

func TestClaimsOfTheConfigThatCannotBeMergedStay(t *testing.T) {
	for _, own := range [][]string{{"[]"}, {"no JSON"}, {"{}", "{}"}} {
		inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
			wantText(t, "answer", get(t, r.resource(r.as.ProtectClaims(http.HandlerFunc(hello), `{"a":1}`))), "401 ")
			for _, req := range r.as.TokenRequests() {
				wantText(t, "claims", fmt.Sprint(req.Form["claims"]), fmt.Sprint(own))
			}
		}, func(cfg *ccclient.Config) { cfg.EndpointParams = url.Values{"claims": own} })
	}
}

func TestLaterClaimsReplaceEarlierOnes(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		api := &challenging{status: 401, header: func(call int) string {
			return claimsChallenge(fmt.Sprintf(`{"access_token":{"nbf":{"value":"%d"}}}`, call))
		}}
		get(t, r.resource(api))
		time.Sleep(time.Minute)
		get(t, r.resource(api))
		requests := r.as.TokenRequests()
		wantText(t, "claims", requests[1].Form.Get("claims"), `{"access_token":{"nbf":{"value":"1"}}}`)
		wantText(t, "claims", requests[2].Form.Get("claims"), `{"access_token":{"nbf":{"value":"3"}}}`)
	})
}

func TestEveryChallengeOtherClaimsMintsFewTokens(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		api := &challenging{status: 401, header: func(call int) string {
			return claimsChallenge(fmt.Sprintf(`{"access_token":{"c%d":null}}`, call))
		}}
		client := r.resource(api)
		for range 3600 {
			get(t, client)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		// A new target at most once a minute, whose token may be rejected as any other: 7 times in its first minute.
		if n := len(r.as.TokenRequests()); n > 8*60+20 {
			t.Errorf("%d token requests in an hour", n)
		}
		for _, req := range r.as.TokenRequests() {
			if n := len(req.Form.Get("claims")); n > 8<<10 {
				t.Errorf("claims of %d bytes", n)
			}
		}
	})
}

func TestSameClaimsAgainRejectTheToken(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		api := &challenging{status: 401, header: func(int) string { return claimsChallenge(`{"access_token":{"acrs":{"value":"c1"}}}`) }}
		get(t, r.resource(api))
		r.wantRequests(2)
		time.Sleep(time.Minute)
		get(t, r.resource(api)) // Another token with the same claims may do: that one may have been revoked.
		r.wantRequests(3)
		if api.calls != 4 {
			t.Errorf("the API got %d requests for two calls", api.calls)
		}
	})
}

func TestClaimsThatServerRefusesRejectTheToken(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		r.token()
		refuse := r.as.ProtectClaims(http.HandlerFunc(hello), `{"access_token":{"x":null}}`)
		r.as.FailNext(1, http.StatusBadRequest, nil)
		wantText(t, "answer", get(t, r.resource(refuse)), "401 ")
		r.wantRequests(3) // with the claims, and without
		wantText(t, "claims", r.as.TokenRequests()[2].Form.Get("claims"), "")
	})
}

func TestStepUpWithDPoP(t *testing.T) {
	inStepUpBubble(t, cctest.Options{DPoPNonce: true}, func(t *testing.T, r *rig) {
		wantText(t, "what write may", get(t, r.scoped("write")), "200 hello")
		wantText(t, "again", get(t, r.scoped("write")), "200 hello")
	}, func(cfg *ccclient.Config) { cfg.DPoPKey = testKey(t, "p256.sec1.pem") })
}

func TestStepUpIsLogged(t *testing.T) {
	var log strings.Builder
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	inStepUpBubble(t, cctest.Options{Scopes: []string{"read", "write"}}, func(t *testing.T, r *rig) {
		get(t, r.scoped("write"))
		time.Sleep(time.Minute)
		client := r.scoped("admin")
		get(t, client)
		get(t, client)
		const want = `level=INFO msg="a resource asked for more: tokens have it from now on" client_id=client server=as.example.com scopes="[read write]"` + "\n" +
			`level=WARN msg="a resource asked for more, and there is no token that has it" client_id=client server=as.example.com error="ccclient: token request of client`
		if got := log.String(); !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 2 {
			t.Errorf("logged %s", got)
		}
	}, func(cfg *ccclient.Config) { cfg.Logger = logger })
}

func TestStepUpSourceIsWhatTransportSpends(t *testing.T) {
	inStepUpBubble(t, cctest.Options{}, func(t *testing.T, r *rig) {
		tr := r.Transport(nil)
		wantText(t, "source", fmt.Sprintf("%+v", tr.Source), fmt.Sprintf("%+v", r.Client))
		if _, ok := tr.Source.(transport.Invalidator); !ok {
			t.Error("the source hears of no rejection")
		}
	})
}

func TestStepUpIsKeptWhenTheCertificateRotates(t *testing.T) {
	m := newMutual(t, false, orders)
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	var wanted atomic.Pointer[string]
	wants := func(scope string) { wanted.Store(&scope) }
	wants("read")
	m.api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.as.ProtectScopes(echo, *wanted.Load()).ServeHTTP(w, r)
	})
	c, source := m.rotates(func(cfg *ccclient.Config) { cfg.StepUp, cfg.Scopes = true, []string{"read"} })
	wants("write")
	m.call(c)
	m.call(c)
	m.wantRequests(2)
	source.Store(m.issue("new"))
	m.as.RevokeAll()
	m.call(c)
	m.waitForTheEndOf("old")
	m.call(c)
	m.wantRequests(3)
	for _, req := range m.as.TokenRequests()[1:] {
		wantText(t, "asked for", req.Form.Get("scope"), "read write")
	}
	time.Sleep(time.Second) // the spacing
	wants("list")
	m.call(c)
	m.wantRequests(4)
}
