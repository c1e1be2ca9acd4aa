package ccclient

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
	"github.com/ccclient/go-ccclient/transport"
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
	return tokenresponse.Response{Status: resp.StatusCode, Header: resp.Header, Body: body,
		Received: millennium.Add(time.Second)}, err
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

// testExchange is a request of "client" with "s3cr:t/x" by client_secret_basic.
func testExchange(t *testing.T) *exchange {
	t.Helper()
	return exchangeWith(t, ClientSecretBasic(SecretString("s3cr:t/x")),
		url.Values{"grant_type": {"client_credentials"}, "scope": {"read write"}})
}

func exchangeWith(t *testing.T, auth Auth, form url.Values) *exchange {
	t.Helper()
	x := &exchange{
		exchanger: newExchanger(exchanger{clientID: "client", auth: auth, client: &http.Client{}}),
		endpoint:  endpoint.Endpoint{URL: "https://as.example/token"}, form: form, sent: millennium,
	}
	if _, e := x.prepare(t.Context()); e != nil {
		t.Fatal(e)
	}
	return x
}

func TestRefusalsOfEveryShapeBecomeErrorsWithHints(t *testing.T) {
	const basicHint = "client_secret_basic was refused"
	tests := []struct {
		file        string
		code        ErrorCode
		description string
		outlook     outlook.Outlook
		text        string // a part of the error's
	}{
		{"error-rfc6749-5.2", InvalidRequest, "", outlook.Settled, "answered with 400: invalid_request"},
		{"error-basic", InvalidClient, "client authentication failed", outlook.Settled, basicHint},
		{"error-github-200", "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.",
			outlook.Unclear, "answered with 200"},
		{"error-github-200-form", "incorrect_client_credentials", "The client_id is incorrect.", outlook.Unclear,
			"answered with 200"},
		{"error-slack", "invalid_auth", "", outlook.Unclear, `"invalid_auth"`},
		{"error-ok-false", "", "", outlook.Unclear, "says that it is an error"},
		{"error-okta", InvalidClient, "Invalid value for 'client_id' parameter.", outlook.Settled, basicHint},
		{"error-okta-own-code", "E0000006", "You do not have permission to perform the requested action",
			outlook.Settled, "E0000006"},
		{"error-apigee", InvalidClient, "ClientId is Invalid", outlook.Settled, basicHint},
		{"error-apigee-fault", "policies.ratelimit.QuotaViolation", "Rate limit quota violation. Quota limit exceeded.",
			outlook.Passing, "429"},
		{"error-google-object", "UNAUTHENTICATED", "Request had invalid credentials.", outlook.Settled, basicHint},
		{"error-object-code", InvalidScope, "no such scope", outlook.Settled, `"read write"`},
		{"error-ups", "10401", "ClientId is Invalid", outlook.Settled, basicHint},
		{"error-shopify", "", "400 - Oauth error app_not_installed", outlook.Settled, "app_not_installed"},
		{"error-list", "99", "Unable to verify your credentials", outlook.Settled, "403"},
		{"error-list-of-strings", InvalidGrant, "", outlook.Settled, "invalid_grant"},
		{"error-conga", "ERROR_AUTHENTICATION_NOT_VALID", "", outlook.Settled, basicHint},
		{"error-shouting", InvalidClient, "", outlook.Settled, basicHint},
		{"error-sentence", "", "Invalid client or secret", outlook.Settled, basicHint},
		{"error-problem-json", "", "the form is missing a parameter", outlook.Settled, "the form is missing a parameter"},
		{"error-keycloak", UnauthorizedClient, "Invalid client or Invalid client credentials", outlook.Settled,
			`allow grant_type "client_credentials"`},
		{"error-quota-429", InvalidRequest, "quota exceeded", outlook.Passing, "quota exceeded"},
		{"error-unavailable-400", TemporarilyUnavailable, "", outlook.Passing, "temporarily_unavailable"},
		{"error-server-500", ServerError, "", outlook.Passing, "server_error"},
		{"error-unknown-client-500", InvalidClient, "", outlook.Settled, basicHint},
		{"error-scope", InvalidScope, "scope read:x is not allowed", outlook.Settled, `the scopes asked for were "read write"`},
		{"error-grant-type", UnsupportedGrantType, "", outlook.Settled, `grant_type "client_credentials"`},
		{"error-target", InvalidTarget, "", outlook.Settled, "resources asked for"},
		{"error-nonce", UseDPoPNonce, "Authorization server requires nonce in DPoP proof", outlook.Settled, "set DPoPKey"},
		{"error-empty-401", "", "", outlook.Settled, basicHint},
		{"error-empty-403", "", "", outlook.Settled, basicHint},
		{"error-empty-503", "", "", outlook.Passing, "answered with 503"},
		{"error-redirect", "", "", outlook.Settled, "the token endpoint redirects (302) to host login.example.net"},
		{"error-redirect-path", "", "", outlook.Settled, "the token endpoint redirects (308) to another path on host as.example"},
		{"error-html-200", "", "", outlook.Settled, "does not look like a token endpoint (text/html)"},
		{"error-html-404", "", "", outlook.Settled, "does not look like a token endpoint (text/html)"},
		{"error-html-502", "", "", outlook.Passing, "a proxy in front"},
		{"error-405", "", "Method Not Allowed", outlook.Settled, "check TokenURL"},
		{"error-empty-200", "", "", outlook.Unclear, "the answer is empty"},
		{"error-truncated-200", "", "", outlook.Unclear, "cut short"},
		{"error-broken-200", "", "", outlook.Unclear, "not valid JSON"},
		{"error-trailing-200", "", "", outlook.Unclear, "goes on after its JSON object"},
		{"error-array-200", "", "", outlook.Unclear, "neither a JSON object nor a form (application/json)"},
		{"error-string-200", "", "", outlook.Unclear, "neither a JSON object nor a form"},
		{"error-null-200", "", "", outlook.Unclear, "neither a JSON object nor a form"},
		{"error-image-200", "", "", outlook.Unclear, "(image/png)"},
		{"error-no-token-200", "", "", outlook.Unclear, "no access_token"},
		{"error-message-200", "40001", "invalid credential", outlook.Unclear, "invalid credential"},
		{"token-rfc6749-5.1", "", "", outlook.Settled, `the token is of type "example"`},
		{"token-rfc9449-5", "", "", outlook.Settled, "set DPoPKey"},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			a := readAnswer(t, test.file)
			tok, f := testExchange(t).interpret(a)
			if tok != nil || f == nil {
				t.Fatalf("judged a token: %v", tok)
			}
			if f.Code != test.code || f.Description != test.description || f.StatusCode != a.Status {
				t.Errorf("got %d, %q, %q; want %d, %q, %q", f.StatusCode, f.Code, f.Description, a.Status, test.code,
					test.description)
			}
			if f.foresees() != test.outlook || f.Temporary() != (test.outlook != outlook.Settled) {
				t.Errorf("outlook %v, temporary %v; want %v", f.foresees(), f.Temporary(), test.outlook)
			}
			if got := f.Error(); !strings.Contains(got, test.text) ||
				!strings.HasPrefix(got, `ccclient: token request of client "client" to as.example answered with `) {
				t.Errorf("%q lacks %q, or who asked whom", got, test.text)
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
		_, f := testExchange(t).interpret(readAnswer(t, file))
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
		_, f := testExchange(t).interpret(readAnswer(t, file))
		if f.RetryAfter != want {
			t.Errorf("%s: RetryAfter %v, want %v", file, f.RetryAfter, want)
		}
	}
}

func TestServersListOfMethodsIsInTheHint(t *testing.T) {
	x := testExchange(t)
	x.endpoint.Methods = []string{"client_secret_post", "private_key_jwt"}
	_, f := x.interpret(readAnswer(t, "error-basic"))
	if !strings.Contains(f.Error(), "the server lists client_secret_post, private_key_jwt") {
		t.Error(f)
	}
}

func TestDPoPTokenIsTakenIfAndOnlyIfAskedFor(t *testing.T) {
	x := testExchange(t)
	x.dpop = new(transport.DPoP)
	tok, f := x.interpret(readAnswer(t, "token-rfc9449-5"))
	if f != nil || tok.TokenType != "DPoP" {
		t.Errorf("asked for: %v, %v", tok, f)
	}
	for _, file := range []string{"token-keycloak", "token-shopify"} { // bearer, and no type
		if _, f := x.interpret(readAnswer(t, file)); !errors.Is(f, tokenresponse.ErrNotBound) || f.Temporary() {
			t.Errorf("%s: a downgrade was taken: %v", file, f)
		}
	}
}

// jsonResponse is a response that came a second after its request was sent.
func jsonResponse(status int, body string) tokenresponse.Response {
	return tokenresponse.Response{
		Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body),
		Received: millennium.Add(time.Second),
	}
}

// interpretJSON interprets a 200 with a JSON body. It returns why that is no token.
func interpretJSON(t *testing.T, body string) error {
	t.Helper()
	if _, f := testExchange(t).interpret(jsonResponse(200, body)); f != nil {
		return f
	}
	return nil
}

func TestTokenThatHasExpiredIsErrExpired(t *testing.T) {
	for _, members := range []string{`"expires_in":-1`, `"expires_in":1`, `"expires_on":"1999-12-31T23:59:59Z"`} {
		err := interpretJSON(t, `{"access_token":"abc",`+members+`}`)
		if !errors.Is(err, ErrExpired) || !errors.Is(err, cache.ErrExpired) ||
			!errors.Is(err, tokenresponse.ErrExpired) {
			t.Errorf("%s: %v; want ErrExpired", members, err)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text,
			`ccclient: token request of client "client" to as.example answered with 200: `+ErrExpired.Error()) {
			t.Errorf("%s: %s", members, text)
		}
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(e.Err, ErrExpired) || !e.Temporary() {
			t.Errorf("%s: the cause alone is %v, and no clock is wrong for ever", members, err)
		}
	}
	if err := interpretJSON(t, `{"access_token":"abc","expires_in":2}`); err != nil {
		t.Error(err)
	}
}

func TestTokenTypeThatRepeatsSecretsIsRedacted(t *testing.T) {
	err := interpretJSON(t, `{"access_token":"abc","expires_in":60,"token_type":"s3cr:t/x"}`)
	if err == nil || !strings.Contains(err.Error(), `of type "[redacted]"`) {
		t.Error(err)
	}
}

func TestRefusalInSuccessIsAnError(t *testing.T) {
	for _, members := range []string{`"error":"invalid_scope"`, `"ok":false`, `"error":true`, `"error":{"code":1}`,
		`"error":7`} {
		err := interpretJSON(t, `{"access_token":"abc-token",`+members+`}`)
		if e, ok := errors.AsType[*Error](err); !ok || e.StatusCode != 200 {
			t.Errorf("%s: a token", members)
		}
	}
}

func TestNothingOfBodiesIsInErrorsButTheServersWords(t *testing.T) {
	bodies := []string{
		`{"access_token":"canary\n"}`,
		`{"access_token":"canary-0","token_type":"mac"}`,
		`{"access_token":"canary-0","expires_in":-1}`,
		`{"access_token":"canary-0","refresh_token":"canary-0","error":"invalid_scope","error_description":"for canary-0"}`,
		`{"access_token":"canary-0","token_type":"canary-0"}`,
		`{"access_token":"canary`,
		`{"access_token":canary}`,
		`{"canary":1}`,
		`["canary"]`,
		`canary`,
		`<html>canary</html>`,
	}
	for _, body := range bodies {
		err := interpretJSON(t, body)
		if err == nil || strings.Contains(err.Error(), "canary") ||
			strings.Contains(fmt.Sprintf("%+v %#v", err, err), "canary") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzInterpret(f *testing.F) {
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
			Status: status, Header: http.Header{"Content-Type": {contentType}, "Location": {location}}, Body: body,
			Received: millennium.Add(time.Second),
		}
		tok, failed := testExchange(t).interpret(a)
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
		if req := (&http.Request{Header: http.Header{}}); tok.AccessToken == "" ||
			strings.ContainsAny(tok.AccessToken, " \r\n\x00") {
			t.Errorf("token %q", tok.AccessToken)
		} else if tok.SetAuthHeader(req); req.Header.Get("Authorization") != "Bearer "+tok.AccessToken {
			t.Errorf("header %q", req.Header.Get("Authorization"))
		}
		if !tok.Expiry.IsZero() && (!tok.Expiry.After(millennium) || tok.Expiry.After(millennium.AddDate(10, 0, 1))) {
			t.Errorf("expires at %v", tok.Expiry)
		}
		if scope, ok := tok.Extra("scope").(string); !ok && tok.Extra("scope") != nil ||
			strings.ContainsAny(scope, "\r\n\t") {
			t.Errorf("scope %#v", tok.Extra("scope"))
		}
	})
}

// checkTold checks what holds for the text and fields of every failure.
func checkTold(t *testing.T, f *Error, secret string) {
	t.Helper()
	retrieve, _ := errors.AsType[*oauth2.RetrieveError](f)
	texts := []string{f.Error(), string(f.Code), f.Description, f.URI}
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
