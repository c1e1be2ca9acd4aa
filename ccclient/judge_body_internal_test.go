package ccclient

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// jsonResponse is a response that came a second after its request was sent.
func jsonResponse(status int, body string) tokenresponse.Response {
	return tokenresponse.Response{
		Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body), Received: millennium.Add(time.Second),
	}
}

// judgeBody judges a 200 with a JSON body. It returns why that is no token.
func judgeBody(t *testing.T, body string) error {
	t.Helper()
	if _, f := testInquiry(t).judge(jsonResponse(200, body)); f != nil {
		return f
	}
	return nil
}

func TestTokenThatHasExpiredIsErrExpired(t *testing.T) {
	for _, members := range []string{`"expires_in":-1`, `"expires_in":1`, `"expires_on":"1999-12-31T23:59:59Z"`} {
		err := judgeBody(t, `{"access_token":"abc",`+members+`}`)
		if !errors.Is(err, ErrExpired) || !errors.Is(err, cache.ErrExpired) || !errors.Is(err, tokenresponse.ErrExpired) {
			t.Errorf("%s: %v; want ErrExpired", members, err)
			continue
		}
		if text := err.Error(); !strings.HasPrefix(text, "ccclient: token request answered with 200: "+ErrExpired.Error()) {
			t.Errorf("%s: %s", members, text)
		}
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(e.Err, ErrExpired) {
			t.Errorf("%s: the cause alone is %v", members, err)
		}
		if f, ok := errors.AsType[*failure](err); !ok || f.permanent {
			t.Errorf("%s: a clock is not wrong for ever", members)
		}
	}
	if err := judgeBody(t, `{"access_token":"abc","expires_in":2}`); err != nil {
		t.Error(err)
	}
}

func TestTokenTypeThatRepeatsSecretsIsRedacted(t *testing.T) {
	err := judgeBody(t, `{"access_token":"abc","expires_in":60,"token_type":"s3cr:t/x"}`)
	if err == nil || !strings.Contains(err.Error(), `of type "[redacted]"`) {
		t.Error(err)
	}
}

func TestRefusalInSuccessIsAnError(t *testing.T) {
	for _, members := range []string{`"error":"invalid_scope"`, `"ok":false`, `"error":true`, `"error":{"code":1}`, `"error":7`} {
		err := judgeBody(t, `{"access_token":"abc-token",`+members+`}`)
		if e, ok := errors.AsType[*Error](err); !ok || e.StatusCode != 200 {
			t.Errorf("%s: a token", members)
		}
	}
}

func TestEveryErrorCodeIsRegistered(t *testing.T) {
	codes := []ErrorCode{
		InvalidRequest, InvalidClient, InvalidGrant, UnauthorizedClient, UnsupportedGrantType, InvalidScope, AccessDenied,
		ServerError, TemporarilyUnavailable, InvalidTarget, InvalidAuthorizationDetails, UseDPoPNonce, InvalidDPoPProof,
	}
	for _, code := range codes {
		if !code.registered() {
			t.Errorf("%s", code)
		}
	}
	for _, code := range []ErrorCode{"", "INVALID_CLIENT", "invalid_token"} {
		if code.registered() {
			t.Errorf("%q is registered", string(code))
		}
	}
}

func TestNothingOfBodiesIsInErrorsButTheServersWords(t *testing.T) {
	bodies := []string{
		`{"access_token":"canary\n"}`,
		`{"access_token":"canary","token_type":"mac"}`,
		`{"access_token":"canary","expires_in":-1}`,
		`{"access_token":"canary","refresh_token":"canary","error":"invalid_scope","error_description":"for canary"}`,
		`{"access_token":"canary","token_type":"canary"}`,
		`{"access_token":"canary`,
		`{"access_token":canary}`,
		`{"canary":1}`,
		`["canary"]`,
		`canary`,
		`<html>canary</html>`,
	}
	for _, body := range bodies {
		err := judgeBody(t, body)
		if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(fmt.Sprintf("%+v %#v", err, err), "canary") {
			t.Errorf("%s: %v", body, err)
		}
	}
}
