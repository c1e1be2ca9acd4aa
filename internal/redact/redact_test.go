package redact_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ccclient/go-ccclient/internal/redact"
)

func TestCredentialIsHiddenInEveryEncoding(t *testing.T) {
	const secret = "p&ss/wörd <canary>"
	r := redact.New("", secret)
	for _, echo := range []string{
		secret, url.QueryEscape(secret), "p%26ss%2fw%c3%b6rd+%3ccanary%3e", url.PathEscape(secret), html.EscapeString(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawStdEncoding.EncodeToString([]byte(secret)),
		base64.URLEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
	} {
		if got := r.Hide("bad " + echo + " given"); strings.TrimRight(got, "=") != "bad "+redact.Redacted+" given" {
			t.Errorf("%q: %q", echo, got)
		}
	}
	if got := r.Hide("p&ss"); got != "p&ss" {
		t.Errorf("%q", got)
	}
	if got := redact.New("").Hide("as it is"); got != "as it is" {
		t.Errorf("%q", got)
	}
}

func TestTextIsCutAndCleaned(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"two\r\nlines\x00\x1b[31m", "two  lines  [31m"},
		{"\xff\xfebroken", "\uFFFDbroken"},
		{"bidi \u202e override", "bidi   override"},
		{strings.Repeat("ü", redact.MaxRunes), strings.Repeat("ü", redact.MaxRunes)},
		{strings.Repeat("ü", redact.MaxRunes+1), strings.Repeat("ü", redact.MaxRunes) + "…"},
		{"  ", ""},
		{"", ""},
	}
	for _, test := range tests {
		got := (*redact.Redactor)(nil).Clean(test.in)
		if got != test.want || !utf8.ValidString(got) {
			t.Errorf("%q gives %q; want %q", test.in, got, test.want)
		}
	}
	// First hidden, then cut: a cut through a secret would leave half of it.
	r := redact.New("canary-canary")
	if got := r.Clean(strings.Repeat("x", redact.MaxRunes-5) + "canary-canary"); strings.Contains(got, "canary") {
		t.Errorf("%q", got)
	}
	// The longest first.
	if got := redact.New("abc", "abcdef", "").Hide("abcdef abc"); got != redact.Redacted+" "+redact.Redacted {
		t.Errorf("%q", got)
	}
}

func TestErrorThatHoldsCredentialsIsReplaced(t *testing.T) {
	r := redact.New("canary")
	harmless := errors.New("connection refused")
	if r.Scrub(harmless) != harmless {
		t.Error("a harmless error was replaced")
	}
	inner := fmt.Errorf("sending canary: %w", context.DeadlineExceeded)
	err := r.Scrub(inner)
	if strings.Contains(err.Error(), "canary") || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, inner) {
		t.Errorf("%v", err)
	}
	if err := r.Scrub(errors.New("canary")); err.Error() != redact.Redacted {
		t.Errorf("%v", err)
	}
}

func FuzzRedactor(f *testing.F) {
	f.Add("canary", "bad secret canary given")
	f.Add("p&ss/wörd", "bad secret p%26ss%2fw%c3%b6rd given\r\n")
	f.Add("client:s3cr:t/x", "Basic Y2xpZW50OnMzY3I6dC94")
	f.Add("aba", "ababa \xff\x00")
	f.Fuzz(func(t *testing.T, secret, text string) {
		r := redact.New(secret)
		// A secret that is a part of the replacement, or meets its brackets, cannot be told from it.
		if hidden := r.Hide(text); secret != "" && !strings.ContainsAny(secret, "[]") && !strings.Contains(redact.Redacted, secret) &&
			strings.Contains(hidden, secret) {
			t.Errorf("%q is in %q", secret, hidden)
		}
		clean := r.Clean(text)
		if !utf8.ValidString(clean) || utf8.RuneCountInString(clean) > redact.MaxRunes+1 {
			t.Errorf("%q", clean)
		}
		if strings.ContainsFunc(clean, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%q is not printable", clean)
		}
	})
}
