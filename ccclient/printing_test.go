package ccclient_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
)

// dump prints all that can be reached from v by reflection: fields of any name, through pointers, interfaces, maps and
// slices. It calls no method.
func dump(v any) string {
	var b strings.Builder
	seen := make(map[uintptr]bool)
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Map:
			if v.IsNil() || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			if v.Kind() == reflect.Pointer {
				walk(v.Elem())
				return
			}
			for it := v.MapRange(); it.Next(); {
				walk(it.Key())
				walk(it.Value())
			}
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for _, field := range v.Fields() {
				walk(field)
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
				fmt.Fprintf(&b, "%s\n%x\n", v.Bytes(), v.Bytes())
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.String:
			b.WriteString(v.String() + "\n")
		case reflect.Uint, reflect.Uint64, reflect.Int, reflect.Int64:
			fmt.Fprintf(&b, "%v\n", v)
		}
	}
	walk(reflect.ValueOf(v))
	return b.String()
}

// printed returns v in every way in which it may be printed, save by dump, and by %p: for that fmt asks no method.
func printed(v any) string {
	var b bytes.Buffer
	for _, verb := range "vsqxXdTbcoOUeEfFgGt" {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "20", ".3"} {
			fmt.Fprintf(&b, "%"+flag+string(verb)+"\n", v)
		}
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
	if text, err := json.Marshal(v); err == nil {
		b.Write(text)
	}
	if text, err := json.Marshal(map[string]any{"v": []any{v}}); err == nil {
		b.Write(text)
	}
	return b.String()
}

// dump reads what mutexes guard, so it waits in a bubble for what goes on behind the callers.
func TestNothingExportedShowsSecretsHoweverItIsPrinted(t *testing.T) {
	synctest.Test(t, testNothingExportedShowsSecrets)
}

func testNothingExportedShowsSecrets(t *testing.T) {
	const param = "canary-of-a-parameter-4711"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	server := &memory{}
	c, err := ccclient.New(ccclient.Config{
		TokenURL: asTokenURL + "?api_key=" + param, ClientID: "id",
		Auth:           ccclient.ClientSecretPost(ccclient.SecretString(oldSecret)),
		HTTPClient:     &http.Client{Transport: roundTripper(server.RoundTrip)},
		EndpointParams: url.Values{"password": {param}},
		EndpointHeader: http.Header{"X-Api-Key": {param}}, Cache: cache.Options{Store: cache.Memory()},
		StepUp: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	bound, err := ccclient.New(ccclient.Config{
		TokenURL: asTokenURL, ClientID: "id", DPoPKey: key, TLS: nil,
		Auth: ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{KeyID: "k"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer bound.Close()
	derived := c.For(ccclient.Target{EndpointParams: url.Values{"subject_token": {param}}})
	for _, c := range []*ccclient.Client{c, derived} {
		tok, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Invalidate(tok)
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	api := &http.Client{Transport: c.Transport(roundTripper(func(r *http.Request) (*http.Response, error) {
		lacking := http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="more"`}}
		return &http.Response{StatusCode: 403, Header: lacking, Body: http.NoBody, Request: r}, nil
	}))}
	if _, err := api.Get("https://api.example.com/"); err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		oldSecret, newSecret, param, string(raw), fmt.Sprintf("%x", raw), new(big.Int).SetBytes(raw).String(),
		url.QueryEscape(param),
	}
	for n := range 8 {
		secrets = append(secrets, tokenOf(n))
	}
	check := func(how, text string, v any) {
		t.Helper()
		for _, s := range secrets {
			for _, s := range []string{s, fmt.Sprintf("%x", s), strings.ToUpper(fmt.Sprintf("%x", s))} {
				if i := strings.Index(text, s); i >= 0 {
					t.Errorf("%T, %s: %q in …%q…", v, how, s, text[max(0, i-100):i])
				}
			}
		}
	}
	for _, v := range []any{
		c, derived, bound, c.TokenSource(), c.HTTPClient(), c.Transport(nil), c.Transport(nil).Source, api,
		bound.HTTPClient(), bound.Transport(nil).DPoP,
		ccclient.ClientSecretBasic(ccclient.SecretString(oldSecret)),
		ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{}),
		ccclient.SecretString(oldSecret), cache.Memory(),
	} {
		synctest.Wait()
		check("printed", printed(v), v)
		check("dumped", dump(v), v)
		check("dumped in a field", dump(struct{ v any }{v}), v)
	}
	credentials, err := ccclient.ClientSecretPost(ccclient.SecretString(oldSecret)).
		Authenticate(context.Background(), ccclient.Request{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := ccclient.Config{
		TokenURL: asTokenURL + "?api_key=" + param, EndpointParams: url.Values{"password": {param}}, DPoPKey: key,
		EndpointHeader: http.Header{"X-Api-Key": {param}},
	}
	target := ccclient.Target{EndpointParams: url.Values{"password": {param}}}
	request := ccclient.Request{Form: url.Values{"password": {param}}, TokenURL: asTokenURL + "?api_key=" + param}
	pair := ccclient.Key{Signer: key, ID: "k"}
	registered := cctest.Registration{ID: "id", Secret: oldSecret}
	for _, v := range []any{
		credentials, &credentials, cfg, &cfg, target, &target, request, &request, pair, &pair, registered, &registered,
		cctest.Options{Clients: []cctest.Registration{registered}},
		[]any{cfg, target}, struct{ C ccclient.Config }{cfg},
	} {
		check("printed", printed(v), v)
		check("printed from a pointer", printed(&v), v)
		check("printed in a map", printed(map[string]any{"v": v}), v)
		check("printed in an error", printed(fmt.Errorf("%v, %+v, %#v, %s", v, v, v, v)), v)
	}
	account := "https://user:" + param + "@as.example.com/issuer"
	for _, v := range []any{
		ccclient.Request{Issuer: account, TokenURL: account}, ccclient.Config{Issuer: account, TokenURL: account},
		transport.Transport{Source: c, DPoP: bound.Transport(nil).DPoP}, c.Transport(nil), bound.TokenSource(),
	} {
		check("printed", printed(v), v)
	}
	// JSON is what Settings are read from.
	settings := ccclient.Settings{Issuer: account, TokenURL: account, EndpointParams: url.Values{"password": {param}}}
	for _, v := range []any{settings, &settings, []ccclient.Settings{settings}} {
		check("printed", fmt.Sprintf("%v %+v %#v %s %q %x %d", v, v, v, v, v, v, v), v)
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", settings, slog.Group("g", "v", settings))
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", settings, "p", &settings)
	check("logged", b.String(), settings)
}
