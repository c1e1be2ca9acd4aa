package ccclient

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/redact"
)

// redactor hides what is secret in the request, in its response so far, and in those before, which a server may repeat
// as well; and the token that is held.
func (x *exchange) redactor() *redact.Redactor {
	all := x.recent.All()
	all = append(all, x.credentials.secrets()...)
	all = append(all, x.proof)
	all = append(all, x.received...)
	all = append(all, redact.SecretValues(x.form)...)
	all = append(all, redact.SecretValues(x.header)...)
	if u, err := url.Parse(x.endpoint.tokenURL); err == nil {
		all = append(all, redact.SecretValues(u.Query())...)
	}
	return redact.New(append(all, textOf(x.held))...)
}

// conceal takes out of e what the server repeated that is secret, and what is not fit to be shown. A code is left as it
// is, or out.
func conceal(e *Error, r *redact.Redactor) {
	if !e.Code.registered() && r.Holds(string(e.Code)) {
		e.Description = cmp.Or(e.Description, string(e.Code))
		e.Code = ""
	}
	e.Description, e.URI = r.Clean(e.Description), r.Clean(e.URI)
	e.Hint = r.Hide(e.Hint)
	e.Err = r.Scrub(e.Err)
}

// concealed returns err as it may be shown, for what goes wrong outside of an exchange: without what was secret in
// those before, or more.
func (x *exchanger) concealed(err error, more ...string) error {
	return redact.New(slices.Concat(x.recent.All(), redact.SecretValues(x.header), more)...).Scrub(err)
}

// concealEarly is conceal for an error before the first exchange.
func (x *exchanger) concealEarly(ctx context.Context, e *Error) *Error {
	known := []string{textOf(heldOf(ctx)), x.firstSecret(ctx)}
	conceal(e, redact.New(slices.Concat(x.recent.All(), redact.SecretValues(x.header), known)...))
	return e
}

// firstSecret returns the secret, for an error before the first exchange: a server may repeat what another client sent.
func (x *exchanger) firstSecret(ctx context.Context) string {
	m, ok := x.auth.(*method)
	if !ok || m.current == nil || ctx.Err() != nil || len(x.recent.All()) > 0 {
		return ""
	}
	secret, err := m.current(ctx)
	if err != nil {
		return ""
	}
	return secret
}

// secrets returns what must not show of c: every value but those of client_id and client_assertion_type, and the secret
// with which they were made.
func (c Credentials) secrets() (all []string) {
	if c.secret != nil {
		all = append(all, c.secret())
	}
	for name, values := range c.Form {
		if name != "client_id" && name != "client_assertion_type" {
			all = append(all, values...)
		}
	}
	for name, values := range c.Header {
		for _, value := range values {
			if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(name, "Authorization") {
				value = rest // the scheme is a word of its own
				if strings.EqualFold(scheme, "Basic") {
					all = append(all, basicPassword(rest)...)
				}
			}
			all = append(all, value)
		}
	}
	return all
}

// basicPassword returns the password of Basic credentials, as it is and decoded.
func basicPassword(credentials string) []string {
	b, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return nil
	}
	_, password, _ := strings.Cut(string(b), ":")
	decoded, err := url.QueryUnescape(password)
	if err != nil {
		return []string{password}
	}
	return []string{password, decoded}
}
