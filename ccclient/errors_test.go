package ccclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestErrorTellsInOneLineWhatHappenedAndWhatToDo(t *testing.T) {
	tests := []struct {
		err  *ccclient.Error
		want string
	}{
		{&ccclient.Error{Code: ccclient.InvalidClient, Description: "no such client", URI: "https://as.example/e",
			StatusCode: 401, Attempts: 1, Err: errors.New("not known"), Hint: "check it"},
			`ccclient: token request answered with 401: invalid_client: "no such client" (see "https://as.example/e"): not known: check it`},
		{&ccclient.Error{StatusCode: 503, Attempts: 3}, `ccclient: token request answered with 503 (3 attempts)`},
		{&ccclient.Error{Code: "a b\n", StatusCode: 400, Description: "line\nbreak"},
			`ccclient: token request answered with 400: "a b\n": "line\nbreak"`},
		{&ccclient.Error{Err: errors.New("as.example: connection refused"), Attempts: 2},
			`ccclient: token request (2 attempts): as.example: connection refused`},
		{&ccclient.Error{}, `ccclient: token request`},
	}
	for _, test := range tests {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestErrorsAreFoundByMeaningAndByData(t *testing.T) {
	err := fmt.Errorf("wrapped: %w", &ccclient.Error{Code: ccclient.InvalidScope, StatusCode: 400,
		Err: context.DeadlineExceeded})
	if !errors.Is(err, ccclient.InvalidScope) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error("errors.Is does not find the code and the cause")
	}
	if errors.Is(err, ccclient.InvalidClient) || errors.Is(err, context.Canceled) {
		t.Error("errors.Is finds what is not there")
	}
	if e, ok := errors.AsType[*ccclient.Error](err); !ok || e.StatusCode != 400 {
		t.Error("errors.AsType does not find the Error")
	}
	if code, ok := errors.AsType[ccclient.ErrorCode](err); !ok || code != ccclient.InvalidScope {
		t.Error("errors.AsType does not find the code")
	}
}

func TestCodeWrittenForOAuth2FindsItsRetrieveError(t *testing.T) {
	err := error(&ccclient.Error{
		Code: ccclient.TemporarilyUnavailable, Description: "later", URI: "https://as.example/e",
		StatusCode: 503, RetryAfter: 1500 * time.Millisecond,
	})
	r, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		t.Fatal("not found")
	}
	if r.ErrorCode != "temporarily_unavailable" || r.ErrorDescription != "later" ||
		r.ErrorURI != "https://as.example/e" || r.Body != nil {
		t.Errorf("got %q, %q, %q, body %q", r.ErrorCode, r.ErrorDescription, r.ErrorURI, r.Body)
	}
	if r.Response.StatusCode != 503 || r.Response.Status != "503 Service Unavailable" || r.Response.Request != nil ||
		len(r.Response.Header) != 1 || r.Response.Header.Get("Retry-After") != "2" {
		t.Errorf("response %+v", r.Response)
	}
	if body, err := io.ReadAll(r.Response.Body); r.Response.Body != http.NoBody || len(body) != 0 || err != nil {
		t.Errorf("body %q, %v", body, err)
	}
	// Its own Error reads the response where there is no code.
	plain, _ := errors.AsType[*oauth2.RetrieveError](error(&ccclient.Error{StatusCode: 502}))
	if got, want := plain.Error(), "oauth2: cannot fetch token: 502 Bad Gateway\nResponse: "; got != want {
		t.Errorf("got %q", got)
	}
	if _, ok := errors.AsType[*oauth2.RetrieveError](error(&ccclient.Error{Err: io.ErrUnexpectedEOF})); ok {
		t.Error("found though no answer came")
	}
}

func TestTimeMendsWhatTheServerDidNotRefuseForGood(t *testing.T) {
	for _, test := range []struct {
		err  ccclient.Error
		want bool
	}{
		{ccclient.Error{StatusCode: 503}, true},
		{ccclient.Error{StatusCode: 429, Code: ccclient.InvalidRequest}, true},
		{ccclient.Error{StatusCode: 400, Code: ccclient.TemporarilyUnavailable}, true},
		{ccclient.Error{StatusCode: 500}, true},
		{ccclient.Error{StatusCode: 401}, false},
		{ccclient.Error{StatusCode: 500, Code: ccclient.InvalidClient}, false},
		{ccclient.Error{StatusCode: 400, Code: ccclient.InvalidScope}, false},
		{ccclient.Error{StatusCode: 302}, false},
	} {
		if got := test.err.Temporary(); got != test.want || test.err.CoolDown().Permanent == test.want {
			t.Errorf("%v: temporary %v, cool-down %v", &test.err, got, test.err.CoolDown())
		}
	}
	if got := (&ccclient.Error{RetryAfter: time.Minute}).CoolDown().RetryAfter; got != time.Minute {
		t.Errorf("Retry-After became %v", got)
	}
}

func TestWhatTokenReturnsIsAnErrorByType(t *testing.T) {
	for name, tc := range map[string]struct {
		configure func(*ccclient.Config)
		want      string
	}{
		"refused": {func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasic(ccclient.SecretString("wrong")) },
			`ccclient: token request of client "client" to as.example.com answered with 401: invalid_client: `},
		"no answer": {func(c *ccclient.Config) {
			broken := func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
			c.HTTPClient = &http.Client{Transport: roundTripper(broken)}
		}, `ccclient: token request of client "client" to as.example.com (3 attempts): unexpected EOF`},
		"no secret": {func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasic(ccclient.SecretString("")) },
			`ccclient: token request of client "client" to as.example.com: client authentication: the secret is empty`},
		"no metadata": {func(c *ccclient.Config) { c.TokenURL, c.Issuer = "", "https://other.example.com/tenant" },
			`ccclient: token request of client "client" to other.example.com: discovery: `},
	} {
		t.Run(name, func(t *testing.T) {
			configure := func(c *ccclient.Config) {
				c.ClientID = "client"
				tc.configure(c)
			}
			o := cctest.Options{Issuer: asIssuer, Clients: []cctest.Registration{{ID: "client", Secret: longSecret}}}
			inBubble(t, o, configure, func(t *testing.T, r *rig) {
				_, err := r.Token(t.Context())
				if _, ok := err.(*ccclient.Error); !ok || !strings.HasPrefix(err.Error(), tc.want) ||
					strings.Count(err.Error(), "ccclient: ") != 1 {
					t.Errorf("%T: %v", err, err)
				}
			})
		})
	}
}
