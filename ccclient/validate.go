package ccclient

import (
	"crypto/tls"
	"maps"
	"math"
	"net/http"
	"slices"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/faults"
	"github.com/ccclient/go-ccclient/internal/field"
	"github.com/ccclient/go-ccclient/internal/hosts"
)

// validate returns what New can see without I/O.
func (cfg *Config) validate() (f faults.List) {
	switch {
	case cfg.TokenURL == "" && cfg.Issuer == "":
		f.Add("TokenURL", "required, unless Issuer is set: the URL of the token endpoint")
	case cfg.TokenURL != "" && cfg.Issuer != "":
		f.Add("TokenURL", "set together with Issuer, which would discover it: use one of the two")
	case cfg.TokenURL != "":
		f.AddError("TokenURL", endpoint.Check(cfg.TokenURL, cfg.InsecureHTTP))
	}
	if cfg.ClientID == "" {
		f.Add("ClientID", "required")
	}
	switch auth := factsOf(cfg.Auth); {
	case cfg.Auth == nil:
		f.Add("Auth", `required: for a client id and a secret, ClientSecretBasic(SecretEnv("CLIENT_SECRET"))`)
	case auth.fault != nil:
		f.Add("Auth", "%s: %w", auth.name, auth.fault)
	}
	target := cfg.target()
	f = append(f, target.validate(cfg.Auth)...)
	f = append(f, headerFaults(cfg.EndpointHeader)...)
	f = append(f, cfg.validateConnections()...)
	for _, pattern := range cfg.AllowedHosts {
		f.AddError("AllowedHosts", hosts.Validate(pattern))
	}
	if cfg.ReplayLimit < 0 {
		f.Add("ReplayLimit", "%d is negative; zero is none", cfg.ReplayLimit)
	}
	if r := cfg.Retry; r.MaxAttempts < 0 || r.AttemptTimeout < 0 || r.MinBackoff < 0 || r.MaxBackoff < 0 {
		f.Add("Retry", "a negative number; zero is the default")
	}
	if cfg.Logger != nil && cfg.Cache.Logger != nil {
		f.Add("Cache.Logger", "set together with Logger, which is for everything: use that alone")
	}
	if cfg.Cache.Trace != nil {
		f.Add("Cache.Trace", "would hear of less than Trace, and without what callers see of errors: set that")
	}
	return append(f, validateCache(&cfg.Cache)...)
}

// validate returns what is wrong with t for a client that authenticates with auth.
func (t *Target) validate(auth Auth) (f faults.List) {
	for _, s := range t.Scopes {
		f.AddError("Scopes", faults.CheckScope(s))
	}
	for _, res := range t.Resources {
		f.AddError("Resources", faults.CheckResource(res))
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
			f.Add("EndpointParams", "a parameter without a name")
		case taken:
			f.Add("EndpointParams", "%q is what %s sets: use that alone", name, by)
		case name == "grant_type" && len(t.EndpointParams[name]) != 1:
			f.Add("EndpointParams", "grant_type has %d values, want one", len(t.EndpointParams[name]))
		}
	}
	return f
}

// headerSetBy names what sets a header field of token requests, where that is not left to Config.EndpointHeader.
var headerSetBy = map[string]string{
	"Authorization": "Auth",
	"Content-Type":  "the form",
	"Dpop":          "DPoPKey",
}

// headerFaults returns what is wrong with Config.EndpointHeader. It repeats no value.
func headerFaults(h http.Header) (f faults.List) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if err := field.CheckName(name); err != nil {
			f.Add("EndpointHeader", "%w", err)
		} else if by, taken := headerSetBy[http.CanonicalHeaderKey(name)]; taken {
			f.Add("EndpointHeader", "%s is what %s sets", name, by)
		}
		for _, value := range h[name] {
			if err := field.CheckValue(value); err != nil {
				f.Add("EndpointHeader", "%s: %w", name, err)
			}
		}
	}
	return f
}

// validateConnections returns what is wrong with what everything goes through.
func (cfg *Config) validateConnections() (f faults.List) {
	if cfg.HTTPClient != nil {
		if cfg.TLS != nil {
			f.Add("TLS", "would be ignored, since HTTPClient makes the connections: put it into the Transport of that")
		}
		if cfg.WrapTransport != nil {
			f.Add("WrapTransport", "would be ignored, since HTTPClient makes the connections: wrap the Transport of that")
		}
		return f
	}
	config := cfg.TLS
	if config == nil {
		config = new(tls.Config)
	}
	if auth := factsOf(cfg.Auth); auth.certificate && len(config.Certificates) == 0 &&
		config.GetClientCertificate == nil {
		f.Add("TLS", "%s needs a client certificate: set Certificates or GetClientCertificate", auth.name)
	}
	for _, version := range []uint16{config.MinVersion, config.MaxVersion} {
		if version != 0 && version < tls.VersionTLS12 {
			f.Add("TLS", "allows versions below TLS 1.2: leave MinVersion and MaxVersion alone")
			break
		}
	}
	return f
}

func validateCache(o *cache.Options) (f faults.List) {
	if o.ExpiryMargin < 0 || o.DefaultLifetime < 0 || o.FetchTimeout < 0 || o.MaxKeys < 0 {
		f.Add("Cache", "a negative number; zero is the default")
	}
	if math.IsNaN(o.RefreshAt) || o.RefreshAt < 0 || o.RefreshAt > 1 {
		f.Add("Cache.RefreshAt", "%v is not a part of a token's life: 0 to 1, where 0 is the default and 1 none", o.RefreshAt)
	}
	return f
}
