package ccclient

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// redactor hides what is secret in the request, and the tokens in a response's members.
func (x *exchange) redactor(m tokenresponse.Members) *redact.Redactor {
	all := append(x.credentials.secrets(x.clientID), m.Tokens()...)
	all = append(all, secretValues(x.form)...)
	all = append(all, secretValues(x.header)...)
	if u, err := url.Parse(x.endpoint.tokenURL); err == nil {
		all = append(all, secretValues(u.Query())...)
	}
	return redact.New(all...)
}

// secrets returns what must not show of c: every value but those of client_id and client_assertion_type, what a
// server may make of them, and the secret with which they were made.
func (c Credentials) secrets(clientID string) (all []string) {
	if c.secret != nil {
		s := c.secret()
		all = append(all, s)
		for _, encode := range []func(string) string{strings.Clone, formEncode, url.QueryEscape} {
			all = append(all, encode(clientID)+":"+encode(s)) // of Basic, which a server may put together anew
		}
	}
	for name, values := range c.Form {
		if name != "client_id" && name != "client_assertion_type" {
			all = append(all, values...)
		}
	}
	for _, values := range c.Header {
		for _, value := range values {
			scheme, rest, _ := strings.Cut(value, " ")
			all = append(all, value, rest)
			if strings.EqualFold(scheme, "Basic") {
				all = append(all, basicPassword(rest)...)
			}
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

// secretValues returns the values of parameters that are likely to be secret, going by their names.
func secretValues(m map[string][]string) (all []string) {
	for name, values := range m {
		if secretName(name) {
			all = append(all, values...)
		}
	}
	return all
}

// secretName reports whether a parameter of this name is likely to hold a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"secret", "password", "token", "assertion", "key", "code"} {
		if strings.Contains(name, part) && !strings.HasSuffix(name, "_type") && !strings.HasSuffix(name, "_format") {
			return true
		}
	}
	return false
}
