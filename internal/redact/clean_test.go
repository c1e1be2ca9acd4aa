package redact_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ccclient/go-ccclient/internal/redact"
)

func TestTextIsCutAndCleaned(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain", "plain"},
		{"two\r\nlines\x00\x1b[31m", "two  lines  [31m"},
		{"\xff\xfebroken", "\uFFFDbroken"},
		{"bidi \u202e override", "bidi   override"},
		{"a\u2028b\u2029c\u0085d\u00a0e\u3000f", "a b c d e f"},
		{"a\u200bb\u200cc\u200dd\u200ee\u200ff\u061cg\ufeffh\u00adi\u2060j", "a b c d e f g h i j"},
		{"a\u2066b\u2067c\u2068d\u2069e\u202af\u202bg\u202ch\u202di", "a b c d e f g h i"},
		{"a\ufe0fb\u3164c\u034fd\u115fe\u2800f\U000e0041g\U000e0101h", "a b c d e f g h"},
		{"größer 日本語 €", "größer 日本語 €"},
		{strings.Repeat("ü", redact.MaxRunes), strings.Repeat("ü", redact.MaxRunes)},
		{strings.Repeat("ü", redact.MaxRunes+1), strings.Repeat("ü", redact.MaxRunes) + "…"},
		{strings.Repeat("日", 1<<20), strings.Repeat("日", redact.MaxRunes) + "…"},
		{"  ", ""},
		{"", ""},
	}
	for _, test := range tests {
		for _, got := range []string{
			redact.Clean(test.in), (*redact.Redactor)(nil).Clean(test.in), redact.New("canary-canary").Clean(test.in),
		} {
			if got != test.want || !utf8.ValidString(got) {
				t.Errorf("%.100q gives %.100q; want %.100q", test.in, got, test.want)
			}
		}
	}
	// First hidden, then cut: a cut through a secret would leave half of it.
	r := redact.New("canary-canary")
	if got := r.Clean(strings.Repeat("x", redact.MaxRunes-12) + "canary-canary"); strings.Contains(got, "canary") {
		t.Errorf("%q", got)
	}
	// First hidden, then cleaned: what is taken out would no longer be in between.
	if got := r.Clean("canary\u200b-can\u202eary"); got != redact.Redacted {
		t.Errorf("%q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("canary-canary", "bad secret canary-canary given\r\n\u202e")
	f.Add("canary-canary", strings.Repeat("日", 1000))
	f.Fuzz(func(t *testing.T, secret, text string) {
		for _, clean := range []string{redact.New(secret).Clean(text), redact.Clean(text)} {
			if !utf8.ValidString(clean) || utf8.RuneCountInString(clean) > redact.MaxRunes+1 {
				t.Errorf("%q", clean)
			}
			if strings.ContainsFunc(clean, func(c rune) bool {
				return c != ' ' && !unicode.IsGraphic(c) ||
					unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co,
						unicode.Variation_Selector)
			}) {
				t.Errorf("%q is not fit for a log", clean)
			}
		}
	})
}
