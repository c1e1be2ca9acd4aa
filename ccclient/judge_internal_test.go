package ccclient

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// millennium is when the requests of these tests are sent.
var millennium = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// answers is where the answers of token endpoints lie.
const answers = "../internal/tokenresponse/testdata/answers"

// wireAnswer reads a response as it comes over the wire. It came a second after
// the request was sent.
func wireAnswer(data []byte) (tokenresponse.Response, error) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		return tokenresponse.Response{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return tokenresponse.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Received: millennium.Add(time.Second)}, err
}

func readAnswer(t *testing.T, name string) tokenresponse.Response {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(answers, name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := wireAnswer(data)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// testInquiry is a request of "client" with "s3cr:t/x" by client_secret_basic.
func testInquiry(t *testing.T) *inquiry {
	t.Helper()
	plain := url.Values{"grant_type": {"client_credentials"}, "scope": {"read write"}}
	q := &inquiry{plain: plain, sent: millennium, request: &Request{
		ClientID: "client", TokenURL: "https://as.example/token", Form: withoutEmpty(plain), Header: http.Header{},
	}}
	if err := ClientSecretBasic(SecretString("s3cr:t/x")).Authenticate(t.Context(), q.request); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestRefusalsOfEveryShapeBecomeErrorsWithAdvice(t *testing.T) {
	const basicAdvice = "client_secret_basic was refused"
	tests := []struct {
		file                 string
		code                 ErrorCode
		description          string
		temporary, permanent bool
		text                 string // a part of the error's
	}{
		{"error-rfc6749-5.2", InvalidRequest, "", false, true, "answered with 400: invalid_request"},
		{"error-basic", InvalidClient, "client authentication failed", false, true, basicAdvice},
		{"error-github-200", "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.", false, false, "answered with 200"},
		{"error-github-200-form", "incorrect_client_credentials", "The client_id is incorrect.", false, false, "answered with 200"},
		{"error-slack", "invalid_auth", "", false, false, `"invalid_auth"`},
		{"error-ok-false", "", "", false, false, "says that it is an error"},
		{"error-okta", InvalidClient, "Invalid value for 'client_id' parameter.", false, true, basicAdvice},
		{"error-okta-own-code", "E0000006", "You do not have permission to perform the requested action", false, true, "E0000006"},
		{"error-apigee", InvalidClient, "ClientId is Invalid", false, true, basicAdvice},
		{"error-apigee-fault", "policies.ratelimit.QuotaViolation", "Rate limit quota violation. Quota limit exceeded.", true, false, "429"},
		{"error-google-object", "UNAUTHENTICATED", "Request had invalid credentials.", false, true, basicAdvice},
		{"error-object-code", InvalidScope, "no such scope", false, true, `"read write"`},
		{"error-ups", "10401", "ClientId is Invalid", false, true, basicAdvice},
		{"error-shopify", "", "400 - Oauth error app_not_installed", false, true, "app_not_installed"},
		{"error-list", "99", "Unable to verify your credentials", false, true, "403"},
		{"error-list-of-strings", InvalidGrant, "", false, true, "invalid_grant"},
		{"error-conga", "ERROR_AUTHENTICATION_NOT_VALID", "", false, true, basicAdvice},
		{"error-shouting", InvalidClient, "", false, true, basicAdvice},
		{"error-sentence", "", "Invalid client or secret", false, true, basicAdvice},
		{"error-problem-json", "", "the form is missing a parameter", false, true, "the form is missing a parameter"},
		{"error-keycloak", UnauthorizedClient, "Invalid client or Invalid client credentials", false, true, `allow grant_type "client_credentials"`},
		{"error-quota-429", InvalidRequest, "quota exceeded", true, false, "quota exceeded"},
		{"error-unavailable-400", TemporarilyUnavailable, "", true, false, "temporarily_unavailable"},
		{"error-server-500", ServerError, "", true, false, "server_error"},
		{"error-unknown-client-500", InvalidClient, "", false, true, basicAdvice},
		{"error-scope", InvalidScope, "scope read:x is not allowed", false, true, `the scopes asked for were "read write"`},
		{"error-grant-type", UnsupportedGrantType, "", false, true, `grant_type "client_credentials"`},
		{"error-target", InvalidTarget, "", false, true, "resources asked for"},
		{"error-nonce", UseDPoPNonce, "Authorization server requires nonce in DPoP proof", false, false, "use_dpop_nonce"},
		{"error-empty-401", "", "", false, true, basicAdvice},
		{"error-empty-403", "", "", false, true, basicAdvice},
		{"error-empty-503", "", "", true, false, "answered with 503"},
		{"error-redirect", "", "", false, true, "the token endpoint redirects (302) to host login.example.net"},
		{"error-redirect-path", "", "", false, true, "the token endpoint redirects (308) to another path on host as.example"},
		{"error-html-200", "", "", false, true, "does not look like a token endpoint (text/html)"},
		{"error-html-404", "", "", false, true, "does not look like a token endpoint (text/html)"},
		{"error-html-502", "", "", true, false, "a proxy in front"},
		{"error-405", "", "Method Not Allowed", false, true, "check TokenURL"},
		{"error-empty-200", "", "", false, false, "the answer is empty"},
		{"error-truncated-200", "", "", false, false, "cut short"},
		{"error-broken-200", "", "", false, false, "not valid JSON"},
		{"error-trailing-200", "", "", false, false, "goes on after its JSON object"},
		{"error-array-200", "", "", false, false, "neither a JSON object nor a form (application/json)"},
		{"error-string-200", "", "", false, false, "neither a JSON object nor a form"},
		{"error-null-200", "", "", false, false, "neither a JSON object nor a form"},
		{"error-image-200", "", "", false, false, "(image/png)"},
		{"error-no-token-200", "", "", false, false, "no access_token"},
		{"error-message-200", "40001", "invalid credential", false, false, "invalid credential"},
		{"token-rfc6749-5.1", "", "", false, true, `the token is of type "example"`},
		{"token-rfc9449-5", "", "", false, true, "Config.DPoPKey"},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			a := readAnswer(t, test.file)
			tok, f := testInquiry(t).judge(a)
			if tok != nil || f == nil {
				t.Fatalf("judged a token: %v", tok)
			}
			e, ok := errors.AsType[*Error](f)
			if !ok {
				t.Fatal("not an *Error")
			}
			if e.Code != test.code || e.Description != test.description || e.StatusCode != a.Status {
				t.Errorf("got %d, %q, %q; want %d, %q, %q", e.StatusCode, e.Code, e.Description, a.Status, test.code, test.description)
			}
			if f.temporary != test.temporary || f.CoolDown().Permanent != test.permanent {
				t.Errorf("temporary %v, permanent %v; want %v, %v", f.temporary, f.permanent, test.temporary, test.permanent)
			}
			if got := f.Error(); !strings.Contains(got, test.text) || !strings.HasPrefix(got, "ccclient: ") {
				t.Errorf("%q lacks %q", got, test.text)
			}
			if strings.Contains(f.Error(), "state=hidden") {
				t.Errorf("%q shows the query of a redirect", f)
			}
			if test.code != "" && !errors.Is(f, test.code) {
				t.Errorf("errors.Is does not find %q", test.code)
			}
		})
	}
}

func TestUnexplained401IsAnInvalidClient(t *testing.T) {
	for file, want := range map[string]bool{
		"error-basic": true, "error-empty-401": true, "error-conga": true, "error-google-object": true,
		"error-keycloak": false, "error-empty-403": false, "error-scope": false,
	} {
		_, f := testInquiry(t).judge(readAnswer(t, file))
		if got := errors.Is(f, InvalidClient); got != want {
			t.Errorf("%s: errors.Is(InvalidClient) = %v", file, got)
		}
	}
}

func TestRetryAfterOfAnAnswerIsKept(t *testing.T) {
	for file, want := range map[string]time.Duration{
		"error-quota-429": time.Minute,
		"error-empty-503": 2*time.Minute - time.Second, // a date; the answer came a second late
		"error-html-502":  0,
	} {
		_, f := testInquiry(t).judge(readAnswer(t, file))
		if f.CoolDown().RetryAfter != want || f.err.RetryAfter != want {
			t.Errorf("%s: RetryAfter %v, want %v", file, f.CoolDown().RetryAfter, want)
		}
	}
}

func TestServersListOfMethodsIsInTheAdvice(t *testing.T) {
	q := testInquiry(t)
	q.methods = []string{"client_secret_post", "private_key_jwt"}
	_, f := q.judge(readAnswer(t, "error-basic"))
	if !strings.Contains(f.Error(), "the server lists client_secret_post, private_key_jwt") {
		t.Error(f)
	}
}

func TestDPoPTokenIsTakenIfAndOnlyIfAskedFor(t *testing.T) {
	q := testInquiry(t)
	q.dpop = true
	tok, f := q.judge(readAnswer(t, "token-rfc9449-5"))
	if f != nil || tok.TokenType != "DPoP" {
		t.Errorf("asked for: %v, %v", tok, f)
	}
	for _, file := range []string{"token-keycloak", "token-shopify"} { // bearer, and no type
		if _, f := q.judge(readAnswer(t, file)); !errors.Is(f, tokenresponse.ErrNotBound) || !f.permanent {
			t.Errorf("%s: a downgrade was taken: %v", file, f)
		}
	}
}

func FuzzJudge(f *testing.F) {
	files, err := filepath.Glob(answers + "/*.http")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		a, err := wireAnswer(data)
		if err != nil {
			f.Fatal(file, err)
		}
		f.Add(a.Status, a.Header.Get("Content-Type"), a.Header.Get("Location"), a.Body)
	}
	const secret = "s3cr:t/x"
	f.Fuzz(func(t *testing.T, status int, contentType, location string, body []byte) {
		a := tokenresponse.Response{
			Status: status, Header: http.Header{"Content-Type": {contentType}, "Location": {location}}, Body: body, Received: millennium.Add(time.Second),
		}
		tok, failed := testInquiry(t).judge(a)
		if (tok == nil) == (failed == nil) {
			t.Fatalf("token %v, failure %v", tok, failed)
		}
		if failed != nil {
			checkTold(t, failed, secret)
			return
		}
		if status/100 != 2 {
			t.Errorf("a token from a %d", status)
		}
		if req := (&http.Request{Header: http.Header{}}); tok.AccessToken == "" || strings.ContainsAny(tok.AccessToken, " \r\n\x00") {
			t.Errorf("token %q", tok.AccessToken)
		} else if tok.SetAuthHeader(req); req.Header.Get("Authorization") != "Bearer "+tok.AccessToken {
			t.Errorf("header %q", req.Header.Get("Authorization"))
		}
		if !tok.Expiry.IsZero() && (!tok.Expiry.After(millennium) || tok.Expiry.After(millennium.AddDate(10, 0, 1))) {
			t.Errorf("expires at %v", tok.Expiry)
		}
		if scope, ok := tok.Extra("scope").(string); !ok && tok.Extra("scope") != nil || strings.ContainsAny(scope, "\r\n\t") {
			t.Errorf("scope %#v", tok.Extra("scope"))
		}
	})
}

// checkTold checks what holds for the text and fields of every failure.
func checkTold(t *testing.T, f *failure, secret string) {
	t.Helper()
	retrieve, _ := errors.AsType[*oauth2.RetrieveError](f)
	texts := []string{f.Error(), string(f.err.Code), f.err.Description, f.err.URI}
	if retrieve != nil {
		texts = append(texts, retrieve.Error())
	}
	for _, text := range texts {
		if strings.Contains(text, secret) || strings.Contains(text, "czNjcjp0L3g") {
			t.Errorf("%q holds the secret", text)
		}
		if len(text) > 4000 || strings.ContainsAny(text, "\x00\r") {
			t.Errorf("%q is not fit for a log", text)
		}
	}
}
