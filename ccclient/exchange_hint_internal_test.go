package ccclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// planted is an answer that came a second after its request.
func planted(status int, contentType, body string) tokenresponse.Response {
	return tokenresponse.Response{
		Status: status, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body),
		Received: millennium.Add(time.Second),
	}
}

func TestHintsSayWhatToMend(t *testing.T) {
	form := url.Values{"grant_type": {"client_credentials"}}
	basic := func(secret string) Auth { return ClientSecretBasic(SecretString(secret)) }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const json, html = "application/json", "text/html"
	type row struct {
		auth        Auth
		change      func(*exchange)
		status      int
		kind, body  string
		want, lacks string
		misplaced   bool
	}
	listsDPoP := func(x *exchange) { x.endpoint.DPoP = []string{"ES256"} }
	for name, test := range map[string]row{
		"secret with a newline": {basic("secret\n"), nil, 401, json, `{"error":"invalid_client"}`,
			"the secret ends in white space", "ClientSecretPost", false},
		"secret after a space": {basic(" secret"), nil, 401, json, `{"error":"invalid_client"}`,
			"the secret begins with white space", "", false},
		"id with a space": {basic("s"), func(x *exchange) { x.clientID = "client " }, 401, json, `{"error":"invalid_client"}`,
			"ClientID begins or ends with white space", "", false},
		"Keycloak, wrong secret": {basic("s"), nil, 401, json,
			`{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`,
			"check ClientID and the secret; if they are right, try ClientSecretPost", "", false},
		"Keycloak, no service account": {basic("s"), nil, 401, json,
			`{"error":"unauthorized_client","error_description":"Client not enabled to retrieve service account"}`,
			`: allow grant_type "client_credentials" for this client`, "was refused", false},
		"bare invalid_grant where DPoP is listed": {basic("s"), listsDPoP, 400, json, `{"error":"invalid_grant"}`,
			"set DPoPKey", "", false},
		"bare invalid_request where DPoP is listed": {basic("s"), listsDPoP, 400, json, `{"error":"invalid_request"}`,
			"set DPoPKey", "", false},
		"bare invalid_request": {basic("s"), nil, 400, json, `{"error":"invalid_request"}`,
			"EndpointParams", "DPoP", false},
		"missing proof": {basic("s"), nil, 400, json,
			`{"error":"invalid_request","error_description":"DPoP proof is missing"}`, "set DPoPKey", "EndpointParams", false},
		"bare 400": {basic("s"), nil, 400, "", ``, "the server does not say what it misses", "", false},
		"406":      {basic("s"), nil, 406, "", ``, "EndpointHeader may set another Accept", "", false},
		"empty 401": {basic("s"), nil, 401, "", ``,
			"if the server does not form-decode; or check TokenURL", "", true},
		"401 with a code": {basic("s"), nil, 401, json, `{"error":"invalid_client"}`, "check ClientID", "TokenURL", false},
		"empty 403":       {basic("s"), nil, 403, "", ``, "or check TokenURL", "", true},
		"page as a 401":   {basic("s"), nil, 401, html, `<html>`, "or check TokenURL", "", true},
		"405":             {basic("s"), nil, 405, "", ``, "check TokenURL", "", true},
		"404":             {basic("s"), nil, 404, "", ``, "no token endpoint at this address: check TokenURL", "", true},
		"404 of a framework": {basic("s"), nil, 404, json, `{"status":404,"error":"Not Found","path":"/tokn"}`,
			"check TokenURL", "was refused", true},
		"404 of Keycloak": {basic("s"), nil, 404, json, `{"error":"Realm does not exist"}`, "check TokenURL", "", true},
		"404 of Keystone": {basic("s"), nil, 404, json,
			`{"error":{"code":404,"message":"Could not find Application Credential: 1.","title":"Not Found"}}`,
			"check ClientID", "TokenURL", false},
		"404 with an OAuth error": {basic("s"), nil, 404, json, `{"error":"invalid_client"}`, "check ClientID", "TokenURL", false},
		"plain HTTP to nginx": {basic("s"), func(x *exchange) { x.endpoint.URL = "http://as.example/token" }, 400, html,
			`<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>`,
			"plain HTTP to a port that speaks TLS: use https in TokenURL", "", false},
		"nginx without a certificate": {basic("s"), nil, 400, html,
			`<html><head><title>400 No required SSL certificate was sent</title></head></html>`,
			"wants a client certificate, which goes into Config.TLS", "check TokenURL", false},
		"429 of a proxy": {basic("s"), nil, 429, html, `<html>`, "from a proxy in front", "TokenURL", false},
		"407":            {basic("s"), nil, 407, html, `<html>`, "a user and a password", "", false},
		"assertion's algorithm": {PrivateKeyJWT(key, AssertionOptions{}), nil, 401, json,
			`{"error":"invalid_client","error_description":"unexpected signing algorithm"}`,
			"set AssertionOptions.Algorithm to one that the server takes, other than ES256", "", false},
		"foreign assertion's algorithm": {ClientAssertion(SecretString("eyJhbGciOiJSUzUxMiJ9.e30.c2ln")), nil, 401, json,
			`{"error":"invalid_client","error_description":"unsupported alg"}`, "other than RS512", "AssertionOptions", false},
		"client certificate": {TLSClientAuth(), nil, 401, json, `{"error":"invalid_client"}`,
			"check ClientID, and that the server knows the certificate in Config.TLS", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			x := exchangeWith(t, test.auth, form)
			if test.change != nil {
				test.change(x)
			}
			_, e := x.interpret(planted(test.status, test.kind, test.body))
			if e == nil {
				t.Fatal("a token")
			}
			if text := e.Error(); !strings.Contains(text, test.want) ||
				test.lacks != "" && strings.Contains(text, test.lacks) {
				t.Errorf("%s\nlacks %q, or has %q", text, test.want, test.lacks)
			}
			if e.Hint == "" || !strings.HasSuffix(e.Error(), e.Hint) {
				t.Errorf("%q does not end with the hint %q", e, e.Hint)
			}
			if e.Temporary() != (test.status == http.StatusTooManyRequests) {
				t.Error("time is to mend it")
			}
			if e.misplaced != test.misplaced || gone(e) != test.misplaced {
				t.Errorf("misplaced %v, gone %v", e.misplaced, gone(e))
			}
		})
	}
}

func TestHintsDoNotHangOnOneServersWords(t *testing.T) {
	form := url.Values{"grant_type": {"client_credentials"}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("secret\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET_THAT_ENDS_IN_NBSP", "secret\u00a0")
	const json, html = "application/json", "text/html"
	const space = "the secret ends in white space"
	basic, padded := ClientSecretBasic(SecretString("secret")), ClientSecretBasic(SecretString("secret \t"))
	long := SecretString("secret of thirty-two bytes, or of more than that\n")
	hs256 := ClientSecretJWT(SecretString("secret of thirty-two bytes, or of more than that"), AssertionOptions{})
	es256 := PrivateKeyJWT(key, AssertionOptions{})
	lists := func(x *exchange) { x.endpoint.DPoP = []string{"ES256"} }
	type row struct {
		auth        Auth
		change      func(*exchange)
		status      int
		kind, body  string
		want, lacks string
		misplaced   bool
	}
	for name, test := range map[string]row{
		"secret of a variable": {ClientSecretPost(SecretEnv("SECRET_THAT_ENDS_IN_NBSP")), nil, 401, json,
			`{"error":"invalid_client"}`, space, "", false},
		"secret of a file, two newlines": {ClientSecretBasic(SecretFile(file)), nil, 400, json,
			`{"error":"invalid_client"}`, space, "", false},
		"secret unencoded": {ClientSecretBasicUnencoded(long), nil, 401, json, `{"error":"invalid_client"}`, space, "", false},
		"secret of an assertion": {ClientSecretJWT(long, AssertionOptions{}), nil, 401, json,
			`{"error":"invalid_client"}`, space, "", false},
		"assertion with a newline": {ClientAssertion(SecretString("eyJhbGciOiJSUzUxMiJ9.e30.c2ln\n")), nil, 401, json,
			`{"error":"invalid_client"}`, space, "", false},
		"padded, access_denied": {padded, nil, 403, json, `{"error":"access_denied","error_description":"Unauthorized"}`,
			space, "", false},
		"padded, invalid_grant": {padded, nil, 400, json,
			`{"error":"invalid_grant","error_description":"user is locked"}`, space, "", false},
		"padded, code of its own": {padded, nil, 400, json, `{"error":"nope","error_description":"no"}`, space, "", false},
		"padded, no scope":        {padded, nil, 400, json, `{"error":"invalid_scope"}`, "set Scopes", space, false},
		"padded, no such path":    {padded, nil, 405, "", ``, "check TokenURL", space, true},

		"wrong secret as invalid_grant": {basic, nil, 400, json,
			`{"error":"invalid_grant","error_description":"authentication failure"}`, "check ClientID and the secret", "", false},
		"client_id missing": {basic, nil, 400, json,
			`{"error":"invalid_request","error_description":"Missing client_id"}`, "try ClientSecretPost", "", false},
		"code that names credentials": {basic, nil, 400, json, `{"error":"invalid_client_credentials"}`,
			"check ClientID and the secret", "", false},
		"Entra ID, unknown client": {basic, nil, 400, json, `{"error":"unauthorized_client","error_description":` +
			`"AADSTS700016: Application with identifier 'x' was not found in the directory"}`,
			"check ClientID and the secret", "", false},

		"oidc-provider's grant": {basic, lists, 400, json,
			`{"error":"invalid_grant","error_description":"grant request is invalid"}`, "set DPoPKey", "", false},
		"oidc-provider's request": {basic, lists, 400, json,
			`{"error":"invalid_request","error_description":"Request is invalid."}`, "set DPoPKey", "", false},
		"grant that is explained": {basic, lists, 400, json,
			`{"error":"invalid_grant","error_description":"wrong resource owner"}`, "wrong resource owner", "DPoPKey", false},
		"missing proof, as a 401": {basic, nil, 401, json,
			`{"error":"invalid_client","error_description":"DPoP proof is missing"}`, "set DPoPKey", "ClientID", false},
		"missing proof, as a code": {basic, nil, 400, json, `{"error":"DPoP proof is missing"}`, "set DPoPKey", "", false},

		"401 of Spring Boot": {basic, nil, 401, json, `{"status":401,"error":"Unauthorized","path":"/old"}`,
			"or check TokenURL", "", true},
		"403 of Spring Boot": {basic, nil, 403, json, `{"status":403,"error":"Forbidden","message":"Forbidden"}`,
			"or check TokenURL", "", true},
		"401 with a message": {basic, nil, 401, json, `{"message":"Unauthorized"}`, "or check TokenURL", "", true},
		"401 of a resource": {basic, nil, 401, json,
			`{"error":"unauthorized","error_description":"Full authentication is required to access this resource"}`,
			"or check TokenURL", "", true},
		"401 that wants a token": {basic, nil, 401, json, `{"error":"invalid_token"}`, "or check TokenURL", "", true},
		"401 of Authlib's API":   {basic, nil, 401, json, `{"error":"unsupported_token_type"}`, "or check TokenURL", "", true},
		"403 of a gateway": {basic, nil, 403, json, `{"message":"Missing Authentication Token"}`,
			"or check TokenURL", "", true},
		"401 about the client": {basic, nil, 401, json, `{"error":"unauthorized","error_description":"Bad credentials"}`,
			"check ClientID", "TokenURL", false},
		"405 of Keycloak": {basic, nil, 405, json, `{"error":"HTTP 405 Method Not Allowed"}`, "check TokenURL", "", true},
		"404 of Keycloak": {basic, nil, 404, json, `{"error":"Unable to find matching target resource method",` +
			`"error_description":"For more on this error consult the server log."}`, "check TokenURL", "was refused", true},
		"404 about a tenant": {basic, nil, 404, json, `{"message":"tenant not known"}`,
			"may be no token endpoint at this address: check TokenURL; if that is right, check ClientID", "", true},
		"404 of Keystone": {basic, nil, 404, json, `{"error":"other_error","error_description":"An unknown error ` +
			`occurred and failed to get an OAuth2.0 access token."}`, "check ClientID and the secret", "TokenURL", false},
		"404, OAuth's code":    {basic, nil, 404, json, `{"error":"invalid_grant"}`, "check ClientID", "TokenURL", false},
		"404, code of its own": {basic, nil, 404, json, `{"code":"NO_SUCH_PRINCIPAL"}`, "check ClientID", "TokenURL", false},
		"400 of Spring Boot":   {basic, nil, 400, json, `{"status":400,"error":"Bad Request"}`, "does not say", "", false},
		"400 of text":          {basic, nil, 400, "text/plain", `Bad Request`, "does not say what it misses", "", false},
		"406 as a page":        {basic, nil, 406, html, `<html>`, "EndpointHeader may set another Accept", "TokenURL", false},
		"algorithm by its claim": {hs256, nil, 400, json, `{"error":"invalid_client","error_description":"Unexpected alg"}`,
			"set AssertionOptions.Algorithm", "", false},
		"algorithm unsaid":              {es256, nil, 401, json, `{"error":"invalid_client"}`, "AssertionOptions.Algorithm", "", false},
		"algorithm of a secret, unsaid": {hs256, nil, 401, json, `{"error":"invalid_client"}`, "AssertionOptions.Algorithm", "", false},
		"type unsaid":                   {es256, nil, 401, json, `{"error":"invalid_client"}`, "AssertionOptions.Type", "", false},
		"algorithm as another's code": {es256, nil, 400, json,
			`{"error":"unauthorized_client","error_description":"Client algorithm ES256 not allowed"}`,
			"set AssertionOptions.Algorithm to one that the server takes, other than ES256", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			x := exchangeWith(t, test.auth, form)
			if test.change != nil {
				test.change(x)
			}
			_, e := x.interpret(planted(test.status, test.kind, test.body))
			if e == nil {
				t.Fatal("a token")
			}
			if text := e.Error(); !strings.Contains(text, test.want) || strings.Count(text, space) > 1 ||
				test.lacks != "" && strings.Contains(text, test.lacks) {
				t.Errorf("%s\nlacks %q, or has %q", text, test.want, test.lacks)
			}
			if e.Temporary() || e.misplaced != test.misplaced {
				t.Errorf("temporary %v, misplaced %v", e.Temporary(), e.misplaced)
			}
		})
	}
}
