package ccclient_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// everyPrint returns v as fmt, slog and encoding/json show it, and a struct that holds it.
func everyPrint(t *testing.T, v any) string {
	t.Helper()
	var out strings.Builder
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", v, "in", struct{ V any }{v})
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "v", v, "in", struct{ V any }{v})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", v, struct{ V any }{v}, []any{&v, v})
	}
	if b, err := json.Marshal(map[string]any{"v": v}); err == nil {
		out.Write(b)
	}
	return out.String()
}

func TestPrintingShowsNoSecret(t *testing.T) {
	const canary = "canary-secret"
	secret := ccclient.SecretString(canary)
	for _, auth := range []ccclient.Auth{
		ccclient.ClientSecretBasic(secret),
		ccclient.ClientSecretBasicUnencoded(secret),
		ccclient.ClientSecretPost(secret),
		ccclient.AuthFunc(func(_ context.Context, r ccclient.Request) (ccclient.Credentials, error) {
			return ccclient.Credentials{
				Form: url.Values{"grant_type": {canary}}, Header: http.Header{"X-Key": {canary}},
			}, nil
		}),
	} {
		r := newRequest("client")
		r.Form.Set("api_key", canary)
		c, err := auth.Authenticate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{r, &r, c, &c, auth} {
			printed := everyPrint(t, v)
			for _, form := range []string{
				canary, "canary-key", base64.StdEncoding.EncodeToString([]byte("client:" + canary)),
				fmt.Sprintf("%x", canary),
			} {
				if strings.Contains(printed, form) {
					t.Errorf("%T: %q is in %s", v, form, printed)
				}
			}
		}
		if printed := everyPrint(t, r); !strings.Contains(printed, "grant_type") ||
			!strings.Contains(printed, "https://as.example/token") {
			t.Errorf("the names are not shown: %s", printed)
		}
		if printed := everyPrint(t, c); !strings.Contains(printed, "Authorization") &&
			!strings.Contains(printed, "client_secret") && !strings.Contains(printed, "X-Key") {
			t.Errorf("the names are not shown: %s", printed)
		}
	}
}

func TestAuthFuncMayWrapAMethodAndAddToIt(t *testing.T) {
	for _, inner := range []func(ccclient.Secret) ccclient.Auth{ccclient.ClientSecretBasic, ccclient.ClientSecretPost} {
		configure := func(cfg *ccclient.Config) {
			method := inner(ccclient.SecretString(cctest.DefaultClientSecret))
			cfg.Auth = ccclient.AuthFunc(func(ctx context.Context, r ccclient.Request) (ccclient.Credentials, error) {
				r.Form.Set("ignored", "1") // a copy
				c, err := method.Authenticate(ctx, r)
				if err != nil {
					return c, err
				}
				c.Form.Set("tenant", "shop")
				c.Header.Set("X-Tenant", "shop")
				c.Header["x-lower"] = []string{"1"}
				return c, nil
			})
		}
		inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
			r.token()
			got := r.as.TokenRequests()[0]
			if got.Form.Get("tenant") != "shop" || got.Header.Get("X-Tenant") != "shop" ||
				got.Header.Get("X-Lower") != "1" ||
				got.Form.Has("ignored") {
				t.Errorf("%s with %v and %v", got.AuthMethod, got.Form, got.Header)
			}
		})
	}
}

func TestWhatCredentialsHoldReplacesWhatTheRequestHas(t *testing.T) {
	configure := func(cfg *ccclient.Config) {
		cfg.EndpointHeader = http.Header{"X-Tenant": {"a"}, "Accept": {"application/json;v=2"}}
		cfg.Auth = ccclient.AuthFunc(func(_ context.Context, r ccclient.Request) (ccclient.Credentials, error) {
			return ccclient.Credentials{
				Form: url.Values{
					"client_id": {r.ClientID}, "client_secret": {cctest.DefaultClientSecret}, "scope": {"read"}, "empty": {""},
				},
				Header: http.Header{"x-tenant": {"b"}, "Content-Type": {"text/plain"}},
			}, nil
		})
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		r.token()
		got := r.as.TokenRequests()[0]
		if tenants := got.Header.Values("X-Tenant"); len(tenants) != 1 || tenants[0] != "b" ||
			got.Header.Get("Accept") != "application/json;v=2" {
			t.Errorf("header %v", got.Header)
		}
		if got.Form.Get("scope") != "read" || got.Form.Has("empty") ||
			got.Form.Get("grant_type") != "client_credentials" {
			t.Errorf("form %v", got.Form)
		}
	})
}

func TestNilAuthFuncIsAnErrorNotAPanic(t *testing.T) {
	if _, err := ccclient.AuthFunc(nil).Authenticate(t.Context(), newRequest("client")); err == nil {
		t.Error("no error from a nil AuthFunc")
	}
}
