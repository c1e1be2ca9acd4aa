package transport

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/ccclient/go-ccclient/internal/hosts"
)

// passage is how a request may go out.
type passage int

const (
	outside   passage = iota // with nothing of ours: by Outside, or by Base if that is nil
	asItIs                   // without the token, to where it might go
	withToken                // as the caller wants
)

// passage decides, before any token is asked for, how req goes out. An error means that it does not.
func (t *Transport) passage(req *http.Request, own fields) (passage, error) {
	if req.URL == nil {
		return outside, faultf("the request has no URL")
	}
	if err := own.check(); err != nil {
		return outside, err
	}
	if req.Response != nil && leftOrigin(req) {
		return outside, nil
	}
	err := t.whyNot(req, own)
	switch own := own.authorizations > 0 || own.proofs > 0 && t.DPoP != nil; {
	case err != nil && (own || req.Response != nil):
		// The caller's own are the caller's to give; a redirect is followed, only not with the token.
		return outside, nil
	case err != nil:
		return outside, err
	case own:
		return asItIs, nil
	case t.Source == nil:
		return outside, faultf("the Transport has no Source to get a token from")
	}
	return withToken, nil
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
		if hop == nil || hop.URL == nil || !sameServer(hop, req) || checkTarget(hop) != nil {
			return true
		}
	}
	return true
}

// Allows returns why no token may go to the server of u, nil if it may: by its scheme, InsecureHTTP and AllowedHosts.
// It is for who spends tokens by other means than HTTP requests. The error is [ErrInsecure] or [ErrHostNotAllowed].
func (t *Transport) Allows(u *url.URL) error {
	switch secure := hosts.Secure(u, t.InsecureHTTP); {
	case !secure && u.Scheme == "http":
		return fmt.Errorf("%w: http to %.100q, which InsecureHTTP would allow", ErrInsecure, u.Host)
	case !secure:
		return fmt.Errorf("%w: %.20q is neither https nor http", ErrInsecure, u.Scheme)
	}
	return t.allowedHost(u)
}

// whyNot returns why no token may go where req goes, nil if it may.
func (t *Transport) whyNot(req *http.Request, own fields) error {
	u := req.URL
	if u.Host == "" && (u.Scheme == "https" || u.Scheme == "http") {
		return faultf("the request's URL has no host")
	}
	if err := t.Allows(u); err != nil {
		return err
	}
	if err := checkTarget(req); err != nil {
		return err
	}
	if own.host {
		return fmt.Errorf("%w: a Host field in the header names another server; set the request's Host",
			ErrHostNotAllowed)
	}
	if req.Host == "" || req.Host == u.Host {
		return nil
	}
	return t.allowedHost(&url.URL{Scheme: u.Scheme, Host: req.Host})
}

func (t *Transport) allowedHost(u *url.URL) error {
	if len(t.AllowedHosts) == 0 || hosts.Match(t.AllowedHosts, u) {
		return nil
	}
	return t.notAllowed(u.Host)
}

// notAllowed returns the error for a host that is none of AllowedHosts, which may be a pattern's fault.
func (t *Transport) notAllowed(host string) error {
	for _, pattern := range t.AllowedHosts {
		if err := hosts.Validate(pattern); err != nil {
			return fmt.Errorf("%w: %.100q; AllowedHosts: %w", ErrHostNotAllowed, host, err)
		}
	}
	return fmt.Errorf("%w: %.100q is none of AllowedHosts", ErrHostNotAllowed, host)
}
