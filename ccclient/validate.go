package ccclient

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"

	"github.com/ccclient/go-ccclient/cache"
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
	if auth := factsOf(cfg.Auth); auth.certificate && len(config.Certificates) == 0 && config.GetClientCertificate == nil {
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

// checkEndpoint holds a token endpoint to RFC 6749, section 3.2. Its errors do not repeat the URL, which may hold a key.
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
