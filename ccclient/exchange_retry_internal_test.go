package ccclient

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
	"github.com/ccclient/go-ccclient/transport"
)

// A script is a server in memory: one function an attempt, the last for all
// further ones. It keeps what it was sent.
type script struct {
	steps    []func(*http.Request) (*http.Response, error)
	requests []*http.Request
	forms    []url.Values
	times    []time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	s.requests, s.forms, s.times = append(s.requests, r), append(s.forms, form), append(s.times, time.Now())
	step := s.steps[min(len(s.requests), len(s.steps))-1]
	return step(r)
}

type step = func(*http.Request) (*http.Response, error)

// respond answers with JSON, and header fields as name and value in turn.
func respond(status int, body string, header ...string) step {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{
			StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r,
		}, nil
	}
}

func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs answers never, and gives way to the request's context.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

var granted = respond(200, `{"access_token":"abc","token_type":"Bearer","expires_in":3600}`)

func scripted(steps ...step) (*exchanger, *script) {
	s := &script{steps: steps}
	return newExchanger(exchanger{
		clientID: "client", auth: ClientSecretBasic(SecretString("canary-secret")), client: &http.Client{Transport: s},
	}), s
}

// at returns x for a fixed token endpoint.
func (x *exchanger) at(tokenURL string) *exchanger {
	there := *x
	there.endpoints = endpoints{fixed: endpoint.Endpoint{URL: tokenURL}}
	return &there
}

func ask(ctx context.Context, x *exchanger) (*oauth2.Token, error) {
	return x.at("https://as.example/token?realm=a").fetch(ctx, url.Values{"scope": {"read"}})
}

func TestTokenRequestIsAsRFC6749WantsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := scripted(granted)
		jar := &countingJar{}
		x.client = &http.Client{Transport: s, Jar: jar}
		tok, err := x.at("https://as.example/token?realm=a").fetch(t.Context(), url.Values{
			"scope": {""}, "audience": {"https://api.example"}, "resource": {"https://a.example", "https://b.example"},
			"none": nil,
		})
		if err != nil || tok.AccessToken != "abc" || !tok.Expiry.Equal(time.Now().Add(time.Hour)) {
			t.Fatalf("%v, %v", tok, err)
		}
		req, form := s.requests[0], s.forms[0]
		if req.Method != "POST" || req.URL.String() != "https://as.example/token?realm=a" {
			t.Errorf("%s %s", req.Method, req.URL)
		}
		for name, want := range map[string]string{
			"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded",
			"Authorization": "Basic Y2xpZW50OmNhbmFyeS1zZWNyZXQ=",
		} {
			if got := req.Header[name]; len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		want := url.Values{"grant_type": {"client_credentials"}, "audience": {"https://api.example"},
			"resource": {"https://a.example", "https://b.example"}}
		if form.Encode() != want.Encode() {
			t.Errorf("form %v", form)
		}
		if jar.calls != 0 {
			t.Error("cookies were used")
		}
	})
}

type countingJar struct{ calls int }

func (j *countingJar) SetCookies(*url.URL, []*http.Cookie) { j.calls++ }
func (j *countingJar) Cookies(*url.URL) (_ []*http.Cookie) { j.calls++; return nil }

func TestFormOverridesTheGrantType(t *testing.T) {
	x, s := scripted(granted)
	if _, err := x.at("https://as.example/token").fetch(t.Context(), url.Values{"grant_type": {"account_credentials"}}); err != nil {
		t.Fatal(err)
	}
	if got := s.forms[0]["grant_type"]; len(got) != 1 || got[0] != "account_credentials" {
		t.Errorf("grant_type %q", got)
	}
}

func TestWhatMayPassIsAttemptedAgainAndNothingElse(t *testing.T) {
	again := map[string]step{
		"connection refused":      fails(&net.OpError{Op: "dial", Err: errors.New("connection refused")}),
		"408":                     respond(408, ""),
		"425":                     respond(425, ""),
		"429":                     respond(429, `{"error":"invalid_request"}`),
		"500":                     respond(500, ""),
		"502 with HTML":           respond(502, "<html>", "Content-Type", "text/html"),
		"503":                     respond(503, `{"error":"server_error"}`),
		"504":                     respond(504, ""),
		"599":                     respond(599, ""),
		"temporarily_unavailable": respond(400, `{"error":"temporarily_unavailable"}`),
		"no answer":               hangs,
		"broken off": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{},
				Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"acc`), broken{}))}, nil
		},
	}
	for name, fault := range again {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, s := scripted(fault, fault, granted)
				if _, err := ask(t.Context(), x); err != nil || len(s.requests) != 3 {
					t.Errorf("%d requests, %v", len(s.requests), err)
				}
				x, s = scripted(fault)
				_, err := ask(t.Context(), x)
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Attempts != 3 || len(s.requests) != 3 {
					t.Errorf("%d requests, %+v", len(s.requests), err)
				}
				if !e.Temporary() {
					t.Error("said to be no matter of time")
				}
			})
		})
	}
	never := map[string]step{
		"invalid_client":     respond(401, `{"error":"invalid_client"}`),
		"invalid_scope":      respond(400, `{"error":"invalid_scope"}`),
		"unknown 400":        respond(400, `{"error":"quota"}`),
		"404":                respond(404, ""),
		"302":                respond(302, "", "Location", "https://elsewhere.example/"),
		"500 invalid_client": respond(500, `{"error":"invalid_client"}`),
		"HTML":               respond(200, "<html>", "Content-Type", "text/html"),
		"truncated":          respond(200, `{"access_token":"abc`),
		"expired":            respond(200, `{"access_token":"abc","expires_in":-1}`),
		"oversized":          respond(200, `{"access_token":"`+strings.Repeat("a", tokenresponse.MaxBytes)+`"}`),
		"unknown authority":  fails(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}),
		"other host":         fails(&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}, Host: "as.example"}}),
		"plain HTTP":         fails(http.ErrSchemeMismatch),
	}
	for name, fault := range never {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, s := scripted(fault, granted)
				_, err := ask(t.Context(), x)
				if e, ok := errors.AsType[*Error](err); !ok || e.Attempts != 1 || len(s.requests) != 1 {
					t.Errorf("%d requests, %v", len(s.requests), err)
				}
			})
		})
	}
}

func TestRefusalWhoseBodyBreaksOffIsARefusal(t *testing.T) {
	x, s := scripted(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 401, Header: http.Header{}, Body: io.NopCloser(broken{})}, nil
	})
	if _, err := ask(t.Context(), x); !errors.Is(err, InvalidClient) || len(s.requests) != 1 {
		t.Errorf("%d requests, %v", len(s.requests), err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestPausesAreJitteredAndGrowToTheirLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var longest [6]time.Duration
		for range 200 {
			x, s := scripted(respond(503, ""))
			x.retry = Retry{MaxAttempts: 6}.withDefaults()
			if _, err := ask(t.Context(), x); err == nil {
				t.Fatal("a token")
			}
			for i := 1; i < len(s.times); i++ {
				longest[i] = max(longest[i], s.times[i].Sub(s.times[i-1]))
			}
		}
		for i, limit := range []time.Duration{0, 200, 400, 800, 1600, 2000} {
			limit *= time.Millisecond
			if longest[i] > limit || longest[i] < limit/2 {
				t.Errorf("the longest of 200 pauses before attempt %d is %v; want near %v", i+1, longest[i], limit)
			}
		}
	})
}

func TestRetryAfterIsHonouredWithinTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := respond(429, "", "Retry-After", "5")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		x, s := scripted(busy, granted)
		if _, err := ask(ctx, x); err != nil {
			t.Fatal(err)
		}
		if pause := s.times[1].Sub(s.times[0]); pause < 5*time.Second || pause > 5200*time.Millisecond {
			t.Errorf("attempted again after %v", pause)
		}

		ctx, cancel = context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		began := time.Now()
		x, s = scripted(busy, granted)
		_, err := ask(ctx, x)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.RetryAfter != 5*time.Second || len(s.requests) != 1 || time.Since(began) != 0 {
			t.Errorf("%d requests, %v after %v", len(s.requests), err, time.Since(began))
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("the deadline had not passed")
		}

		// Without a deadline nobody means to wait for an hour.
		x, s = scripted(respond(503, "", "Retry-After", "3600"), granted)
		if _, err := ask(context.WithoutCancel(t.Context()), x); err == nil || len(s.requests) != 1 {
			t.Errorf("%d requests, %v", len(s.requests), err)
		}
	})
}

func TestCallerWhoGivesUpGetsItsOwnErrorAtOnce(t *testing.T) {
	cause := errors.New("shutting down")
	for name, fault := range map[string]step{"while it waits for the answer": hangs,
		"in a pause": respond(503, "", "Retry-After", "10")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				began := time.Now()
				time.AfterFunc(time.Second, func() { cancel(cause) })
				x, s := scripted(fault)
				_, err := ask(ctx, x)
				if !errors.Is(err, context.Canceled) || time.Since(began) != time.Second || len(s.requests) != 1 {
					t.Errorf("%d requests, %v after %v", len(s.requests), err, time.Since(began))
				}
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Errorf("%T is no *Error", err)
				}
			})
		})
	}
	t.Run("by a deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			x, s := scripted(hangs)
			if _, err := ask(ctx, x); !errors.Is(err, context.DeadlineExceeded) || len(s.requests) != 1 {
				t.Errorf("%d requests, %v", len(s.requests), err)
			}
		})
	})
}

func TestAttemptHasATimeOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, s := scripted(hangs, granted)
		began := time.Now()
		if _, err := ask(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if took := s.times[1].Sub(began); took < 10*time.Second || took > 10200*time.Millisecond {
			t.Errorf("attempted again after %v", took)
		}
		x, _ = scripted(hangs)
		x.client.Timeout = 2 * time.Second // of the user's client
		x = newExchanger(*x)
		began = time.Now()
		_, err := ask(t.Context(), x)
		if took := time.Since(began); took < 6*time.Second || took > 7*time.Second {
			t.Errorf("three attempts of 2 s took %v", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(),
			"to as.example (3 attempts): no answer in time") {
			t.Error(err)
		}
	})
}

func TestExpiryCountsFromWhenTheSuccessfulAttemptWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(r *http.Request) (*http.Response, error) {
			time.Sleep(3 * time.Second)
			return granted(r)
		}
		x, s := scripted(respond(503, ""), slow)
		tok, err := ask(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if want := s.times[1].Add(time.Hour); !tok.Expiry.Equal(want) {
			t.Errorf("expires %v after the attempt was sent", tok.Expiry.Sub(s.times[1]))
		}
	})
}

func TestEachAttemptAuthenticatesAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		x, s := scripted(respond(503, ""), respond(503, ""), granted)
		x.auth = AuthFunc(func(context.Context, Request) (Credentials, error) {
			n++
			return Credentials{Form: url.Values{"client_assertion": {fmt.Sprint("jti-", n)}}}, nil
		})
		if _, err := ask(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		for i, form := range s.forms {
			if got, want := form["client_assertion"], fmt.Sprint("jti-", i+1); len(got) != 1 || got[0] != want {
				t.Errorf("attempt %d sent %q", i+1, got)
			}
		}
	})
}

func TestRedirectsOfTheTokenEndpointAreNeverFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{"https://evil.example/token?x=canary-query", "%zz?canary-query", ""} {
			x, s := scripted(respond(status, "", "Location", location), granted)
			_, err := ask(t.Context(), x)
			if err == nil || len(s.requests) != 1 {
				t.Errorf("%d: %d requests, %v", status, len(s.requests), err)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%d: %v", status, err)
			}
			if strings.Contains(location, "evil") && !strings.Contains(err.Error(), "host evil.example") {
				t.Errorf("%d: %v does not name the host", status, err)
			}
		}
	}
}

func TestOversizedAnswerIsReadNoFurtherThanItsLimit(t *testing.T) {
	for status, want := range map[int]string{200: "larger than 1048576 bytes", 401: "client_secret_basic was refused",
		503: "answered with 503"} {
		endless := &endlessBody{}
		x, _ := scripted(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: endless}, nil
		})
		x.retry.MaxAttempts = 1
		_, err := ask(t.Context(), x)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", status, err)
		}
		if endless.read > tokenresponse.MaxBytes+64<<10 || !endless.closed {
			t.Errorf("%d: read %d bytes, closed: %v", status, endless.read, endless.closed)
		}
	}
}

type endlessBody struct {
	read   int
	closed bool
}

func (b *endlessBody) Read(p []byte) (int, error) { b.read += len(p); return len(p), nil }
func (b *endlessBody) Close() error               { b.closed = true; return nil }

func TestRotatedSecretIsTriedAtOnceAfterARefusal(t *testing.T) {
	refused := respond(401, `{"error":"invalid_client"}`)
	synctest.Test(t, func(t *testing.T) {
		secrets := []string{"old", "new"} // what the source gives, in turn; the last for good
		asked := 0
		source := func(context.Context) (string, error) {
			asked++
			return secrets[min(asked, len(secrets))-1], nil
		}
		for name, auth := range map[string]Auth{
			"a method": ClientSecretPost(source),
			"wrapped up": AuthFunc(func(ctx context.Context, r Request) (Credentials, error) {
				return ClientSecretPost(source).Authenticate(ctx, r)
			}),
		} {
			asked = 0
			began := time.Now()
			x, s := scripted(refused, granted)
			x.auth = auth
			_, err := ask(t.Context(), x)
			if err != nil || len(s.forms) != 2 || s.forms[0].Get("client_secret") != "old" ||
				s.forms[1].Get("client_secret") != "new" || time.Since(began) != 0 {
				t.Errorf("%s: %d requests, %v", name, len(s.forms), err)
			}
		}

		// The same secret is not sent again; it is asked for once.
		secrets, asked = []string{"old"}, 0
		x, s := scripted(refused, granted)
		x.auth = ClientSecretPost(source)
		_, err := ask(t.Context(), x)
		if !errors.Is(err, InvalidClient) || len(s.requests) != 1 || asked != 2 {
			t.Errorf("%d requests, asked %d times: %v", len(s.requests), asked, err)
		}
		e, _ := errors.AsType[*Error](err)
		if e.Temporary() || e.Outdated(t.Context()) {
			t.Error("outdated though nothing changed")
		}
		secrets = []string{"new"}
		if !e.Outdated(t.Context()) {
			t.Error("not outdated after a rotation")
		}

		// A source that changes its mind each time gets one repetition, no more.
		n := 0
		x, s = scripted(refused)
		x.auth = ClientSecretPost(func(context.Context) (string, error) { n++; return fmt.Sprint(n), nil })
		if _, err := ask(t.Context(), x); err == nil || len(s.requests) != 2 {
			t.Errorf("%d requests, %v", len(s.requests), err)
		}
	})
}

func TestServersFailureLeavesTheSecretsSourceInPeace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		x, _ := scripted(respond(503, ""))
		x.auth = ClientSecretPost(func(context.Context) (string, error) { asked++; return fmt.Sprint(asked), nil })
		_, err := ask(t.Context(), x)
		e, _ := errors.AsType[*Error](err)
		if e.Outdated(t.Context()) || asked != 3 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestSecretThatComesBackEndsTheCooldown(t *testing.T) {
	vault := errors.New("the vault is sealed")
	sealed := vault
	x, s := scripted(granted)
	x.auth = ClientSecretPost(func(context.Context) (string, error) { return "secret", sealed })
	_, err := ask(t.Context(), x)
	e, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(err, vault) || len(s.requests) != 0 || !e.Temporary() ||
		!strings.HasPrefix(err.Error(), "ccclient: ") {
		t.Fatalf("%d requests, %v", len(s.requests), err)
	}
	if e.Outdated(t.Context()) {
		t.Error("outdated while the vault is sealed")
	}
	sealed = nil
	if !e.Outdated(t.Context()) {
		t.Error("not outdated after it was opened")
	}
}

func TestDPoPNonceIsLearnedAndTriedOnceBesideTheRetries(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := transport.NewDPoP(key)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		demand := respond(400, `{"error":"use_dpop_nonce"}`, "DPoP-Nonce", "n-1")
		bound := respond(200, `{"access_token":"abc","token_type":"DPoP","expires_in":60}`)
		x, s := scripted(demand, bound)
		x.dpop, x.retry.MaxAttempts = proof, 1
		tok, err := ask(t.Context(), x)
		if err != nil || tok.TokenType != "DPoP" || len(s.requests) != 2 {
			t.Fatalf("%d requests, %v, %v", len(s.requests), tok, err)
		}
		first, second := s.requests[0].Header["Dpop"], s.requests[1].Header["Dpop"]
		if len(first) != 1 || len(second) != 1 || first[0] == second[0] {
			t.Errorf("proofs %q and %q", first, second)
		}

		x, s = scripted(demand)
		x.dpop = proof
		if _, err := ask(t.Context(), x); !errors.Is(err, UseDPoPNonce) || len(s.requests) != 2 {
			t.Errorf("%d requests, %v", len(s.requests), err)
		}
		x, s = scripted(respond(400, `{"error":"use_dpop_nonce"}`)) // but gives none
		x.dpop = proof
		if _, err := ask(t.Context(), x); !errors.Is(err, UseDPoPNonce) || len(s.requests) != 1 {
			t.Errorf("%d requests, %v", len(s.requests), err)
		}
		x, _ = scripted(granted) // a Bearer token
		x.dpop = proof
		if _, err := ask(t.Context(), x); !errors.Is(err, tokenresponse.ErrNotBound) {
			t.Errorf("a downgrade: %v", err)
		}
	})
}

func TestNetworkErrorsStayRecognisableWithoutTheURL(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	// As a RoundTripper does that is made of an http.Client.
	x, _ := scripted(fails(&url.Error{Op: "Post", URL: "https://as.example/token?api-key=canary", Err: dial}))
	x.retry.MaxAttempts = 1
	_, err := ask(t.Context(), x)
	if op, ok := errors.AsType[*net.OpError](err); !ok || op != dial {
		t.Errorf("%v has lost its cause", err)
	}
	if _, ok := errors.AsType[*url.Error](err); ok || strings.Contains(err.Error(), "canary") ||
		!strings.Contains(err.Error(), "to as.example: ") {
		t.Errorf("%v shows the URL", err)
	}

	x, _ = scripted(func(r *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("cannot send %v: %w", r.Header, context.DeadlineExceeded)
	})
	x.retry.MaxAttempts = 1
	if _, err := ask(t.Context(), x); !errors.Is(err, context.DeadlineExceeded) ||
		strings.Contains(err.Error(), "Y2xpZW50OmNhbmFyeS1zZWNyZXQ") {
		t.Errorf("%v shows the header", err)
	}
}

func TestTLSErrorsSayWhatToConfigure(t *testing.T) {
	for want, fault := range map[string]error{
		"RootCAs in Config.TLS":     &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"check the scheme":          http.ErrSchemeMismatch,
		"client certificate, which": &net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")},
	} {
		x, _ := scripted(fails(fault))
		x.retry.MaxAttempts = 1
		if _, err := ask(t.Context(), x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

func TestAttemptsAreLoggedWithoutSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		x, _ := scripted(
			respond(503, ""),
			fails(errors.New("canary-secret")),
			respond(200, `{"access_token":"canary-token","token_type":"Bearer","expires_in":60}`),
		)
		x.observer = newObserver(&Config{
			Logger: slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if _, err := ask(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		logged := out.String()
		if n := strings.Count(logged, "\n"); n != 3 || strings.Count(logged, `"level":"DEBUG"`) != 3 ||
			strings.Contains(logged, "canary") || !strings.Contains(logged, "as.example") {
			t.Error(logged)
		}
		out.Reset()
		x.observer = newObserver(&Config{Logger: slog.New(slog.NewJSONHandler(&out, nil))})
		if _, err := ask(t.Context(), x); err != nil || out.Len() != 0 {
			t.Errorf("logged above debug: %s", out.String())
		}
	})
}

func TestWhatIsBrokenAroundARequestIsAnErrorNotAPanic(t *testing.T) {
	x, s := scripted(granted)
	x.auth = AuthFunc(func(context.Context, Request) (Credentials, error) { return Credentials{}, nil })
	if _, err := ask(t.Context(), x); err != nil || len(s.requests) != 1 {
		t.Error(err)
	}
	x.auth = AuthFunc(func(context.Context, Request) (Credentials, error) { return Credentials{}, errors.New("no") })
	if _, err := ask(t.Context(), x); err == nil {
		t.Error("no error")
	}
	x, s = scripted(granted)
	_, err := x.at("https://as.example/%zz").fetch(t.Context(), nil)
	if e, ok := errors.AsType[*Error](err); !ok || e.Attempts != 1 || len(s.requests) != 0 {
		t.Errorf("a broken URL: %v", err)
	}
	x, _ = scripted(func(*http.Request) (*http.Response, error) { return nil, nil })
	x.retry.MaxAttempts = 1
	if _, err := ask(t.Context(), x); err == nil {
		t.Error("no error from a RoundTripper that gives nothing")
	}
	x, _ = scripted(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil })
	if _, err := ask(t.Context(), x); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("no body: %v", err)
	}
}
