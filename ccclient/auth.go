package ccclient

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
)

// An Auth proves to the authorization server who the client is, by adding
// credentials to a token request. It is asked for each attempt at a token
// request, so that what may be used only once (an assertion's jti) is new each
// time, and must be safe for concurrent use.
//
// A request carries exactly one method (RFC 6749, section 2.3). The methods are
// named as they are registered with IANA:
//
//	ClientSecretBasic            client_secret_basic
//	ClientSecretBasicUnencoded   the same, for servers that do not decode
//	ClientSecretPost             client_secret_post
//	ClientSecretJWT              client_secret_jwt
//	PrivateKeyJWT                private_key_jwt
//	ClientAssertion              private_key_jwt, signed by somebody else
//	TLSClientAuth                tls_client_auth, self_signed_tls_client_auth
//
// An AuthFunc is any other; it may also wrap one of these to add to the request.
type Auth interface {
	// Authenticate adds the client's credentials to r.Form or r.Header.
	Authenticate(ctx context.Context, r *Request) error
}

// An AuthFunc is an Auth of the user's own.
type AuthFunc func(ctx context.Context, r *Request) error

// Authenticate calls f. A nil f is an error.
func (f AuthFunc) Authenticate(ctx context.Context, r *Request) error {
	if f == nil {
		return errors.New("a nil AuthFunc cannot authenticate")
	}
	return f(ctx, r)
}

// A method is an Auth of this package's own. Everything that is secret lives in
// its closures: fmt prints struct fields past any String method.
type method struct {
	// name is the method's IANA name, for errors and the cache key.
	name string

	// identity is what else of it shapes a token, for the cache key: a key
	// id, a certificate's thumbprint. Nothing secret.
	identity []string

	// fault is what is wrong with its configuration, for New to report.
	fault error

	// authenticate adds the credentials. It reports what it used with
	// [Request.used].
	authenticate func(ctx context.Context, r *Request) error

	// current gives the secret (or public key) that authenticate would use
	// now, for the question whether it was rotated. Nil where nothing
	// rotates.
	current func(ctx context.Context) (string, error)
}

func (m *method) Authenticate(ctx context.Context, r *Request) error {
	if m.fault != nil {
		return m.fault
	}
	r.method = m
	return m.authenticate(ctx, r)
}

// String gives the method's name, with which it is also logged.
func (m *method) String() string { return m.name }

// A fingerprint tells whether two secrets are equal and nothing else about
// them: it is keyed with a number that this process alone knows.
type fingerprint [sha256.Size]byte

var fingerprintKey = func() (key [sha256.Size]byte) {
	rand.Read(key[:]) // never fails: it ends the program instead
	return key
}()

func fingerprintOf(secret string) (f fingerprint) {
	mac := hmac.New(sha256.New, fingerprintKey[:])
	mac.Write([]byte(secret))
	mac.Sum(f[:0])
	return f
}

// rotated reports whether the secret that m would use now is another than the
// one with the fingerprint used. A zero fingerprint stands for a secret that
// could not be had: any is another. No answer is no change.
func (m *method) rotated(ctx context.Context, used fingerprint) bool {
	if m == nil || m.current == nil {
		return false
	}
	secret, err := m.current(ctx)
	return err == nil && fingerprintOf(secret) != used
}

var errNoSecret = errors.New("no Secret was given")

// withSecret makes a method of one that needs a secret.
func withSecret(name string, s Secret, add func(r *Request, secret string) error) *method {
	m := &method{
		name:    name,
		current: s.get,
		authenticate: func(ctx context.Context, r *Request) error {
			secret, err := s.get(ctx)
			if err != nil {
				return err
			}
			r.used(secret)
			return add(r, secret)
		},
	}
	if s == nil {
		m.fault = errNoSecret
	}
	return m
}

// ClientSecretBasic sends the client id and the secret in the Authorization
// header, form-encoded first as RFC 6749, section 2.3.1 asks
// (client_secret_basic). It is the method that every server must support.
//
// A server that refuses an id or a secret with special characters may be one
// that does not decode: see [ClientSecretBasicUnencoded].
func ClientSecretBasic(s Secret) Auth {
	return withSecret("client_secret_basic", s, func(r *Request, secret string) error {
		r.setBasic(formEncode(r.ClientID), formEncode(secret))
		return nil
	})
}

// ClientSecretBasicUnencoded is [ClientSecretBasic] without the form-encoding,
// for servers that take user and password as they come. A client id with a
// colon cannot be sent so and is an error. For ids and secrets of letters,
// digits, "-", ".", "_" and "~" both are the same.
func ClientSecretBasicUnencoded(s Secret) Auth {
	return withSecret("client_secret_basic_unencoded", s, func(r *Request, secret string) error {
		if strings.Contains(r.ClientID, ":") {
			return errors.New("a client id with a colon cannot be sent unencoded: use ClientSecretBasic")
		}
		r.setBasic(r.ClientID, secret)
		return nil
	})
}

// ClientSecretPost sends the client id and the secret in the form
// (client_secret_post), for servers that do not take [ClientSecretBasic].
func ClientSecretPost(s Secret) Auth {
	return withSecret("client_secret_post", s, func(r *Request, secret string) error {
		r.Form.Set("client_id", r.ClientID)
		r.Form.Set("client_secret", secret)
		return nil
	})
}

func (r *Request) setBasic(user, password string) {
	r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// formEncode is application/x-www-form-urlencoded (RFC 6749, appendix B). It
// leaves unreserved characters alone, so that most secrets look the same to
// servers that decode and to those that do not.
func formEncode(s string) string { return url.QueryEscape(s) }
