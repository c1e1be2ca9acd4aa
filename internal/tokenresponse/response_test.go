package tokenresponse_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// millennium is when the requests of these tests are sent.
var millennium = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// wireResponse reads a response as it comes over the wire. It came a second after the request was sent.
func wireResponse(data []byte) (tokenresponse.Response, error) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		return tokenresponse.Response{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return tokenresponse.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Received: millennium.Add(time.Second)}, err
}

func readResponse(t *testing.T, name string) tokenresponse.Response {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "answers", name+".http"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := wireResponse(data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTokensAreReadFromEveryResponseMetInTheWild(t *testing.T) {
	const never = 0
	tests := []struct {
		file   string
		token  string
		life   time.Duration
		extras map[string]any // nil means absent
	}{
		{"token-rfc6749-4.4.3", "2YotnFZFEjr1zCsicMWpAA", time.Hour, map[string]any{"example_parameter": "example_value", "expires_in": nil, "scope": nil}},
		{"token-entra-v2", "eyJ0eXAi.e30.c2ln", 86399 * time.Second, map[string]any{"refresh_in": 43199.0, "ext_expires_in": 86399.0}},
		{"token-managed-identity", "eyJ0eXAi.e30.c2ln", 3599 * time.Second, map[string]any{"expires_on": "946688399", "refresh_token": nil}},
		{"token-expires-on-only", "eyJ0eXAi.e30.c2ln", time.Hour, nil},
		{"token-expires-on-date", "eyJ0eXAi.e30.c2ln", time.Hour, nil},
		{"token-salesforce", "00Dxx!AQQA.of_no_use", never, map[string]any{"instance_url": "https://example.my.salesforce.com", "scope": "api id", "issued_at": "946684800000"}},
		{"token-shopify", "0123456789abcdef", 86399 * time.Second, map[string]any{"scope": "write_orders read_customers"}},
		{"token-apigee", "OfNoUse", 14399 * time.Second, map[string]any{"status": "approved"}},
		{"token-adobe", "eyJhbGci.e30.c2ln", 86399 * time.Second, map[string]any{"scope": "openid AdobeID read_organizations"}},
		{"token-twitch", "ofnouse", 5011271 * time.Second, map[string]any{"scope": "channel:read:hype_train user:read:email"}},
		{"token-twitter", "AAAA%2FAAA%3DAAAAAAAA", never, nil},
		{"token-github-form", "of_no_use", time.Hour, map[string]any{"scope": "repo gist", "access_token": nil}},
		{"token-form-as-text", "abc123", never, nil},
		{"token-json-as-text", "abc123", time.Minute, nil},
		{"token-json-as-html", "abc123", time.Minute, nil},
		{"token-no-content-type", "abc123", time.Minute, nil},
		{"token-byte-order-mark", "abc123", time.Minute, nil},
		{"token-ebay", "v^1.1#i^1#p^1#r^0#I^3#f^0#t^H4s", 2 * time.Hour, nil},
		{"token-keycloak", "eyJhbGci.e30.c2ln", time.Minute, map[string]any{"not-before-policy": 0.0}},
		{"token-finapi-never", "abc123", never, nil},
		{"token-fedex", "eyJhbGci.e30.c2ln", 3599 * time.Second, nil},
		{"token-paypal", "A21OfNoUse", 31668 * time.Second, nil},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			r := readResponse(t, test.file)
			m, err := r.Members()
			if err != nil {
				t.Fatal(err)
			}
			if refusal, refused := m.Refusal(); refused {
				t.Fatalf("refused: %+v", refusal)
			}
			tok, err := m.Token(millennium, r.Received, false)
			if err != nil {
				t.Fatal(err)
			}
			if tok.AccessToken != test.token || tok.TokenType != "Bearer" || tok.RefreshToken != "" {
				t.Errorf("got %q of type %q with refresh token %q", tok.AccessToken, tok.TokenType, tok.RefreshToken)
			}
			want := time.Time{}
			if test.life != never {
				want = millennium.Add(test.life)
			}
			if !tok.Expiry.Equal(want) || tok.ExpiresIn != int64(test.life/time.Second) {
				t.Errorf("expires at %v, in %d s; want %v", tok.Expiry, tok.ExpiresIn, want)
			}
			for name, want := range test.extras {
				if got := tok.Extra(name); got != want {
					t.Errorf("Extra(%q) = %#v; want %#v", name, got, want)
				}
			}
			for _, name := range []string{"access_token", "refresh_token", "id_token"} {
				if got := tok.Extra(name); got != nil {
					t.Errorf("Extra(%q) is a token", name)
				}
			}
		})
	}
}

func TestRefusalsAreReadInEveryShapeThatServersWrite(t *testing.T) {
	tests := []struct{ file, code, description string }{
		{"error-ok-false", "", ""},
		{"error-rfc6749-5.2", "invalid_request", ""},
		{"error-basic", "invalid_client", "client authentication failed"},
		{"error-github-200", "incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."},
		{"error-github-200-form", "incorrect_client_credentials", "The client_id is incorrect."},
		{"error-slack", "invalid_auth", ""},
		{"error-okta", "invalid_client", "Invalid value for 'client_id' parameter."},
		{"error-okta-own-code", "E0000006", "You do not have permission to perform the requested action"},
		{"error-apigee", "invalid_client", "ClientId is Invalid"},
		{"error-apigee-fault", "policies.ratelimit.QuotaViolation", "Rate limit quota violation. Quota limit exceeded."},
		{"error-google-object", "UNAUTHENTICATED", "Request had invalid credentials."},
		{"error-object-code", "invalid_scope", "no such scope"},
		{"error-ups", "10401", "ClientId is Invalid"},
		{"error-list", "99", "Unable to verify your credentials"},
		{"error-list-of-strings", "invalid_grant", ""},
		{"error-conga", "ERROR_AUTHENTICATION_NOT_VALID", ""},
		{"error-shouting", "invalid_client", ""},
		{"error-sentence", "", "Invalid client or secret"},
		{"error-problem-json", "", "the form is missing a parameter"},
		{"error-keycloak", "unauthorized_client", "Invalid client or Invalid client credentials"},
		{"error-quota-429", "invalid_request", "quota exceeded"},
		{"error-unavailable-400", "temporarily_unavailable", ""},
		{"error-server-500", "server_error", ""},
		{"error-unknown-client-500", "invalid_client", ""},
		{"error-scope", "invalid_scope", "scope read:x is not allowed"},
		{"error-grant-type", "unsupported_grant_type", ""},
		{"error-target", "invalid_target", ""},
		{"error-nonce", "use_dpop_nonce", "Authorization server requires nonce in DPoP proof"},
		{"error-405", "", "Method Not Allowed"},
		{"error-message-200", "40001", "invalid credential"},
	}
	for _, test := range tests {
		m, err := readResponse(t, test.file).Members()
		if err != nil {
			t.Errorf("%s: %v", test.file, err)
		}
		r, refused := m.Refusal()
		if !refused || r.Code != test.code || r.Description != test.description {
			t.Errorf("%s: %v, %q, %q; want %q, %q", test.file, refused, r.Code, r.Description, test.code, test.description)
		}
	}
}

func TestSuccessWithNamesLikeThoseOfAnErrorIsSuccess(t *testing.T) {
	for _, members := range []string{
		`"error":""`, `"error":null`, `"error":false`, `"error":0`, `"error":{}`, `"errors":[]`, `"ok":true`,
		`"code":200,"message":"OK"`, `"status":"approved"`, `"error_code":0`, `"title":"token"`,
	} {
		m, err := tokenresponse.Response{Body: []byte(`{"access_token":"abc",` + members + `}`)}.Members()
		if err != nil {
			t.Fatal(err)
		}
		if r, refused := m.Refusal(); refused || r != (tokenresponse.Refusal{}) {
			t.Errorf("%s: %+v", members, r)
		}
	}
	for _, members := range []string{`"error":"invalid_scope"`, `"ok":false`, `"error":true`, `"error":{"code":1}`, `"error":7`} {
		m, err := tokenresponse.Response{Body: []byte(`{"access_token":"abc",` + members + `}`)}.Members()
		if err != nil {
			t.Fatal(err)
		}
		if _, refused := m.Refusal(); !refused {
			t.Errorf("%s: no refusal", members)
		}
	}
}

func TestBodyWithoutMembersIsDescribedNotQuoted(t *testing.T) {
	for file, want := range map[string]string{
		"error-empty-200":     "the answer is empty",
		"error-truncated-200": "cut short",
		"error-broken-200":    "not valid JSON",
		"error-trailing-200":  "goes on after its JSON object",
		"error-array-200":     "neither a JSON object nor a form (application/json)",
		"error-string-200":    "neither a JSON object nor a form",
		"error-null-200":      "neither a JSON object nor a form",
		"error-image-200":     "(image/png)",
		"error-html-200":      "does not look like a token endpoint (text/html)",
	} {
		if m, err := readResponse(t, file).Members(); m != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", file, err, want)
		}
	}
	for body, page := range map[string]bool{
		`{"access_token":"canary`: false, `{"access_token":canary}`: false, `{} canary`: false, `["canary"]`: false, `canary`: false,
		`<html>canary</html>`: true, `<title>canary`: true,
	} {
		_, err := tokenresponse.Response{Body: []byte(body)}.Members()
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", body, err)
		}
		if e, ok := errors.AsType[tokenresponse.Unreadable](err); page && (!ok || !e.HTML || e.Title != "") {
			t.Errorf("%s: %+v", body, err)
		}
	}
}

func TestTitleOfPagesIsKept(t *testing.T) {
	_, err := readResponse(t, "error-shopify").Members()
	if e, ok := errors.AsType[tokenresponse.Unreadable](err); !ok || !e.HTML || e.Title != "400 - Oauth error app_not_installed" {
		t.Errorf("%+v", err)
	}
}

func TestRetryAfterIsReadAsSecondsOrAsDate(t *testing.T) {
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"120", 2 * time.Minute},
		{"0", 0},
		{"-5", 0},
		{"1.5", 1500 * time.Millisecond},
		{"Sat, 01 Jan 2000 00:01:00 GMT", time.Minute},
		{"Saturday, 01-Jan-00 00:01:00 GMT", time.Minute}, // RFC 850
		{"Sat Jan  1 00:01:00 2000", time.Minute},         // asctime
		{"Fri, 31 Dec 1999 23:00:00 GMT", 0},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 24 * time.Hour},
		{"99999999999999999999", 24 * time.Hour},
		{"", 0},
		{"soon", 0},
		{"NaN", 0},
		{"1h", 0},
	}
	for _, test := range tests {
		if got := retryAfter(http.Header{"Retry-After": {test.value}}); got != test.want {
			t.Errorf("%q gives %v; want %v", test.value, got, test.want)
		}
	}
	if got := retryAfter(nil); got != 0 {
		t.Errorf("no header gives %v", got)
	}
}

func retryAfter(h http.Header) time.Duration {
	return tokenresponse.Response{Header: h, Received: millennium}.RetryAfter()
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "Sat, 01 Jan 2000 00:01:00 GMT", "Saturday, 01-Jan-00 00:01:00 GMT", "Sat Jan  1 00:01:00 2000", "-1", "1e400", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if d := retryAfter(http.Header{"Retry-After": {value}}); d < 0 || d > 24*time.Hour {
			t.Errorf("%q gives %v", value, d)
		}
	})
}

func FuzzResponse(f *testing.F) {
	files, err := filepath.Glob("testdata/answers/*.http")
	if err != nil || len(files) < 70 {
		f.Fatal(len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		r, err := wireResponse(data)
		if err != nil {
			f.Fatal(file, err)
		}
		f.Add(r.Header.Get("Content-Type"), r.Body, false)
		f.Add(r.Header.Get("Content-Type"), r.Body, true)
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte, dpop bool) {
		r := tokenresponse.Response{Status: 200, Header: http.Header{"Content-Type": {contentType}}, Body: body}
		m, err := r.Members()
		if (err == nil) != (m != nil) {
			t.Fatalf("members %v, %v", m, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		if refusal, refused := m.Refusal(); !refused && refusal.Code+refusal.Description != "" ||
			len(refusal.Code) > 100 || strings.ContainsAny(refusal.Code, " \t\r\n") {
			t.Errorf("refusal %v, %+v", refused, refusal)
		}
		if err != nil {
			return
		}
		before := m.Tokens()
		tok, err := m.Token(millennium, millennium.Add(time.Second), dpop)
		if err != nil {
			if len(m.Tokens()) != len(before) || m.Tokens()[0] != before[0] {
				t.Error("an error, and the tokens are gone from the members")
			}
			return
		}
		req := &http.Request{Header: http.Header{}}
		if tok.SetAuthHeader(req); tok.AccessToken == "" || strings.ContainsAny(tok.AccessToken, " \r\n\x00") ||
			req.Header.Get("Authorization") != tok.TokenType+" "+tok.AccessToken {
			t.Errorf("token %q, header %q", tok.AccessToken, req.Header.Get("Authorization"))
		}
		if (tok.TokenType == "DPoP") != dpop || tok.TokenType != "DPoP" && tok.TokenType != "Bearer" {
			t.Errorf("type %q", tok.TokenType)
		}
		if !tok.Expiry.IsZero() && (!tok.Expiry.After(millennium.Add(time.Second)) || tok.Expiry.After(millennium.AddDate(10, 0, 1))) {
			t.Errorf("expires at %v", tok.Expiry)
		}
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if tok.Extra(name) != nil {
				t.Errorf("Extra(%q) is a token", name)
			}
		}
	})
}
