package cctest_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestZeroOptionsGiveAWorkingServer(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	defer s.Close()
	got := do(t, s.RoundTripper(), grant(t, "scope", "read write"))
	if got.status != http.StatusOK || got.str("token_type") != "Bearer" || got.members["expires_in"] != 3600.0 ||
		got.str("scope") != "read write" {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	if got.header.Get("Cache-Control") != "no-store" {
		t.Error("a token response may be stored by a cache")
	}
	if got := call(t, s.Protect(ok), "Bearer "+got.str("access_token")); got.status != http.StatusOK ||
		got.body != "ok" {
		t.Errorf("the resource answered %d %s", got.status, got.body)
	}
}

func TestZeroServerSaysThatNewServerMakesOne(t *testing.T) {
	var s cctest.Server
	defer s.Close()
	for name, got := range map[string]reply{
		"token":    do(t, s.RoundTripper(), grant(t)),
		"resource": call(t, s.Protect(ok), "Bearer token"),
	} {
		if got.status != http.StatusInternalServerError || !strings.Contains(got.body, "made by NewServer") {
			t.Errorf("%s: %d %q", name, got.status, got.body)
		}
	}
	if config := s.ClientTLS(); !config.RootCAs.Equal(x509.NewCertPool()) {
		t.Error("a zero server has a CA")
	}
	if _, err := s.CA().Issue("client"); err == nil || !strings.Contains(err.Error(), "made by NewCA") {
		t.Error(err)
	}
	s.FailNext(1, 500, nil)
	s.SetLifetime(0)
	s.RevokeAll()
	s.RotateDPoPNonces()
}

func TestTokenRequestsAreCheckedByTheRFC(t *testing.T) {
	s := cctest.NewServer(cctest.Options{
		Scopes:  []string{"a", "b", "c"},
		Clients: []cctest.Registration{{ID: "client", Secret: "secret", Scopes: []string{"a", "b"}}},
	})
	basic := func(r *http.Request) { r.SetBasicAuth("client", "secret") }
	cc := []string{"grant_type", "client_credentials"}
	with := func(pairs ...string) []string { return append(append([]string{}, cc...), pairs...) }
	for _, test := range []struct {
		name   string
		form   []string
		change func(*http.Request)
		status int
		code   string
	}{
		{"right", cc, basic, 200, ""},
		{"post", with("client_id", "client", "client_secret", "secret"), nil, 200, ""},
		{"basic with its client_id", with("client_id", "client"), basic, 200, ""},
		{"resources", with("resource", "https://a.example", "resource", "urn:b"), basic, 200, ""},
		{"an unknown parameter, twice", with("x", "1", "x", "2"), basic, 200, ""},
		{"no grant type", nil, basic, 400, "invalid_request"},
		{"another grant type", []string{"grant_type", "password"}, basic, 400, "unsupported_grant_type"},
		{"grant type twice", with(cc...), basic, 400, "invalid_request"},
		{"scope twice", with("scope", "a", "scope", "b"), basic, 400, "invalid_request"},
		{"empty scope", with("scope", ""), basic, 400, "invalid_request"},
		{"scope of nobody", with("scope", "d"), basic, 400, "invalid_scope"},
		{"scope of others", with("scope", "a c"), basic, 400, "invalid_scope"},
		{"two spaces", with("scope", "a  b"), basic, 400, "invalid_scope"},
		{"a quote in a scope", with("scope", `a"`), basic, 400, "invalid_scope"},
		{"relative resource", with("resource", "/api"), basic, 400, "invalid_target"},
		{"resource with a fragment", with("resource", "https://a.example/#"), basic, 400, "invalid_target"},
		{"no authentication", with("client_id", "client"), nil, 401, "invalid_client"},
		{"wrong secret", cc, func(r *http.Request) { r.SetBasicAuth("client", "Secret") }, 401, "invalid_client"},
		{"wrong secret in the body", with("client_id", "client", "client_secret", "x"), nil, 401, "invalid_client"},
		{"unknown client", cc, func(r *http.Request) { r.SetBasicAuth("nobody", "secret") }, 401, "invalid_client"},
		{"another scheme", cc, func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401,
			"invalid_client"},
		{"basic that is not base64", cc, func(r *http.Request) { r.Header.Set("Authorization", "Basic ***") }, 401,
			"invalid_client"},
		{"basic without a colon", cc, func(r *http.Request) { r.Header.Set("Authorization", "Basic Y2xpZW50") }, 401,
			"invalid_client"},
		{"two methods", with("client_id", "client", "client_secret", "secret"), basic, 400, "invalid_request"},
		{"two Authorization headers", cc, func(r *http.Request) {
			basic(r)
			r.Header.Add("Authorization",
				r.Header.Get("Authorization"))
		}, 400, "invalid_request"},
		{"another client_id", with("client_id", "other"), basic, 400, "invalid_request"},
		{"GET", cc, func(r *http.Request) { basic(r); r.Method = "GET" }, 405, "invalid_request"},
		{"JSON", cc, func(r *http.Request) { basic(r); r.Header.Set("Content-Type", "application/json") }, 400,
			"invalid_request"},
		{"secret in the URL", with("client_id", "client"),
			func(r *http.Request) { r.URL.RawQuery = "client_secret=secret" }, 400, "invalid_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := form(t.Context(), tokenURL, test.form...)
			if test.change != nil {
				test.change(r)
			}
			got := do(t, s.RoundTripper(), r)
			if got.status != test.status || got.str("error") != test.code {
				t.Fatalf("got %d %s, want %d %s", got.status, got.body, test.status, test.code)
			}
			if got.status == 401 && !strings.HasPrefix(got.header.Get("WWW-Authenticate"), "Basic ") {
				t.Error("401 without a challenge")
			}
			requests := s.TokenRequests()
			if last := requests[len(requests)-1]; last.Status != test.status || last.Error != test.code {
				t.Errorf("recorded %+v", last)
			}
		})
	}
}

// The vectors are those of RFC 6749 as recomputed with another language's form encoder.
func TestBasicIsFormDecodedUnlessTheClientIsKnownNotToEncode(t *testing.T) {
	const (
		id, secret = "1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw="
		encoded    = "Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA=="
		plain      = "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"
	)
	raw := func(id, secret string) string {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth(id, secret)
		return r.Header.Get("Authorization")
	}
	for _, test := range []struct {
		name          string
		client        cctest.Registration
		authorization string
		method        string // empty: refused
	}{
		{"encoded", cctest.Registration{ID: id, Secret: secret}, encoded, cctest.ClientSecretBasic},
		{"raw", cctest.Registration{ID: id, Secret: secret}, raw(id, secret), ""},
		{"encoded, where raw is registered", cctest.Registration{ID: id, Secret: secret,
			AuthMethods: []string{cctest.ClientSecretBasicUnencoded}}, encoded, ""},
		{"raw, where raw is registered", cctest.Registration{ID: id, Secret: secret,
			AuthMethods: []string{cctest.ClientSecretBasicUnencoded}}, raw(id, secret),
			cctest.ClientSecretBasicUnencoded},
		{"nothing to encode", cctest.Registration{ID: "s6BhdRkqt3", Secret: "gX1fBat3bV"}, plain,
			cctest.ClientSecretBasic},
		{"not decodable", cctest.Registration{ID: "x", Secret: "100%"}, raw("x", "100%"), ""},
		{"not decodable, raw", cctest.Registration{ID: "x", Secret: "100%",
			AuthMethods: []string{cctest.ClientSecretBasicUnencoded}}, raw("x", "100%"),
			cctest.ClientSecretBasicUnencoded},
		{"no secret registered", cctest.Registration{ID: "x", AuthMethods: []string{cctest.ClientSecretBasic}},
			raw("x", ""), ""},
		{"post registered", cctest.Registration{ID: "x", Secret: "y", AuthMethods: []string{cctest.ClientSecretPost}},
			raw("x", "y"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{test.client}})
			r := grant(t)
			r.Header.Set("Authorization", test.authorization)
			got := do(t, s.RoundTripper(), r)
			if test.method == "" {
				if got.status != 401 || got.str("error") != "invalid_client" {
					t.Fatalf("got %d %s", got.status, got.body)
				}
				return
			}
			if last := s.TokenRequests()[0]; got.status != 200 || last.AuthMethod != test.method ||
				last.ClientID != test.client.ID {
				t.Fatalf("got %d %s, recorded %+v", got.status, got.body, last)
			}
		})
	}
}

func TestTokensExpireAndLifetimesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{Lifetime: 3 * time.Second})
		defer s.Close()
		token := newToken(t, s)
		time.Sleep(3*time.Second - 1)
		if got := call(t, s.Protect(ok), "Bearer "+token); got.status != 200 {
			t.Fatalf("before its expiry: %d", got.status)
		}
		time.Sleep(time.Nanosecond)
		if got := call(t, s.Protect(ok), "Bearer "+token); got.status != 401 ||
			!strings.Contains(got.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Fatalf("at its expiry: %d %v", got.status, got.header)
		}
		for lifetime, want := range map[time.Duration]float64{
			1500 * time.Millisecond: 1,
			time.Millisecond:        1,
			-5 * time.Second:        -5,
			0:                       3600,
		} {
			s.SetLifetime(lifetime)
			if got := do(t, s.RoundTripper(), grant(t)); got.members["expires_in"] != want {
				t.Errorf("%v: expires_in is %v", lifetime, got.members["expires_in"])
			}
		}
	})
}

func TestDelayIsVirtualAndEndsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{})
		defer s.Close()
		s.SetDelay(time.Hour)
		start := time.Now()
		newToken(t, s)
		if took := time.Since(start); took != time.Hour {
			t.Errorf("took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		if _, err := s.RoundTripper().RoundTrip(grant(t).WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("gave up after %v", took)
		}
		synctest.Wait()
		if got := s.TokenRequests(); len(got) != 2 || got[0].Status != 200 || got[1].Status != 0 {
			t.Errorf("recorded %+v", got)
		}
	})
}

// The server may be made outside of the bubble that uses it.
func TestServerOfAnotherBubbleStillDelaysInVirtualTime(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	defer s.Close()
	s.SetDelay(time.Hour)
	synctest.Test(t, func(t *testing.T) { newToken(t, s) })
}

func TestFaultsComeInOrderAndEnd(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	s.FailNext(2, 503, http.Header{"retry-after": {"7"}})
	s.FailNextWith(1, 502, http.Header{"Content-Type": {"text/html"}}, []byte("<html>bad gateway"))
	s.FailNext(1, 307, http.Header{"Location": {"https://other.example/token"}})
	s.FailNext(1, 500, nil)
	s.FailNext(1, 400, nil)
	s.FailNext(1, 401, nil)
	s.FailNext(-1, 418, nil)
	for i, want := range []struct {
		status               int
		code, name, contents string
	}{
		{503, "temporarily_unavailable", "Retry-After", "7"},
		{503, "temporarily_unavailable", "Retry-After", "7"},
		{502, "", "Content-Type", "text/html"},
		{307, "", "Location", "https://other.example/token"},
		{500, "server_error", "Retry-After", ""},
		{400, "invalid_request", "Content-Type", "application/json"},
		{401, "invalid_client", "Content-Type", "application/json"},
		{200, "", "Content-Type", "application/json"},
	} {
		got := do(t, s.RoundTripper(), grant(t))
		if got.status != want.status || got.str("error") != want.code || got.header.Get(want.name) != want.contents {
			t.Errorf("%d: got %d %s %v, want %+v", i, got.status, got.body, got.header, want)
		}
	}
	s.SetDown(500)
	for range 3 {
		if got := do(t, s.RoundTripper(), grant(t)); got.status != 500 {
			t.Errorf("in the outage: %d", got.status)
		}
	}
	s.SetDown(cctest.NoAnswer)
	if _, err := s.RoundTripper().RoundTrip(grant(t)); !errors.Is(err, io.EOF) {
		t.Errorf("without an answer: %v", err)
	}
	s.SetDown(0)
	newToken(t, s)
	if got := s.Stats(); got.TokenRequests != 13 || got.TokensIssued != 2 {
		t.Errorf("counted %+v", got)
	}
}

func TestServerThatRepeatsItsTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{RepeatToken: true, Lifetime: 10 * time.Second})
		first := do(t, s.RoundTripper(), grant(t, "scope", "a"))
		time.Sleep(4 * time.Second)
		s.RevokeAll()
		again := do(t, s.RoundTripper(), grant(t, "scope", "a"))
		if again.str("access_token") != first.str("access_token") || again.members["expires_in"] != 6.0 {
			t.Errorf("got %s", again.body)
		}
		if other := newToken(t, s, "scope", "b"); other == first.str("access_token") {
			t.Error("another scope, the same token")
		}
		time.Sleep(6 * time.Second)
		if newToken(t, s, "scope", "a") == first.str("access_token") {
			t.Error("the token outlived itself")
		}
	})
}

func TestTokenResponseHookChangesWhatIsSent(t *testing.T) {
	s := cctest.NewServer(cctest.Options{TokenResponse: func(r cctest.RecordedRequest, m map[string]any) {
		delete(m, "expires_in")
		m["access_token"] = "the token of " + r.ClientID
		m["instance_url"] = "https://eu1.example"
	}})
	got := do(t, s.RoundTripper(), grant(t))
	if _, has := got.members["expires_in"]; has || got.str("instance_url") == "" ||
		got.str("access_token") != "the token of client" {
		t.Errorf("got %s", got.body)
	}
	if got := call(t, s.Protect(ok), "Bearer the token of client"); got.status != 200 {
		t.Errorf("the hook's token is not honoured: %d", got.status)
	}
}

func TestScopesDefaultToTheClients(t *testing.T) {
	s := cctest.NewServer(cctest.Options{Clients: []cctest.Registration{{ID: "client", Secret: "secret",
		Scopes: []string{"a", "b"}}}})
	if got := do(t, s.RoundTripper(), grant(t)); got.str("scope") != "a b" {
		t.Errorf("got %s", got.body)
	}
}

func TestTokenURLOfAnyProviderWillDo(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	for _, u := range []string{"https://as.example", "http://127.0.0.1/",
		"https://shop.example/admin/oauth/access_token", "https://login.example/tenant/oauth2/v2.0/token"} {
		r := form(t.Context(), u, "grant_type", "client_credentials", "client_id", "client", "client_secret", "secret")
		if got := do(t, s.RoundTripper(), r); got.status != 200 {
			t.Errorf("%s: %d %s", u, got.status, got.body)
		}
	}
}

func TestDeadTokensAreThrownAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{Lifetime: time.Minute})
		first := newToken(t, s)
		rejection := func() string {
			return call(t, s.Protect(ok), "Bearer "+first).header.Get("WWW-Authenticate")
		}
		for range 1023 {
			newToken(t, s)
		}
		time.Sleep(time.Minute)
		if got := rejection(); !strings.Contains(got, "has expired") {
			t.Errorf("before: %s", got)
		}
		last := newToken(t, s)
		if got := rejection(); !strings.Contains(got, "is not known") {
			t.Errorf("after: %s", got)
		}
		if got := call(t, s.Protect(ok), "Bearer "+last); got.status != 200 {
			t.Errorf("the last: %d", got.status)
		}
	})
}

// For the race detector, and for the virtual clock, which would stop if a goroutine waited on a lock that another
// holds while it sleeps.
func TestServerBearsConcurrentUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cctest.NewServer(cctest.Options{JWTAccessTokens: true, DPoPNonce: true})
		s.SetDelay(100 * time.Millisecond)
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				token := newToken(t, s, "scope", fmt.Sprint(i))
				if got := call(t, s.Protect(ok), "Bearer "+token); got.status != 200 {
					t.Errorf("got %d", got.status)
				}
				s.Revoke(token)
				s.SetLifetime(time.Hour)
				s.RotateDPoPNonces()
				s.TokenRequests()
				s.Stats()
			})
		}
		wg.Wait()
		if took := time.Since(start); took != 100*time.Millisecond || len(s.TokenRequests()) != 200 {
			t.Errorf("%d requests took %v", len(s.TokenRequests()), took)
		}
	})
}

func TestTokenRequestsAreRecordedWithoutSecrets(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	do(t, s.RoundTripper(), grant(t, "scope", "a b", "audience", "https://api.example"))
	do(t, s.RoundTripper(), form(t.Context(), "https://as.example/tenant/token?x=1", "client_id", "client",
		"client_secret", "secret", "client_assertion", "e30"))
	do(t, s.RoundTripper(), form(t.Context(), "https://as.example/token?client_secret=secret"))
	got := s.TokenRequests()
	if got[0].Form.Get("scope") != "a b" || got[0].ClientID != "client" ||
		got[0].AuthMethod != cctest.ClientSecretBasic || got[0].URL != "/token" {
		t.Errorf("recorded %+v", got[0])
	}
	if got[1].URL != "/tenant/token?x=1" || got[2].URL != "/token" {
		t.Errorf("recorded %+v", got[1:])
	}
	for _, r := range got {
		if r.Header.Get("Authorization") != "" || r.Form.Has("client_secret") || r.Form.Has("client_assertion") {
			t.Errorf("recorded %+v", r)
		}
	}
	got[0].Form.Set("scope", "changed")
	if s.TokenRequests()[0].Form.Get("scope") != "a b" {
		t.Error("the caller changed the server's record")
	}
}

func TestNothingPrintsSecretsOrTokens(t *testing.T) {
	const canary = "canary-secret"
	o := cctest.Options{Clients: []cctest.Registration{{ID: "client", Secret: canary}}}
	s := cctest.NewServer(o)
	r := grant(t)
	r.SetBasicAuth("client", canary)
	token := do(t, s.RoundTripper(), r).str("access_token")
	for _, v := range []any{s, o, o.Clients[0], &o, s.TokenRequests(), s.Handler(), s.RoundTripper(), s.Stats(),
		s.CA()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, canary) || strings.Contains(text, token) {
				t.Errorf("%s of %v leaks: %s", verb, reflect.TypeOf(v), text)
			}
		}
	}
}
