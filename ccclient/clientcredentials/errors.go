package clientcredentials

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// A tokenError is a [ccclient.Error] that also has what x/oauth2's programs read of the answer.
type tokenError struct {
	cause   *ccclient.Error
	refusal *refusal
}

func (e *tokenError) Error() string { return e.cause.Error() }

func (e *tokenError) Unwrap() error { return e.cause }

// As fills an *oauth2.RetrieveError: that of the cause, with the answer's header and body.
func (e *tokenError) As(target any) bool {
	t, ok := target.(**oauth2.RetrieveError)
	if !ok || !e.cause.As(target) {
		return false
	}
	(*t).Response.Header = e.refusal.header.Clone()
	(*t).Body = []byte(e.refusal.body)
	return true
}

// explain returns err with what is known of the answer that it is about.
func (a *answers) explain(err error) error {
	cause, ok := errors.AsType[*ccclient.Error](err)
	r := a.refused.Load()
	if !ok || r == nil || r.status != cause.StatusCode {
		return err
	}
	return &tokenError{cause, r}
}

// A refusal is an answer without a token: what can be shown of it.
type refusal struct {
	status int
	header http.Header
	body   string
}

// maxBody bounds what is kept of a refusal's body, and maxField each field of its header, in bytes.
const (
	maxBody  = 4 << 10
	maxField = 1 << 10
)

// newRefusal keeps of r what is not secret: neither the credentials in req, nor a token, nor a cookie.
func newRefusal(req *http.Request, r *response) *refusal {
	hide := redact.New(append(secretsOf(req), r.members.Tokens()...)...)
	kept := &refusal{status: r.StatusCode, header: make(http.Header), body: cut(hide.Hide(string(r.body)), maxBody)}
	for name, values := range r.Header {
		if http.CanonicalHeaderKey(name) == "Set-Cookie" {
			continue
		}
		for _, v := range values {
			kept.header.Add(name, cut(hide.Hide(v), maxField))
		}
	}
	return kept
}

// cut keeps the first n bytes of s, in whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// secretsOf returns what is secret in a token request.
func secretsOf(req *http.Request) (all []string) {
	form, _ := formOf(req)
	for name, values := range form {
		switch {
		case name == "client_assertion_type", name == "subject_token_type":
		case strings.Contains(name, "secret"), strings.Contains(name, "password"), strings.Contains(name, "token"),
			strings.Contains(name, "assertion"), strings.Contains(name, "key"), strings.Contains(name, "code"):
			all = append(all, values...)
		}
	}
	for _, value := range req.Header.Values("Authorization") {
		_, rest, _ := strings.Cut(value, " ")
		all = append(all, value, rest)
		if pair, err := base64.StdEncoding.DecodeString(rest); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			all = append(all, string(pair), password, unescaped(password))
		}
	}
	return all
}

// unescaped returns s without its form-encoding.
func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}
