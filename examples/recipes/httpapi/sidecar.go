package httpapi

import (
	"net/http/httputil"
	"net/url"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewSidecar returns a proxy that adds the token to what it forwards to an API.
func NewSidecar(client *ccclient.Client, api *url.URL) *httputil.ReverseProxy {
	tokens := client.Transport(nil)
	tokens.ReplayLimit = 1 << 20 // bodies up to 1 MiB can be sent again when a token is rejected
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(api)
			r.Out.Header.Del("Authorization") // one of the program's own would be left alone
		},
		Transport: tokens,
	}
}
