package transport

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/ccclient/go-ccclient/internal/hosts"
)

// mayAuthorize decides, before any token is asked for, whether req is to get one. If not, it is either to go out as
// it is, or an error.
func (t *Transport) mayAuthorize(req *http.Request) (bool, error) {
	switch {
	case req.URL == nil:
		return false, faultf("the request has no URL")
	case ownCredential(req.Header):
		return false, nil
	case req.Response != nil && leftOrigin(req):
		return false, nil
	}
	if err := t.allowed(req.URL); err != nil {
		if req.Response != nil {
			err = nil // A redirect is followed, only not with the token.
		}
		return false, err
	}
	if t.Source == nil {
		return false, faultf("the Transport has no Source to get a token from")
	}
	return true, nil
}

// ownCredential reports whether the caller has set the header that the token is for, be it by a map key in lower
// case.
func ownCredential(h http.Header) bool {
	//lint:ignore SA1008 A map may hold what Header.Set never writes.
	return anyNotEmpty(h["Authorization"]) || anyNotEmpty(h["authorization"])
}

func anyNotEmpty(values []string) bool {
	for _, v := range values {
		if v != "" {
			return true
		}
	}
	return false
}

// maxHops bounds the walk along a chain of redirects; http.Client follows 10 by default.
const maxHops = 1000

// leftOrigin reports whether the chain of redirects that led to req has ever left the origin that it began in. Having
// come back does not count: the servers in between had a say in where to. Nor does a chain count that cannot be
// walked to its beginning.
func leftOrigin(req *http.Request) bool {
	hop := req
	for range maxHops {
		if hop.Response == nil {
			return false
		}
		hop = hop.Response.Request
		if hop == nil || hop.URL == nil || !hosts.SameOrigin(hop.URL, req.URL) {
			return true
		}
	}
	return true
}

// allowed says why no token may go to u, if so.
func (t *Transport) allowed(u *url.URL) error {
	switch secure := hosts.Secure(u, t.InsecureHTTP); {
	case !secure && u.Scheme == "http":
		return fmt.Errorf("%w: http to %.100q, which InsecureHTTP would allow", ErrInsecure, u.Host)
	case !secure:
		return fmt.Errorf("%w: %.20q is neither https nor http", ErrInsecure, u.Scheme)
	case u.Host == "":
		return faultf("the request's URL has no host")
	}
	if len(t.AllowedHosts) == 0 || hosts.Match(t.AllowedHosts, u) {
		return nil
	}
	for _, pattern := range t.AllowedHosts {
		if err := hosts.Validate(pattern); err != nil {
			return fmt.Errorf("%w: %.100q; AllowedHosts: %w", ErrHostNotAllowed, u.Host, err)
		}
	}
	return fmt.Errorf("%w: %.100q is none of AllowedHosts", ErrHostNotAllowed, u.Host)
}
