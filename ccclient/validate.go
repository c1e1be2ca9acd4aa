package ccclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/field"
	"github.com/ccclient/go-ccclient/internal/hosts"
)

// faults collects what is wrong with a configuration, each fault with the name of its field.
type faults []error

func (f *faults) add(field, format string, args ...any) {
	f.of(field, fmt.Errorf(format, args...))
}

// of adds err, unless it is nil.
func (f *faults) of(field string, err error) {
	if err != nil {
		*f = append(*f, fmt.Errorf("%s: %w", field, err))
	}
}

// err returns all faults as one error, nil if there are none.
func (f faults) err(context string) error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", context, errors.Join(f...))
}

// validate returns what New can see without I/O.
func (cfg *Config) validate() (f faults) {
	switch {
	case cfg.TokenURL == "" && cfg.Issuer == "":
		f.add("TokenURL", "required, unless Issuer is set: the URL of the token endpoint")
	case cfg.TokenURL != "" && cfg.Issuer != "":
		f.add("TokenURL", "set together with Issuer, which would discover it: use one of the two")
	case cfg.TokenURL != "":
		f.of("TokenURL", checkEndpoint(cfg.TokenURL, cfg.InsecureHTTP))
	}
	if cfg.ClientID == "" {
		f.add("ClientID", "required")
	}
	switch auth := factsOf(cfg.Auth); {
	case cfg.Auth == nil:
		f.add("Auth", `required: for a client id and a secret, ClientSecretBasic(SecretEnv("CLIENT_SECRET"))`)
	case auth.fault != nil:
		f.add("Auth", "%s: %w", auth.name, auth.fault)
	}
	target := cfg.target()
	f = append(f, target.validate(cfg.Auth)...)
	f = append(f, headerFaults(cfg.EndpointHeader)...)
	f = append(f, cfg.validateConnections()...)
	for _, pattern := range cfg.AllowedHosts {
		f.of("AllowedHosts", hosts.Validate(pattern))
	}
	if cfg.ReplayLimit < 0 {
		f.add("ReplayLimit", "%d is negative; zero is none", cfg.ReplayLimit)
	}
	if r := cfg.Retry; r.MaxAttempts < 0 || r.AttemptTimeout < 0 || r.MinBackoff < 0 || r.MaxBackoff < 0 {
		f.add("Retry", "a negative number; zero is the default")
	}
	if cfg.Logger != nil && cfg.Cache.Logger != nil {
		f.add("Cache.Logger", "set together with Logger, which is for everything: use that alone")
	}
	return append(f, validateCache(&cfg.Cache)...)
}

// validate returns what is wrong with t for a client that authenticates with auth.
func (t *Target) validate(auth Auth) (f faults) {
	for _, s := range t.Scopes {
		f.of("Scopes", checkScope(s))
	}
	for _, res := range t.Resources {
		f.of("Resources", checkResource(res))
	}
	setBy := make(map[string]string)
	for _, name := range slices.Concat(foreign.parameters, factsOf(auth).parameters) { // of two methods one is too many
		setBy[name] = "Auth"
	}
	setBy["client_id"] = "ClientID" // whether or not Auth sends it
	if len(t.Scopes) > 0 {
		setBy["scope"] = "Scopes"
	}
	if t.Audience != "" {
		setBy["audience"] = "Audience"
	}
	if len(t.Resources) > 0 {
		setBy["resource"] = "Resources"
	}
	for _, name := range slices.Sorted(maps.Keys(t.EndpointParams)) {
		switch by, taken := setBy[name]; {
		case name == "":
			f.add("EndpointParams", "a parameter without a name")
		case taken:
			f.add("EndpointParams", "%q is what %s sets: use that alone", name, by)
		case name == "grant_type" && len(t.EndpointParams[name]) != 1:
			f.add("EndpointParams", "grant_type has %d values, want one", len(t.EndpointParams[name]))
		}
	}
	return f
}

// checkScope holds a scope to the grammar of RFC 6749, section 3.3.
func checkScope(s string) error {
	if s == "" {
		return errors.New("an empty scope")
	}
	for _, c := range []byte(s) {
		switch {
		case c == ' ':
			return fmt.Errorf("%q has a space: one scope an element", s)
		case c < 0x21 || c > 0x7e || c == '"' || c == '\\':
			return fmt.Errorf("%q has a character that a scope may not have (RFC 6749, section 3.3)", s)
		}
	}
	return nil
}

// checkResource holds a resource indicator to RFC 8707, section 2.
func checkResource(s string) error {
	switch u, err := url.Parse(s); {
	case err != nil || !u.IsAbs():
		return fmt.Errorf("%q is not an absolute URI (RFC 8707, section 2)", s)
	case strings.Contains(s, "#"):
		return fmt.Errorf("%q has a fragment (RFC 8707, section 2)", s)
	}
	return nil
}

// headerSetBy names what sets a header field of token requests, where that is not left to Config.EndpointHeader.
var headerSetBy = map[string]string{
	"Authorization": "Auth",
	"Content-Type":  "the form",
	"Dpop":          "DPoPKey",
}

// headerFaults returns what is wrong with Config.EndpointHeader. It repeats no value.
func headerFaults(h http.Header) (f faults) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if err := field.CheckName(name); err != nil {
			f.add("EndpointHeader", "%w", err)
		} else if by, taken := headerSetBy[http.CanonicalHeaderKey(name)]; taken {
			f.add("EndpointHeader", "%s is what %s sets", name, by)
		}
		for _, value := range h[name] {
			if err := field.CheckValue(value); err != nil {
				f.add("EndpointHeader", "%s: %w", name, err)
			}
		}
	}
	return f
}

// validateConnections returns what is wrong with what everything goes through.
func (cfg *Config) validateConnections() (f faults) {
	if cfg.HTTPClient != nil {
		if cfg.TLS != nil {
			f.add("TLS", "would be ignored, since HTTPClient makes the connections: put it into the Transport of that")
		}
		if cfg.WrapTransport != nil {
			f.add("WrapTransport", "would be ignored, since HTTPClient makes the connections: wrap the Transport of that")
		}
		return f
	}
	config := cfg.TLS
	if config == nil {
		config = new(tls.Config)
	}
	if auth := factsOf(cfg.Auth); auth.certificate && len(config.Certificates) == 0 &&
		config.GetClientCertificate == nil {
		f.add("TLS", "%s needs a client certificate: set Certificates or GetClientCertificate", auth.name)
	}
	for _, version := range []uint16{config.MinVersion, config.MaxVersion} {
		if version != 0 && version < tls.VersionTLS12 {
			f.add("TLS", "allows versions below TLS 1.2: leave MinVersion and MaxVersion alone")
			break
		}
	}
	return f
}

func validateCache(o *cache.Options) (f faults) {
	if o.ExpiryMargin < 0 || o.DefaultLifetime < 0 || o.FetchTimeout < 0 || o.MaxKeys < 0 {
		f.add("Cache", "a negative number; zero is the default")
	}
	if math.IsNaN(o.RefreshAt) || o.RefreshAt < 0 || o.RefreshAt > 1 {
		f.add("Cache.RefreshAt", "%v is not a part of a token's life: 0 to 1, where 0 is the default and 1 none", o.RefreshAt)
	}
	return f
}

// checkEndpoint holds a token endpoint to RFC 6749, section 3.2. Its errors do not repeat the URL, which may hold a
// key.
func checkEndpoint(raw string, insecureHTTP bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return errors.New("not an absolute https URL, such as https://as.example.com/token")
	case u.User != nil:
		return errors.New("has a user or password in it: use ClientID and Auth")
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment (RFC 6749, section 3.2)")
	case strings.Contains(u.Path, "/.well-known/"):
		return errors.New("is the address of metadata: set Issuer, without what begins with /.well-known/, in its place")
	case !hosts.Secure(u, insecureHTTP):
		return fmt.Errorf("http:// to %s would show the client's credentials to the network: use https, or set InsecureHTTP", u.Host)
	}
	return nil
}
