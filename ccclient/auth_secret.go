package ccclient

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// ClientSecretBasic sends the client id and the secret in the Authorization header, form-encoded first as RFC 6749,
// section 2.3.1, asks (client_secret_basic). It is the method that every server must support.
//
// A server that refuses an id or a secret with special characters may be one that does not decode: see
// [ClientSecretBasicUnencoded].
func ClientSecretBasic(s Secret) Auth {
	return withSecret(s, facts{
		name:   "client_secret_basic",
		listed: []string{"client_secret_basic"},
		remedy: "check ClientID and the secret; if they are right, try ClientSecretPost, " +
			"or ClientSecretBasicUnencoded if the server does not form-decode",
	}, func(r Request, secret string) (Credentials, error) {
		return basic(formEncode(r.ClientID), formEncode(secret)), nil
	})
}

// ClientSecretBasicUnencoded is [ClientSecretBasic] without the form-encoding, for servers that take user and password
// as they come. A client id with a colon cannot be sent so and is an error. For ids and secrets of letters, digits,
// "-", ".", "_" and "~" both are the same.
func ClientSecretBasicUnencoded(s Secret) Auth {
	return withSecret(s, facts{
		name:   "client_secret_basic_unencoded",
		listed: []string{"client_secret_basic"},
		remedy: "check ClientID and the secret; if they are right, try ClientSecretBasic or ClientSecretPost",
	}, func(r Request, secret string) (Credentials, error) {
		if strings.Contains(r.ClientID, ":") {
			return Credentials{}, errors.New("a client id with a colon cannot be sent unencoded: use ClientSecretBasic")
		}
		return basic(r.ClientID, secret), nil
	})
}

// ClientSecretPost sends the client id and the secret in the form (client_secret_post), for servers that do not take
// [ClientSecretBasic].
func ClientSecretPost(s Secret) Auth {
	return withSecret(s, facts{
		name:       "client_secret_post",
		listed:     []string{"client_secret_post"},
		parameters: []string{"client_id", "client_secret"},
		remedy:     "check ClientID and the secret; if they are right, try ClientSecretBasic",
	}, func(r Request, secret string) (Credentials, error) {
		return Credentials{Form: url.Values{"client_id": {r.ClientID}, "client_secret": {secret}}}, nil
	})
}

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
		remedy:      "check ClientID, and that the server knows the certificate in TLS",
	})
	m.prove = func(_ context.Context, r Request) (Credentials, string, error) {
		return Credentials{Form: url.Values{"client_id": {r.ClientID}}}, "", nil
	}
	return m
}

// withSecret makes a method of facts and of how the secret that s returns proves the client.
func withSecret(s Secret, f facts, prove func(r Request, secret string) (Credentials, error)) *method {
	m := newMethod(f)
	if s == nil {
		m.fault = errNoSecret
	}
	m.current = s.get
	m.prove = func(ctx context.Context, r Request) (Credentials, string, error) {
		secret, err := s.get(ctx)
		if err != nil {
			return Credentials{}, "", err
		}
		c, err := prove(r, secret)
		c.secret = func() string { return secret }
		return c, secret, err
	}
	return m
}

func basic(user, password string) Credentials {
	pair := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return Credentials{Header: http.Header{"Authorization": {"Basic " + pair}}}
}

// formEncode is application/x-www-form-urlencoded (RFC 6749, appendix B) with "%20" for a space: servers that decode
// take it as well as "+", and those that only percent-decode take nothing else. It leaves unreserved characters alone,
// so that most secrets look the same to servers that decode and to those that do not.
func formEncode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
