package ccclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/hosts"
)

// faults collects what is wrong with a configuration, each fault with the name
// of its field.
type faults []error

func (f *faults) add(field, format string, args ...any) {
	*f = append(*f, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
}

// err gives all faults as one error, nil if there are none.
func (f faults) err(context string) error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("ccclient: %s: %w", context, errors.Join(f...))
}

// validate reports what New can see without I/O.
func (cfg *Config) validate() (f faults) {
	switch {
	case cfg.TokenURL == "" && cfg.Issuer == "":
		f.add("TokenURL", "required, unless Issuer is set: the URL of the token endpoint")
	case cfg.TokenURL != "" && cfg.Issuer != "":
		f.add("TokenURL", "set together with Issuer, which would discover it: give one of the two")
	case cfg.TokenURL != "":
		if err := checkEndpoint(cfg.TokenURL, cfg.InsecureHTTP); err != nil {
			f.add("TokenURL", "%w", err)
		}
	}
	if cfg.ClientID == "" {
		f.add("ClientID", "required")
	}
	switch m, ours := cfg.Auth.(*method); {
	case cfg.Auth == nil:
		f.add("Auth", "required: for a client id and a secret, ClientSecretBasic(SecretEnv(\"CLIENT_SECRET\"))")
	case ours && m.fault != nil:
		f.add("Auth", "%s: %w", m.name, m.fault)
	}
	if a, ok := cfg.Auth.(AuthFunc); ok && a == nil {
		f.add("Auth", "a nil AuthFunc")
	}
	if m, ours := cfg.Auth.(*method); ours && m.name == "tls_client_auth" && cfg.HTTPClient == nil &&
		(cfg.TLS == nil || len(cfg.TLS.Certificates) == 0 && cfg.TLS.GetClientCertificate == nil) {
		f.add("TLS", "TLSClientAuth needs a client certificate: set Certificates or GetClientCertificate")
	}
	request := Target{cfg.Scopes, cfg.Audience, cfg.Resources, cfg.EndpointParams}
	f = append(f, request.validate(cfg.Auth)...)
	f = append(f, headerFaults(cfg.EndpointHeader)...)
	if cfg.TLS != nil && (cfg.TLS.MaxVersion != 0 && cfg.TLS.MaxVersion < tls.VersionTLS12 || cfg.TLS.MinVersion != 0 && cfg.TLS.MinVersion < tls.VersionTLS12) {
		f.add("TLS", "allows versions below TLS 1.2: leave MinVersion and MaxVersion alone")
	}
	for _, pattern := range cfg.AllowedHosts {
		if err := hosts.Validate(pattern); err != nil {
			f.add("AllowedHosts", "%w", err)
		}
	}
	if r := cfg.Retry; r.MaxAttempts < 0 || r.AttemptTimeout < 0 || r.MinBackoff < 0 || r.MaxBackoff < 0 {
		f.add("Retry", "a negative number; zero is the default")
	}
	o := cfg.Cache
	if o.ExpiryMargin < 0 || o.DefaultLifetime < 0 || o.FetchTimeout < 0 || o.MaxKeys < 0 {
		f.add("Cache", "a negative number; zero is the default")
	}
	if math.IsNaN(o.RefreshAt) || o.RefreshAt < 0 || o.RefreshAt > 1 {
		f.add("Cache.RefreshAt", "%v is not a part of a token's life: 0 to 1, where 0 is the default and 1 none", o.RefreshAt)
	}
	return f
}

// validate reports what is wrong with what a token is asked for.
func (r *Target) validate(auth Auth) (f faults) {
	for _, s := range r.Scopes {
		if err := checkScope(s); err != nil {
			f.add("Scopes", "%w", err)
		}
	}
	for _, res := range r.Resources {
		if u, err := url.Parse(res); err != nil || !u.IsAbs() {
			f.add("Resources", "%q is not an absolute URI (RFC 8707, section 2)", res)
		} else if strings.Contains(res, "#") {
			f.add("Resources", "%q has a fragment (RFC 8707, section 2)", res)
		}
	}
	set := map[string]string{
		"client_secret": "Auth", "client_assertion": "Auth", "client_assertion_type": "Auth",
	}
	if m, ok := auth.(*method); ok && !strings.HasPrefix(m.name, "client_secret_basic") {
		set["client_id"] = "Auth"
	}
	if len(r.Scopes) > 0 {
		set["scope"] = "Scopes"
	}
	if r.Audience != "" {
		set["audience"] = "Audience"
	}
	if len(r.Resources) > 0 {
		set["resource"] = "Resources"
	}
	for _, name := range slices.Sorted(maps.Keys(r.EndpointParams)) {
		switch by, taken := set[name]; {
		case name == "":
			f.add("EndpointParams", "a parameter without a name")
		case taken:
			f.add("EndpointParams", "%q is what %s sets: use one of the two", name, by)
		case name == "grant_type" && len(r.EndpointParams[name]) != 1:
			f.add("EndpointParams", "grant_type has %d values, want one", len(r.EndpointParams[name]))
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

// checkEndpoint holds a token endpoint to RFC 6749, section 3.2. Its errors do
// not repeat the URL, which may hold a key.
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
	case !hosts.Secure(u, insecureHTTP):
		return fmt.Errorf("http:// to %s would show the client's credentials to the network: use https, or set InsecureHTTP", u.Host)
	}
	return nil
}
