package discovery

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/hosts"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// wellKnown returns where the metadata of an issuer may lie, in the order in which to look, which is that of the
// authorization specification of the Model Context Protocol too.
func wellKnown(issuer string, insecureHTTP bool) ([]string, error) {
	if issuer == "" {
		return nil, errors.New("empty")
	}
	u, err := url.Parse(issuer)
	if err != nil {
		// The error of url.Parse repeats the whole text, userinfo included.
		return nil, errors.New("not a URL")
	}
	// RFC 8414, section 2: a URL with no query or fragment components.
	if strings.ContainsAny(issuer, "?#") {
		return nil, errors.New("an issuer has no query and no fragment")
	}
	if err := checkURL(u, insecureHTTP); err != nil {
		return nil, err
	}
	// Both specifications remove a terminating slash first.
	origin, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	places := []string{
		origin + "/.well-known/oauth-authorization-server" + path, // RFC 8414, section 3.1
		origin + "/.well-known/openid-configuration" + path,       // the same for OpenID Connect, RFC 8414, section 5
		origin + path + "/.well-known/openid-configuration",       // OpenID Connect Discovery 1.0, section 4.1
	}
	return slices.Compact(places), nil // without a path the last two are one
}

// checkURL accepts an absolute https URL; http only to this machine itself, unless anything goes.
func checkURL(u *url.URL, insecureHTTP bool) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return errors.New("not an absolute https URL")
	case u.Hostname() == "":
		return errors.New("a URL without a host")
	case u.User != nil:
		return errors.New("a URL with a user name or password in it")
	case !hosts.Secure(u, insecureHTTP):
		return fmt.Errorf("http:// to host %q: only https is safe beyond loopback (InsecureHTTP allows it)",
			redact.Clean(u.Host))
	}
	return nil
}
