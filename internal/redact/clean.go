package redact

import (
	"strings"
	"unicode"
)

// MaxRunes bounds what Clean keeps of a text, in runes.
const MaxRunes = 200

// maxErrorRunes bounds what Scrub keeps of an error's text: it has the words of several layers.
const maxErrorRunes = 500

// Clean returns s, the words of somebody else, as they are fit to be kept: on one line, without characters that are
// invisible, change the direction of writing or steer a terminal, and of [MaxRunes] at most.
func Clean(s string) string { return clean(bound(s), MaxRunes) }

// Clean returns s as the function Clean does, and without secrets.
func (r *Redactor) Clean(s string) string { return clean(r.Hide(s), MaxRunes) }

// clean puts a space in place of each character that is not to be seen, and keeps the first n.
func clean(s string, n int) string {
	s = strings.Map(func(c rune) rune {
		if invisible(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}

// invisible reports whether c is a control, a line break, a space other than the one, one that turns the direction of
// writing, or has no width. Those of the last kind that Unicode counts among letters and marks are in its property
// Default_Ignorable_Code_Point; a braille blank is a symbol.
func invisible(c rune) bool {
	if ' ' <= c && c <= '~' {
		return false
	}
	return !unicode.IsPrint(c) ||
		unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) || c == '\u2800'
}
