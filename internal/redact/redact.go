// Package redact makes text that others wrote fit for errors and logs: without the credentials that it may repeat, on
// one line, and not too long.
package redact

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

// Redacted stands where a credential was repeated.
const Redacted = "[redacted]"

// MaxRunes bounds what Clean keeps of a text, in runes.
const MaxRunes = 200

// A Redactor hides credentials in text. Building one costs enough that it is best built only when there is an error to
// tell. The nil Redactor knows no credentials.
type Redactor struct{ replacer *strings.Replacer }

// New returns a Redactor that hides the secrets, and each of them in the encodings that a server may meet and repeat it
// in: of forms, URLs, HTML and base64. Empty ones do not count.
func New(secrets ...string) *Redactor {
	var all []string
	for _, c := range secrets {
		if c == "" {
			continue
		}
		form := url.QueryEscape(c)
		percent := strings.ReplaceAll(form, "+", "%20") // as Basic credentials are sent
		all = append(all, c, form, lowerHex(form), percent, lowerHex(percent), url.PathEscape(c), html.EscapeString(c))
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			all = append(all, enc.EncodeToString([]byte(c)))
		}
	}
	if all == nil {
		return nil
	}
	// The replacer tries them in order: the longest first, lest one that begins another leaves that one's rest behind.
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	all = slices.Compact(all)
	pairs := make([]string, 0, 2*len(all))
	for _, s := range all {
		pairs = append(pairs, s, Redacted)
	}
	return &Redactor{strings.NewReplacer(pairs...)}
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

// Hide returns s with [Redacted] in place of each credential.
func (r *Redactor) Hide(s string) string {
	if r == nil {
		return s
	}
	return r.replacer.Replace(s)
}

// Clean returns s, a server's words, as it is fit to be kept: without credentials, on one line, printable and of
// [MaxRunes] at most.
func (r *Redactor) Clean(s string) string {
	s = r.Hide(s)
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return cut(strings.TrimSpace(s), MaxRunes)
}

// Scrub returns err as it is, unless its text holds a credential: then nothing is kept of it but the cleaned text, and
// what it has of a context's error.
func (r *Redactor) Scrub(err error) error {
	text := err.Error()
	if r.Hide(text) == text {
		return err
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", r.Clean(text), known)
		}
	}
	return errors.New(r.Clean(text))
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
