package ccclient

import (
	"context"
	"net/url"
)

// TLSClientAuth is mutual TLS (RFC 8705): the client is known by the certificate of Config.TLS, issued by a CA that the
// server trusts (tls_client_auth) or registered with it (self_signed_tls_client_auth). Only the client id is sent.
// With an Issuer, the server's endpoint alias for mutual TLS is used.
//
// The connections of [Client.HTTPClient] show the same certificate, as tokens bound to it require.
func TLSClientAuth() Auth {
	m := newMethod(facts{
		name:        "tls_client_auth",
		listed:      []string{"tls_client_auth", "self_signed_tls_client_auth"}, // the certificate decides which it is
		parameters:  []string{"client_id"},
		certificate: true,
		remedy:      "check ClientID, and that the server knows the certificate in Config.TLS",
	})
	m.prove = func(_ context.Context, r Request) (Credentials, string, error) {
		return Credentials{Form: url.Values{"client_id": {r.ClientID}}}, "", nil
	}
	return m
}
