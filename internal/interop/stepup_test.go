package interop_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
)

// TestStepUpAtOIDCProvider calls an API that asks for a second scope, of a
// client that asked for one.
func TestStepUpAtOIDCProvider(t *testing.T) {
	need(t, oidcProvider)
	plain := ccclient.ClientSecretBasic(ccclient.SecretString(plainSecret))
	for name, config := range map[string]ccclient.Config{
		"Bearer":               {ClientID: "basic", Auth: plain},
		"JWT access token":     {ClientID: "basic", Auth: plain, Resources: []string{resource}},
		"DPoP with nonces":     {ClientID: "dpop-nonce", Auth: plain, DPoPKey: dpopECKey},
		"signed, DPoP, nonces": {ClientID: "dpop-nonce-es256", DPoPKey: dpopECKey, Auth: ccclient.PrivateKeyJWT(ecKey, ccclient.AssertionOptions{})},
	} {
		t.Run(name, func(t *testing.T) {
			config.Issuer, config.Scopes, config.StepUp = oidcProvider.issuer, []string{"read"}, true
			u := newUser(t, oidcProvider, cell{config: config})
			lacking := u.countLacking()
			u.spend()
			base := u.token()
			u.api += "/write"
			for range 3 {
				u.spend()
			}
			if n := lacking.Load(); n != 1 {
				t.Errorf("the API found a scope lacking in %d calls, want the first alone", n)
			}
			if tok := u.token(); tok.AccessToken != base.AccessToken {
				t.Error("Token steps up")
			}
		})
	}
}

// TestStepUpThatOIDCProviderRefuses asks for a scope that the client may not
// have.
func TestStepUpThatOIDCProviderRefuses(t *testing.T) {
	need(t, oidcProvider)
	u := newUser(t, oidcProvider, cell{config: ccclient.Config{
		ClientID: "reader", Auth: ccclient.ClientSecretBasic(ccclient.SecretString(plainSecret)),
		Issuer: oidcProvider.issuer, Scopes: []string{"read"}, StepUp: true,
	}})
	lacking := u.countLacking()
	for range 3 {
		resp, err := u.http.Post(u.api+"/write", "text/plain", strings.NewReader("entry"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusForbidden || string(text) != "{}" {
			t.Errorf("the API's answer came as %s %q %v", resp.Status, text, err)
		}
	}
	if n := lacking.Load(); n != 3 {
		t.Errorf("the API found a scope lacking in %d calls of 3", n)
	}
	u.spend()
}

// countLacking counts the answers that find a scope lacking.
func (u *user) countLacking() *atomic.Int64 {
	n := new(atomic.Int64)
	spend := u.http.Transport.(*transport.Transport)
	base := spend.Base
	spend.Base = roundTripper(func(r *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err == nil && strings.Contains(resp.Header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
			n.Add(1)
		}
		return resp, err
	})
	return n
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
