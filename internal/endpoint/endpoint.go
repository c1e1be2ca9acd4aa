// Package endpoint knows token endpoints: where one is, what is known of the server there, and what to say of a URL
// that is none.
package endpoint

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/ccclient/go-ccclient/internal/discovery"
	"github.com/ccclient/go-ccclient/internal/hosts"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// An Endpoint is where a token request goes, and what is known of the server there.
type Endpoint struct {
	URL        string
	Issuer     string   // empty if not known
	Algorithms []string // for assertions, if the server lists them
	Methods    []string // of client authentication, if the server lists them
	DPoP       []string // algorithms for DPoP proofs, if the server lists them
}

// Of returns the token endpoint that the metadata name: for mutual TLS, where the server has one of its own for that.
func Of(m *discovery.Metadata, mtls bool) Endpoint {
	e := Endpoint{
		URL: m.TokenEndpoint, Issuer: m.Issuer, Algorithms: m.AssertionAlgs, Methods: m.AuthMethods, DPoP: m.DPoPAlgs,
	}
	if mtls && m.MTLSTokenEndpoint != "" {
		e.URL = m.MTLSTokenEndpoint
	}
	return e
}

// Host names e in errors and logs.
func (e Endpoint) Host() string { return Host(e.URL) }

// Host names the server that a URL leads to in errors and logs: a token endpoint's query may hold a key.
func Host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the token endpoint"
	}
	return redact.Clean(u.Host)
}

// HostPort returns the parts of Host; the port is that of the scheme where the URL has none.
func (e Endpoint) HostPort() (host string, port int) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return e.Host(), 0
	}
	host, port = hosts.Split(u)
	return redact.Clean(host), port
}

// Plain reports whether requests to e go over plain HTTP.
func (e Endpoint) Plain() bool {
	u, err := url.Parse(e.URL)
	return err == nil && u.Scheme == "http"
}

// Setting is where the URL comes from.
func (e Endpoint) Setting() string {
	if e.Issuer != "" {
		return "the token_endpoint in the metadata of Issuer"
	}
	return "TokenURL"
}

// Check holds the URL of a token endpoint to RFC 6749, section 3.2. Its errors do not repeat the URL, which may hold a
// key.
func Check(raw string, insecureHTTP bool) error {
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

// CheckIssuer refuses the address of metadata, and says which issuer would have them there. What else is wrong with an
// issuer is for package discovery to say.
func CheckIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil
	}
	before, after, found := strings.Cut(u.EscapedPath(), "/.well-known/")
	if !found {
		return nil
	}
	_, tenant, _ := strings.Cut(after, "/") // RFC 8414, section 3.1, puts the issuer's path behind
	if tenant != "" {
		before += "/" + tenant
	}
	return fmt.Errorf("is the address of metadata, which are found from the issuer itself: that may be %q",
		(&url.URL{Scheme: u.Scheme, Host: u.Host}).String()+before)
}

// NoMetadata says what to do where an issuer has no metadata that can be used, and time will not change that. err is
// that of package discovery.
func NoMetadata(issuer string, err error) string {
	if other, ok := errors.AsType[discovery.OtherIssuer](err); ok {
		if strings.TrimSuffix(other.Issuer, "/") == strings.TrimSuffix(issuer, "/") {
			return fmt.Sprintf("set Issuer to %q: a trailing slash counts", other.Issuer)
		}
		return fmt.Sprintf("set Issuer to %q if that is the server which is meant", other.Issuer)
	}
	if u, err := url.Parse(issuer); err == nil && tokenPath(u.Path) {
		return "it looks like a token endpoint, which goes into TokenURL"
	}
	return "if the server publishes none, set TokenURL in place of Issuer"
}

// tokenPath reports whether a path is like those of token endpoints.
func tokenPath(path string) bool {
	path = strings.ToLower(strings.TrimSuffix(path, "/"))
	last := path[strings.LastIndex(path, "/")+1:]
	return strings.HasPrefix(last, "token") || strings.HasSuffix(last, "token")
}
