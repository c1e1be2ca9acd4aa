package ccclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// echo returns the forms in which a server may repeat a secret.
func echo(secret string) []string {
	encoded := url.QueryEscape(secret)
	return []string{
		secret, encoded, "p%26ss%2fw%c3%b6rd+%3ccanary%3e", url.PathEscape(secret), html.EscapeString(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.RawURLEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte("client:" + secret)),
		base64.StdEncoding.EncodeToString([]byte("client:" + encoded)),
	}
}

func TestSecretThatTheServerEchoesIsInNoFieldOfTheError(t *testing.T) {
	const secret = "p&ss/wörd <canary>"
	auths := map[string]Auth{
		"basic":     ClientSecretBasic(SecretString(secret)),
		"unencoded": ClientSecretBasicUnencoded(SecretString(secret)),
		"post":      ClientSecretPost(SecretString(secret)),
		"func": AuthFunc(func(context.Context, Request) (Credentials, error) {
			return Credentials{Header: http.Header{"X-Api-Key": {secret}}}, nil
		}),
		"bearer": AuthFunc(func(context.Context, Request) (Credentials, error) {
			return Credentials{Header: http.Header{"Authorization": {"Bearer " + secret}}}, nil
		}),
		"assertion": AuthFunc(func(context.Context, Request) (Credentials, error) {
			return Credentials{
				Form:   url.Values{"client_assertion": {"e30.e30.c2ln"}},
				secret: func() string { return secret }, // as of what signs with it
			}, nil
		}),
	}
	for name, auth := range auths {
		x := exchangeWith(t, auth, url.Values{"grant_type": {"client_credentials"}})
		var canaries []string
		for _, s := range echo(secret) {
			// What begins with "client", in base64, is a pair of Basic.
			if name != "func" && name != "bearer" || !strings.HasPrefix(s, "Y2xpZW50") {
				canaries = append(canaries, s)
			}
		}
		canaries = append(canaries, x.credentials.Form["client_assertion"]...)
		for _, canary := range canaries {
			body, err := json.Marshal(map[string]string{
				"error": canary, "error_description": "bad secret " + canary + " given",
				"error_uri": "https://as.example/?s=" + canary,
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range []tokenresponse.Response{
				jsonResponse(401, string(body)),
				jsonResponse(200, string(body)),
				{Status: 302, Header: http.Header{"Location": {"https://" + url.PathEscape(canary) + "/?s=" + url.QueryEscape(canary)}}},
				jsonResponse(400, `{"error":{"message":`+quoted(canary)+`}}`),
				jsonResponse(400, `{"errors":[`+quoted(canary)+`]}`),
				jsonResponse(200, `{"access_token":"abc","token_type":`+quoted(canary)+`}`),
			} {
				_, e := x.interpret(a)
				r, _ := errors.AsType[*oauth2.RetrieveError](e)
				said := fmt.Sprintf("%v\n%+v\n%#v\n%v\n%+v\n%#v\n%q\n%q\n%q\n%q\n%v\n%+v\n%+v", e, e, e, *e, *e, *e,
					e.Hint, e.Code, e.Description, e.URI, r, *r, r.Response)
				if strings.Contains(said, canary) || strings.Contains(said, "canary") {
					t.Errorf("%s, %d: %q is in %s", name, a.Status, canary, said)
				}
			}
		}
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestRegisteredCodesSurviveSecretsThatArePartsOfThem(t *testing.T) {
	x := testExchange(t)
	x.credentials.secret = func() string { return "invalid_client authentication" }
	_, e := x.interpret(readAnswer(t, "error-basic"))
	if e.Code != InvalidClient || strings.Contains(e.Description, "authentication") {
		t.Errorf("%q, %q", e.Code, e.Description)
	}
}

func TestParametersThatAreNoSecretsStayReadable(t *testing.T) {
	x := testExchange(t)
	body := `{"error":"invalid_scope","error_description":"client client_credentials may not ask for read write"}`
	_, f := x.interpret(jsonResponse(400, body))
	if strings.Contains(f.Error(), redact.Redacted) {
		t.Error(f)
	}
}
