package ccclient

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// redacted stands where a server repeated a credential.
const redacted = "[redacted]"

// maxServerText bounds what is kept of each thing a server wrote, in runes.
const maxServerText = 200

// A redactor makes what others wrote fit for errors and logs. It is built only
// when there is an error to tell. The nil redactor knows no credentials.
type redactor struct{ replacer *strings.Replacer }

// newRedactor hides the given credentials, and each of them in the encodings
// that a server may meet and repeat it in.
func newRedactor(credentials []string) *redactor {
	var all []string
	for _, c := range credentials {
		if c == "" {
			continue
		}
		form, percent := url.QueryEscape(c), formEncode(c) // a space as "+", and as "%20"
		all = append(all, c, form, lowerHex(form), percent, lowerHex(percent), url.PathEscape(c), html.EscapeString(c))
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			all = append(all, enc.EncodeToString([]byte(c)))
		}
	}
	if all == nil {
		return nil
	}
	// The replacer tries them in order: the longest first, lest one that
	// begins another leaves that one's rest behind.
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	all = slices.Compact(all)
	pairs := make([]string, 0, 2*len(all))
	for _, s := range all {
		pairs = append(pairs, s, redacted)
	}
	return &redactor{strings.NewReplacer(pairs...)}
}

// lowerHex writes percent-encoding as .NET does.
func lowerHex(encoded string) string {
	b := []byte(encoded)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], bytes.ToLower(b[i+1:i+3]))
		}
	}
	return string(b)
}

// hide replaces the credentials in s.
func (r *redactor) hide(s string) string {
	if r == nil {
		return s
	}
	return r.replacer.Replace(s)
}

// clean makes s, a server's words, fit to be kept: without credentials, on one
// line, printable and not too long.
func (r *redactor) clean(s string) string {
	s = r.hide(s)
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return cut(strings.TrimSpace(s), maxServerText)
}

// scrub gives err as it is, unless its text holds a credential: then nothing is
// kept of it but the cleaned text, and what it has of a context's error.
func (r *redactor) scrub(err error) error {
	text := err.Error()
	if r.hide(text) == text {
		return err
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", r.clean(text), known)
		}
	}
	return errors.New(r.clean(text))
}

// cut keeps the first n runes of s, and says so if there were more.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}

// redactor hides what is secret in the request, and the tokens in a response's members.
func (x *exchange) redactor(m map[string]any) *redactor {
	all := x.credentials.secrets(x.clientID)
	all = append(all, secretValues(x.form)...)
	all = append(all, secretValues(x.header)...)
	if u, err := url.Parse(x.endpoint.tokenURL); err == nil {
		all = append(all, secretValues(u.Query())...)
	}
	for _, name := range tokenNames {
		all = append(all, text(m[name]))
	}
	return newRedactor(all)
}

// secrets returns what must not show of c: every value but those of client_id and client_assertion_type, what a
// server may make of them, and the secret with which they were made.
func (c Credentials) secrets(clientID string) (all []string) {
	if c.secret != nil {
		s := c.secret() // and the pair of Basic, which a server may put together anew
		all = append(all, s, clientID+":"+s, formEncode(clientID)+":"+formEncode(s), url.QueryEscape(clientID)+":"+url.QueryEscape(s))
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

// secretValues returns the values of parameters that are likely to be secret, going by their names.
func secretValues(m map[string][]string) (all []string) {
	for name, values := range m {
		if secretName(name) {
			all = append(all, values...)
		}
	}
	return all
}

// basicPassword gives the password of Basic credentials, as it is and decoded.
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
