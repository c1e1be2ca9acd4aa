package ccclient

import (
	"net/http"
	"slices"

	"github.com/ccclient/go-ccclient/transport"
)

// HTTPClient gives an http.Client that authorizes each request with a token,
// and gets a new one and repeats the request once when a token is rejected. It
// is the caller's to modify; its connections are shared by all that this
// Client gives out. It has no timeout, which would cut long downloads: use the
// request's context.
//
// See package transport for which hosts get the token, and when a request is
// repeated.
func (c *Client) HTTPClient() *http.Client {
	return &http.Client{Transport: c.Transport(nil)}
}

// Transport is what HTTPClient does, around a RoundTripper of the caller's.
// Nil means the library's own connections, which use Config.TLS. The result's
// fields may be changed before it is used.
func (c *Client) Transport(base http.RoundTripper) *transport.Transport {
	if base == nil {
		base = c.connections
	}
	return &transport.Transport{
		Source:       c,
		Base:         base,
		AllowedHosts: slices.Clone(c.allowedHosts),
		InsecureHTTP: c.insecureHTTP,
		DPoP:         c.dpop,
	}
}
