package ccclient

import "context"

// TLSClientAuth is mutual TLS (RFC 8705): the client is known by the
// certificate of Config.TLS, issued by a CA that the server trusts
// (tls_client_auth) or registered with it (self_signed_tls_client_auth). Only
// the client id is sent. With an Issuer, the server's endpoint alias for
// mutual TLS is used.
//
// The connections of [Client.HTTPClient] show the same certificate, as tokens
// bound to it require.
func TLSClientAuth() Auth {
	return &method{
		name: "tls_client_auth",
		authenticate: func(_ context.Context, r *Request) error {
			r.Form.Set("client_id", r.ClientID)
			return nil
		},
	}
}
