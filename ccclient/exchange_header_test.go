package ccclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestEndpointHeaderGoesWithTokenRequestsAndNowhereElse(t *testing.T) {
	header := http.Header{"x-tenant-name": {"acme"}, "Accept-Language": {"en"}}
	inBubble(t, cctest.Options{}, func(c *ccclient.Config) { c.EndpointHeader = header }, func(t *testing.T, r *rig) {
		//lint:ignore SA1008 As the map has it.
		header["x-tenant-name"][0] = "changed since" // New has copied it
		header.Set("X-Late", "1")
		r.as.FailNext(1, http.StatusServiceUnavailable, nil)
		if _, err := r.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.For(ccclient.Target{Scopes: []string{"read"}}).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		requests := r.as.TokenRequests()
		if len(requests) != 3 {
			t.Fatalf("%d token requests, want 3", len(requests))
		}
		for i, req := range requests {
			if got := req.Header.Values("X-Tenant-Name"); len(got) != 1 || got[0] != "acme" {
				t.Errorf("request %d: X-Tenant-Name %q", i, got)
			}
			if req.Header.Get("Accept-Language") != "en" || req.Header.Get("X-Late") != "" ||
				req.Header.Get("Accept") != "application/json" {
				t.Errorf("request %d: header %v", i, req.Header)
			}
		}
		seen := make(http.Header)
		look := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { seen = req.Header })
		api := &http.Client{Transport: r.Transport(cctest.RoundTripper(look))}
		resp, err := api.Get("https://api.example.com/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if seen.Get("Authorization") == "" || seen.Get("X-Tenant-Name") != "" {
			t.Errorf("the API saw %v", seen)
		}
	})
}

func TestTokensOfOneTenantAreNotAnothersThoughTheyShareAStore(t *testing.T) {
	as := cctest.NewServer(cctest.Options{})
	store := cache.Memory()
	token := func(h http.Header) string {
		t.Helper()
		cfg := good()
		cfg.ClientID = cctest.DefaultClientID
		cfg.Auth = ccclient.ClientSecretPost(ccclient.SecretString(cctest.DefaultClientSecret))
		cfg.HTTPClient = &http.Client{Transport: as.RoundTripper()}
		cfg.EndpointHeader, cfg.Cache.Store = h, store
		c, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		tok, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return tok.AccessToken
	}
	a := token(http.Header{"X-Tenant": {"a"}})
	for name, h := range map[string]http.Header{
		"another tenant": {"X-Tenant": {"b"}},
		"two tenants":    {"X-Tenant": {"a", "b"}},
		"another field":  {"X-Tenants": {"a"}},
		"none":           nil,
	} {
		if token(h) == a {
			t.Errorf("%s: got the token of tenant a", name)
		}
	}
	if token(http.Header{"x-tenant": {"a"}}) != a {
		t.Error("the same name in another case is another tenant")
	}
}

func TestEndpointHeaderThatCannotBeSentIsFault(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   string
	}{
		"none":              {nil, ""},
		"good":              {http.Header{"X-Tenant": {"acme"}, "Accept": {"application/json;v=2"}}, ""},
		"authorization":     {http.Header{"authorization": {"canary"}}, "EndpointHeader: authorization is what Auth sets"},
		"content type":      {http.Header{"Content-Type": {"application/json"}}, "EndpointHeader: Content-Type is what the form sets"},
		"proof":             {http.Header{"DPoP": {"canary"}}, "EndpointHeader: DPoP is what DPoPKey sets"},
		"host":              {http.Header{"Host": {"canary"}}, "EndpointHeader: Host is a header field that net/http sets"},
		"name":              {http.Header{"X Tenant": {"canary"}}, `EndpointHeader: "X Tenant" is not the name`},
		"another field":     {http.Header{"X-Tenant": {"canary\r\nX-Evil: 1"}}, "EndpointHeader: X-Tenant: a control character"},
		"space at its ends": {http.Header{"X-Tenant": {" canary"}}, "EndpointHeader: X-Tenant: space"},
	} {
		cfg := good()
		cfg.EndpointHeader = c.header
		client, err := ccclient.New(cfg)
		if client != nil {
			client.Close()
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" &&
			(err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: %v, want %q and no value", name, err, c.want)
		}
	}
}

func TestMethodIsItselfBesideEndpointHeader(t *testing.T) {
	secret := "old-secret"
	source := func(context.Context) (string, error) { return secret, nil }
	o := cctest.Options{Clients: []cctest.Registration{{ID: "client", Secret: "new-secret"}}}
	inBubble(t, o, func(c *ccclient.Config) {
		c.Auth = ccclient.ClientSecretBasic(source)
		c.EndpointHeader = http.Header{"X-Tenant": {"acme"}, "X-Api-Key": {"canary-0"}}
	}, func(t *testing.T, r *rig) {
		body := []byte(`{"error":"invalid_client","error_description":"old-secret is no secret of acme's, canary-0"}`)
		r.as.FailNextWith(1, http.StatusUnauthorized, nil, body)
		_, err := r.Token(t.Context())
		if !errors.Is(err, ccclient.InvalidClient) {
			t.Fatal(err)
		}
		for want, present := range map[string]bool{
			"client_secret_basic was refused": true,
			"of acme's":                       true,  // a tenant is no secret
			"old-secret":                      false, // the secret is
			"canary":                          false, // and what is called a key
		} {
			if strings.Contains(err.Error(), want) != present {
				t.Errorf("%v: %q in it: want %v", err, want, present)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", r.Client, r.Client, r.Client); strings.Contains(text, "canary") {
			t.Error("the client prints the header's values")
		}
		secret = "new-secret"
		if tok, err := r.Refresh(t.Context()); err != nil || tok == nil {
			t.Errorf("after the rotation: %v", err)
		}
	})
}
