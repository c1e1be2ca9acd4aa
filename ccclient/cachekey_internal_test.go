package ccclient

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/cachekey"
	"github.com/ccclient/go-ccclient/internal/clientcert"
)

func TestKeyCoversAllThatShapesTheToken(t *testing.T) {
	secret := SecretString("canary")
	secretAuth := AuthFunc(ClientSecretBasic(secret).Authenticate)
	base := func() Config {
		return Config{TokenURL: "https://a/t", ClientID: "id", Auth: ClientSecretBasic(secret)}
	}
	hash := cachekey.SecretsOf(nil)
	key := func(change func(*Config)) string {
		cfg := base()
		if change != nil {
			change(&cfg)
		}
		r := Target{
			Scopes: cfg.Scopes, Audience: cfg.Audience, Resources: cfg.Resources, EndpointParams: cfg.EndpointParams,
		}
		identity, err := identityOf(cfg.Auth)
		if err != nil {
			t.Fatal(err)
		}
		own, _ := cfg.clientKey(identity, nil, nil, hash)
		k, _ := r.key(nil, own, hash)
		return string(k)
	}
	seen := map[string]string{key(nil): "base"}
	for name, change := range map[string]func(*Config){
		"token URL":             func(c *Config) { c.TokenURL = "https://b/t" },
		"issuer":                func(c *Config) { c.TokenURL, c.Issuer = "", "https://a/t" },
		"client id":             func(c *Config) { c.ClientID = "id2" },
		"method":                func(c *Config) { c.Auth = ClientSecretPost(secret) },
		"method of the user's":  func(c *Config) { c.Auth = AuthFunc(nil) },
		"key id":                func(c *Config) { c.Auth = ClientSecretJWT(secret, AssertionOptions{KeyID: "1"}) },
		"another key id":        func(c *Config) { c.Auth = ClientSecretJWT(secret, AssertionOptions{KeyID: "2"}) },
		"scope":                 func(c *Config) { c.Scopes = []string{"a"} },
		"two scopes":            func(c *Config) { c.Scopes = []string{"a", "b"} },
		"one scope of the same": func(c *Config) { c.Scopes = []string{"ab"} },
		"audience":              func(c *Config) { c.Audience = "a" },
		"resource":              func(c *Config) { c.Resources = []string{"a"} },
		"resources":             func(c *Config) { c.Resources = []string{"a", "b"} },
		"resources in order":    func(c *Config) { c.Resources = []string{"b", "a"} },
		"parameter":             func(c *Config) { c.EndpointParams = url.Values{"a": {"b"}} },
		"parameter's values":    func(c *Config) { c.EndpointParams = url.Values{"a": {"b", "c"}} },
		"parameters":            func(c *Config) { c.EndpointParams = url.Values{"a": {"b"}, "c": {}} },
		"parameter's name":      func(c *Config) { c.EndpointParams = url.Values{"ab": {""}} },
		"secret parameter":      func(c *Config) { c.EndpointParams = url.Values{"api_key": {"a"}} },
		"its value":             func(c *Config) { c.EndpointParams = url.Values{"api_key": {"b"}} },
		"its values":            func(c *Config) { c.EndpointParams = url.Values{"api_key": {"a", "b"}} },
		"its name":              func(c *Config) { c.EndpointParams = url.Values{"api-key": {"a"}} },
		"header field":          func(c *Config) { c.EndpointHeader = http.Header{"X-Tenant": {"a"}} },
		"its other value":       func(c *Config) { c.EndpointHeader = http.Header{"X-Tenant": {"b"}} },
		"secret header field":   func(c *Config) { c.EndpointHeader = http.Header{"X-Api-Key": {"a"}} },
		"its other secret":      func(c *Config) { c.EndpointHeader = http.Header{"X-Api-Key": {"b"}} },
		"query":                 func(c *Config) { c.TokenURL = "https://a/t?a" },
		"another query":         func(c *Config) { c.TokenURL = "https://a/t?b" },
		"user info":             func(c *Config) { c.TokenURL = "https://a@a/t" },
		"empty query":           func(c *Config) { c.TokenURL = "https://a/t?" },
		"identity":              func(c *Config) { c.Auth = tenant{secretAuth, "a"} },
		"another identity":      func(c *Config) { c.Auth = tenant{secretAuth, "b"} },
		"identity of a method":  func(c *Config) { c.Auth = tenant{secretAuth, "client_secret_basic"} },
		"another type's":        func(c *Config) { c.Auth = struct{ tenant }{tenant{secretAuth, "a"}} },
	} {
		k := key(change)
		if other, twice := seen[k]; twice {
			t.Errorf("%s and %s have the same key", name, other)
		}
		seen[k] = name
		if other, twice := seen[certifiedKey(k, "thumbprint")]; twice {
			t.Errorf("%s, with a certificate, and %s have the same key", name, other)
		}
		if len(k) != 43 || strings.ContainsAny(k, "./+= ") {
			t.Errorf("the key %q is not short and printable", k)
		}
	}
	a := key(func(c *Config) { c.Scopes = []string{"b", "a"} })
	if seen[a] != "two scopes" {
		t.Error("the order of scopes matters")
	}
	b := key(func(c *Config) { c.Auth = ClientSecretBasic(SecretString("another")) })
	if seen[b] != "base" {
		t.Error("a secret went into the key")
	}
	withCert := base()
	shown, _ := clientcert.New(&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{{1}}}}}, nil)
	with, _ := withCert.clientKey(nil, nil, shown, hash)
	without, _ := withCert.clientKey(nil, nil, nil, hash)
	if string(with) == string(without) {
		t.Error("the certificate does not matter")
	}
}
