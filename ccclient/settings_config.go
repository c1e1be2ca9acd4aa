package ccclient

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/certfile"
	"github.com/ccclient/go-ccclient/internal/faults"
	"github.com/ccclient/go-ccclient/internal/hosts"
)

// A reader makes a Config of Settings, and collects what is wrong with these by the names that they were read under.
type reader struct {
	faults *faults.List
	name   func(field string) string // of a field, as whoever reads an error knows it

	secret     Secret    // the client secret itself; nil: in a file
	secretName string    // of secret
	key        KeySource // the private key itself; nil: in a file
	keyName    string    // of key

	secretField string // what to set for a secret
}

// config returns the Config that s says. It is good if r has no faults then.
func (r *reader) config(s Settings) Config {
	r.server(s)
	if s.ClientID == "" {
		r.faults.Add(r.name("client_id"), "required: the client identifier, as it is registered with the authorization server")
	}
	cfg := Config{
		TokenURL: s.TokenURL, Issuer: s.Issuer, ClientID: s.ClientID, Auth: r.auth(s), TLS: r.tls(s),
		Scopes: s.Scopes, Audience: s.Audience, Resources: s.Resources, EndpointParams: s.EndpointParams,
		AllowedHosts: s.AllowedHosts, InsecureHTTP: s.InsecureHTTP,
	}
	for _, scope := range s.Scopes {
		r.faults.AddError(r.name("scopes"), faults.CheckScope(scope))
	}
	for _, resource := range s.Resources {
		r.faults.AddError(r.name("resources"), faults.CheckResource(resource))
	}
	for _, pattern := range s.AllowedHosts {
		r.faults.AddError(r.name("allowed_hosts"), hosts.Validate(pattern))
	}
	r.endpointParams(cfg)
	return cfg
}

// server checks where tokens come from.
func (r *reader) server(s Settings) {
	issuer, tokenURL := r.name("issuer"), r.name("token_url")
	switch {
	case s.Issuer == "" && s.TokenURL == "":
		r.faults.Add(issuer, "required, unless %s is set: the authorization server's issuer, such as https://as.example.com", tokenURL)
	case s.Issuer != "" && s.TokenURL != "":
		r.faults.Add(tokenURL, "set together with %s, from which it is discovered: use one of the two", issuer)
	}
	if s.TokenURL != "" {
		r.faults.AddError(tokenURL, r.checkURL(s.TokenURL, s.InsecureHTTP))
	}
	if s.Issuer == "" {
		return
	}
	if strings.ContainsAny(s.Issuer, "?#") {
		r.faults.Add(issuer, "an issuer has no query and no fragment (RFC 8414, section 2): leave them out")
		return
	}
	r.faults.AddError(issuer, r.checkURL(s.Issuer, s.InsecureHTTP))
}

// checkURL says what is wrong with a URL of the authorization server. It does not repeat it, as it may hold a key.
func (r *reader) checkURL(raw string, insecureHTTP bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("not a URL: it is to be like https://as.example.com/path")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return errors.New("not an absolute URL: it is to be like https://as.example.com/path")
	case u.User != nil:
		return fmt.Errorf("has a user or password in it: those go into %s and %s", r.name("client_id"), r.secretField)
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment (RFC 6749, section 3.2): leave it out")
	case !hosts.Secure(u, insecureHTTP):
		return fmt.Errorf("http:// beyond loopback would show the credentials to the network: use https, or set %s to true",
			r.name("insecure_http"))
	}
	return nil
}

// auth returns how the client authenticates; nil if that is a fault.
func (r *reader) auth(s Settings) Auth {
	secretName := r.either(r.secret != nil, r.secretName, "client_secret_file", s.ClientSecretFile)
	keyName := r.either(r.key != nil, r.keyName, "private_key_file", s.PrivateKeyFile)
	assertionName := r.either(false, "", "assertion_file", s.AssertionFile)
	certificateName := r.either(false, "", "certificate_file", s.CertificateFile)
	if s.KeyID != "" && keyName == "" && s.AuthMethod != "client_secret_jwt" {
		r.faults.Add(r.name("key_id"), "set without %s, whose key it names, or client_secret_jwt",
			r.name("private_key_file"))
	}
	method := s.AuthMethod
	if method == "" {
		method = r.inferred([]choice{
			{secretName, "client_secret_basic"}, {keyName, "private_key_jwt"}, {assertionName, "private_key_jwt"},
			{certificateName, "tls_client_auth"},
		})
		if method == "" {
			return nil
		}
	}
	secret, key := r.secret, r.key
	if secret == nil && secretName != "" {
		secret = SecretFile(s.ClientSecretFile)
	}
	if key == nil && keyName != "" {
		key = KeyFile(s.PrivateKeyFile)
	}
	field := r.name("auth_method")
	switch method {
	case "client_secret_basic", "client_secret_basic_unencoded", "client_secret_post", "client_secret_jwt":
		if secret == nil {
			r.faults.Add(field, "%s needs a secret: set %s", method, r.secretField)
			return nil
		}
	case "private_key_jwt":
		switch {
		case key == nil && assertionName == "":
			r.faults.Add(field, "private_key_jwt needs a key or a ready assertion: set %s or %s",
				r.name("private_key_file"), r.name("assertion_file"))
			return nil
		case key != nil && assertionName != "":
			r.faults.Add(assertionName, "set together with %s, and either is for private_key_jwt: use one of the two", keyName)
			return nil
		case key == nil:
			return ClientAssertion(SecretFile(s.AssertionFile))
		}
	case "tls_client_auth", "self_signed_tls_client_auth":
		if certificateName == "" {
			r.faults.Add(field, "%s needs a client certificate: set %s", method, r.name("certificate_file"))
			return nil
		}
	}
	auth, err := authByName(method, secret, key, AssertionOptions{KeyID: s.KeyID})
	r.faults.AddError(field, err)
	return auth
}

// either returns the name of what is given: a value itself, or a file for it in a field; empty if neither is. Both are
// a fault.
func (r *reader) either(value bool, valueName, field, path string) string {
	switch {
	case value && path != "":
		r.faults.Add(r.name(field), "set together with %s: use one of the two", valueName)
		return valueName
	case value:
		return valueName
	case path != "":
		return r.name(field)
	}
	return ""
}

// A choice is one thing to authenticate with, and the method that it is for if nothing else is said. Its name is empty
// if it is not given.
type choice struct{ name, method string }

// inferred returns the method that the one thing which is given is for; empty if that is a fault.
func (r *reader) inferred(all []choice) string {
	all = slices.DeleteFunc(all, func(c choice) bool { return c.name == "" })
	switch len(all) {
	case 0:
		r.faults.Add(r.secretField, "required, unless one of %s, %s and %s is set: what the client authenticates with",
			r.name("private_key_file"), r.name("assertion_file"), r.name("certificate_file"))
		return ""
	case 1:
		return all[0].method
	}
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	r.faults.Add(r.name("auth_method"), "required, since any of %s could authenticate the client: %s",
		strings.Join(names, ", "), methodNames)
	return ""
}

// tls returns what s says of connections; nil if it says nothing.
func (r *reader) tls(s Settings) *tls.Config {
	if s.CertificateKeyFile != "" && s.CertificateFile == "" {
		r.faults.Add(r.name("certificate_key_file"), "set without %s, whose key it holds", r.name("certificate_file"))
	}
	if s.CertificateFile == "" && s.CAFile == "" {
		return nil
	}
	config := new(tls.Config)
	if s.CertificateFile != "" {
		config.GetClientCertificate = certfile.New(s.CertificateFile, cmp.Or(s.CertificateKeyFile, s.CertificateFile))
	}
	if s.CAFile != "" {
		var err error
		config.RootCAs, err = certfile.Pool(s.CAFile)
		r.faults.AddError(r.name("ca_file"), err)
	}
	return config
}

// endpointParams checks cfg.EndpointParams against the rest. It repeats no value.
func (r *reader) endpointParams(cfg Config) {
	setBy := map[string]string{"client_id": r.name("client_id")}
	for _, name := range slices.Concat(foreign.parameters, factsOf(cfg.Auth).parameters) {
		setBy[name] = cmp.Or(setBy[name], "the authentication")
	}
	if len(cfg.Scopes) > 0 {
		setBy["scope"] = r.name("scopes")
	}
	if cfg.Audience != "" {
		setBy["audience"] = r.name("audience")
	}
	if len(cfg.Resources) > 0 {
		setBy["resource"] = r.name("resources")
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.EndpointParams)) {
		switch by, taken := setBy[name]; {
		case name == "":
			r.faults.Add(r.name("endpoint_params"), "a parameter without a name: each is name=value")
		case taken:
			r.faults.Add(r.name("endpoint_params"), "%.60q is what %s sets: leave it out here", name, by)
		case name == "grant_type" && len(cfg.EndpointParams[name]) != 1:
			r.faults.Add(r.name("endpoint_params"), "grant_type has %d values: give it one",
				len(cfg.EndpointParams[name]))
		}
	}
}
