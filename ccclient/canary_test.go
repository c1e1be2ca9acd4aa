package ccclient_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
)

// Canaries that fly out of a printed value, an error or a log line are a leak.
// The secret has characters that each encoding changes.
const (
	canarySecret = "canary/secret+with=all&of:it %7E"
	canaryToken  = "canary-token-0123456789"
)

// canaries are all the forms in which a secret or token may show.
func canaries(key ed25519.PrivateKey) []string {
	var all []string
	for _, s := range []string{canarySecret, canaryToken, string(key.Seed())} {
		all = append(all, s, url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)),
			base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
			strings.Trim(fmt.Sprint([]byte(s)), "[]"), strings.ReplaceAll(fmt.Sprintf("%#v", []byte(s)), "[]byte", ""))
	}
	basic := url.QueryEscape("id") + ":" + url.QueryEscape(canarySecret)
	return append(all, base64.StdEncoding.EncodeToString([]byte(basic)))
}

// echo answers token requests with all it was sent, as a broken or a debugging
// server does.
func echo(status int, contentType, format string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		sent := strings.Join([]string{
			string(body), r.Header.Get("Authorization"), form.Get("client_secret"), form.Get("client_assertion"),
			canarySecret,
		}, " ")
		return &http.Response{
			StatusCode: status,
			Header: http.Header{"Content-Type": {contentType}, "Www-Authenticate": {"Basic realm=" + sent},
				"Location": {"https://other.example.com/?x=" + url.QueryEscape(sent)}},
			Body:    io.NopCloser(strings.NewReader(strings.ReplaceAll(format, "$", sent))),
			Request: r,
		}, nil
	}
}

// A guardedBuffer is for several writers at a time.
type guardedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *guardedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *guardedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestNoSecretAndNoTokenIsPrintedLoggedOrInAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		var out guardedBuffer // what observes is told beside the caller
		print := func(v any) {
			fmt.Fprintf(&out, "%v\n%+v\n%#v\n%s\n%q\n", v, v, v, v, v)
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		}
		note := func(v any) {
			print(v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			if b, err := json.Marshal(v); err == nil {
				out.Write(b)
			}
		}
		debug := &slog.HandlerOptions{Level: slog.LevelDebug}
		logger := slog.New(slog.NewJSONHandler(&out, debug))
		secret := ccclient.SecretString(canarySecret)
		auths := []ccclient.Auth{
			ccclient.ClientSecretBasic(secret), ccclient.ClientSecretBasicUnencoded(secret),
			ccclient.ClientSecretPost(secret),
			ccclient.ClientSecretJWT(secret, ccclient.AssertionOptions{}),
			ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{KeyID: "1"}),
			ccclient.ClientAssertion(secret), ccclient.TLSClientAuth(),
			ccclient.AuthFunc(func(ctx context.Context, r ccclient.Request) (ccclient.Credentials, error) {
				c, err := ccclient.ClientSecretPost(secret).Authenticate(ctx, r)
				c.Header.Set("Authorization", "Bearer "+canarySecret)
				r.Form.Set("api_key", canarySecret)
				for _, v := range []any{r, &r, c, &c} {
					note(v)
				}
				return c, err
			}),
			ccclient.AuthFunc(
				func(context.Context, ccclient.Request) (ccclient.Credentials, error) { panic(canarySecret) },
			),
		}
		answers := map[string]http.RoundTripper{
			"refused": echo(401, "application/json",
				`{"error":"invalid_client","error_description":"got $","error_uri":"https://x/?$"}`),
			"odd code":       echo(400, "application/json", `{"error":"$","error_description":"$"}`),
			"errors":         echo(400, "application/json", `{"errorCode":"$","errorSummary":"$"}`),
			"html":           echo(200, "text/html", `<html>$</html>`),
			"text":           echo(500, "text/plain", `$`),
			"redirect":       echo(302, "text/html", `$`),
			"error in a 200": echo(200, "application/json", `{"error":"x","message":"$"}`),
			"no token":       echo(200, "application/json", `{"access":"$"}`),
			"odd type":       echo(200, "application/json", `{"access_token":"`+canaryToken+`","token_type":"$"}`),
			"odd token":      echo(200, "application/json", `{"access_token":"`+canaryToken+"\\r\\n"+`","token_type":"bearer"}`),
			"expired":        echo(200, "application/json", `{"access_token":"`+canaryToken+`","expires_in":-1}`),
			"truncated":      echo(200, "application/json", `{"access_token":"`+canaryToken),
			"form":           echo(400, "application/x-www-form-urlencoded", `error=invalid_client&error_description=$`),
			"fine": echo(200, "application/json",
				`{"access_token":"`+canaryToken+`","token_type":"bearer","expires_in":1}`),
			"no answer": roundTripper(func(r *http.Request) (*http.Response, error) {
				return nil, fmt.Errorf("dial %s: %s", r.Header.Get("Authorization"), canarySecret)
			}),
		}
		for name, answer := range answers {
			for i, auth := range auths {
				store, err := cache.Seal(cache.Memory(), key.Seed())
				if err != nil {
					t.Fatal(err)
				}
				cfg := ccclient.Config{
					TokenURL: asTokenURL + "?key=" + url.QueryEscape(canarySecret), ClientID: "id", Auth: auth,
					DPoPKey:    nil,
					HTTPClient: &http.Client{Transport: answer}, Logger: logger, Cache: cache.Options{Store: store},
					Retry: ccclient.Retry{MaxAttempts: 2},
				}
				if i == 0 && name == "refused" {
					cfg.DPoPKey = key
				}
				c, err := ccclient.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				tok, err := c.Token(t.Context())
				if err == nil {
					if tok.AccessToken != canaryToken {
						t.Errorf("%s: got another token", name)
					}
					reset := func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") }
					httpClient := &http.Client{Transport: c.Transport(roundTripper(reset))}
					_, err = httpClient.Get("https://api.example.com/")
					note(httpClient.Transport)
					note(c.Transport(nil).DPoP)
				}
				note(err)
				if e, ok := errors.AsType[*ccclient.Error](err); ok {
					note(*e)
					note(e.Err)
				}
				if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
					note(*e)
					note(e.Response)
				}
				c.Invalidate(tok)
				_, err = c.Refresh(t.Context())
				note(err)
				for _, v := range []any{cfg, &cfg, auth, c, c.For(ccclient.Target{Audience: "x"}), c.HTTPClient(),
					c.TokenSource(), store, secret, cfg.Cache, &cfg.Cache} {
					note(v)
				}
				c.Close()
			}
		}
		for _, v := range []any{
			ccclient.SecretFile("/nowhere"), ccclient.AssertionOptions{}, ccclient.Retry{}, ccclient.InvalidClient,
			ccclient.KeyFrom(secret), ccclient.PrivateKeyJWTFrom(ccclient.KeyFrom(secret), ccclient.AssertionOptions{}),
			ccclient.Key{Signer: key, ID: "k1"}, &ccclient.Key{Signer: key}, []ccclient.Key{{Signer: key}},
		} {
			note(v)
		}
		registration := cctest.Registration{ID: "id", Secret: canarySecret}
		print(registration)
		print(cctest.Options{Clients: []cctest.Registration{registration}})
		print(cctest.NewServer(cctest.Options{Clients: []cctest.Registration{registration}}))
		_, err = ccclient.ParseKey([]byte(canarySecret))
		note(err)
		dpop, err := transport.NewDPoP(key)
		if err != nil {
			t.Fatal(err)
		}
		note(dpop)

		ca := cache.New(cache.Options{})
		e := ca.Entry("key", func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: canaryToken, Expiry: time.Now().Add(time.Hour)}, nil
		})
		tok, err := e.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e.Invalidate(tok)
		e.Token(t.Context())
		note(ca)
		note(e)
		ca.Close()

		synctest.Wait()
		text := out.String()
		if len(text) < 10_000 {
			t.Fatalf("only %d bytes were printed", len(text))
		}
		for _, canary := range canaries(key) {
			if i := strings.Index(text, canary); i >= 0 {
				t.Errorf("%q is in: …%s…", canary, text[max(0, i-300):min(len(text), i+200)])
			}
		}
	})
}
