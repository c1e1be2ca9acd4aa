// Package redact makes text that others wrote fit for errors and logs: without the credentials that it may repeat, on
// one line, without characters that deceive, and not too long.
package redact

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Redacted stands where a credential was repeated.
const Redacted = "[redacted]"

// MinRun is how many characters in a row a text must share with a secret to be redacted. What is shorter stays: to
// replace it would garble words, and tell which parts of them the secret has. So a secret shorter than this is not
// hidden at all.
const MinRun = 8

// maxBytes bounds the text that is looked at; what follows is cut off. It is far more than is ever shown.
const maxBytes = 2 << 10

// A Redactor hides secrets in text. It costs little to make one, and more to use it: best only when there is an error
// to tell. The nil Redactor knows no secrets.
type Redactor struct {
	grams func() []uint64 // of all secrets, sorted; a closure, since fmt prints whatever a field holds
}

// New returns a Redactor that hides the secrets. One shorter than [MinRun] does not count.
func New(secrets ...string) *Redactor {
	var long []string
	for _, s := range secrets {
		if utf8.RuneCountInString(s) >= MinRun {
			long = append(long, s)
		}
	}
	if long == nil {
		return nil
	}
	return &Redactor{sync.OnceValue(func() []uint64 {
		var all []uint64
		for _, s := range long {
			v := textView(s)
			all = v.appendGrams(all)
			// Also as a server repeats it that has decoded what was not encoded.
			for _, decode := range []func(view) (view, bool){plus, percent} {
				if d, changed := decode(v); changed {
					v = d
					all = v.appendGrams(all)
				}
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	})}
}

// appendGrams appends the grams of v.
func (v view) appendGrams(all []uint64) []uint64 {
	all = slices.Grow(all, len(v.text))
	for i := 0; i+MinRun <= len(v.text); i++ {
		all = append(all, gram(v.text[i:]))
	}
	return all
}

// gram returns a number for the first MinRun characters of text, the same for upper and lower case. Two texts that
// differ have the same one by a chance of 2^-64.
func gram(text []rune) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, by character
	for _, c := range text[:MinRun] {
		h = (h ^ uint64(fold(c))) * 1099511628211
		h ^= h >> 29
	}
	return h
}

func fold(c rune) rune {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c < utf8.RuneSelf:
		return c
	}
	return unicode.ToLower(c)
}

// Hide returns s with [Redacted] in place of whatever it has in common with a secret, if that is [MinRun] characters or
// more: as it stands or in the escapes that servers write (JSON, HTML and XML, URLs and forms, hex and base64), also
// several of them, one inside the other. Upper and lower case count as the same, and invisible characters in between do
// not count. Of a text of more than 2 KiB the rest is cut off.
func (r *Redactor) Hide(s string) string {
	s = bound(s)
	if r == nil {
		return s
	}
	// Mostly once. A second look makes sure that nothing came together where something was taken out.
	for range 4 {
		found, ok := search(s, r.grams())
		if !ok {
			return Redacted
		}
		if found == nil {
			return s
		}
		s = replace(s, found)
	}
	return Redacted
}

// maxHolds bounds the text in which Holds looks.
const maxHolds = 32 << 10

// Holds reports whether s has something that [Redactor.Hide] would hide, be it beyond what that looks at, or is longer
// than 32 KiB.
func (r *Redactor) Holds(s string) bool {
	if r == nil || len(s) > maxHolds {
		return r != nil
	}
	for {
		if found, ok := search(bound(s), r.grams()); found != nil || !ok {
			return true
		}
		if len(s) <= maxBytes {
			return false
		}
		s = s[maxBytes/2:] // an escape of a run that is cut is whole in the next part
	}
}

// replace puts Redacted in place of each stretch of bytes that was found.
func replace(s string, found []bool) string {
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !found[i]:
			b.WriteByte(s[i])
		case i == 0 || !found[i-1]:
			b.WriteString(Redacted)
		}
	}
	return b.String()
}

// bound cuts s to what is looked at.
func bound(s string) string {
	if len(s) <= maxBytes {
		return s
	}
	end := maxBytes
	for end > maxBytes-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
