package redact

import (
	"slices"
	"unicode/utf8"
)

// A view is a text as somebody reads it who takes off an escape or several. Each of its characters stands for a span of
// the text as it was written. A byte that is not UTF-8 is taken for a character of ISO 8859-1.
type view struct {
	text []rune
	at   []span
}

// A span is a range of bytes in the text as it was written.
type span struct{ from, to int }

// textView returns s as it stands.
func textView(s string) view {
	b := builder{view: view{make([]rune, 0, len(s)), make([]span, 0, len(s))}}
	for i := range len(s) {
		b.byte(s[i], span{i, i + 1})
	}
	return b.done()
}

// A builder makes a view of characters and of bytes, the latter in UTF-8.
type builder struct {
	view
	bytes []byte // not yet a character
	spans []span // theirs
}

func (b *builder) rune(c rune, at span) {
	b.flush(0)
	b.text, b.at = append(b.text, c), append(b.at, at)
}

func (b *builder) byte(c byte, at span) {
	b.bytes, b.spans = append(b.bytes, c), append(b.spans, at)
	b.flush(utf8.UTFMax - 1)
}

// flush makes characters of the bytes until n at most are left.
func (b *builder) flush(n int) {
	for len(b.bytes) > n {
		c, size := utf8.DecodeRune(b.bytes)
		if c == utf8.RuneError && size == 1 {
			c = rune(b.bytes[0])
		}
		b.text = append(b.text, c)
		b.at = append(b.at, span{b.spans[0].from, b.spans[size-1].to})
		b.bytes, b.spans = b.bytes[:copy(b.bytes, b.bytes[size:])], b.spans[:copy(b.spans, b.spans[size:])]
	}
}

func (b *builder) done() view {
	b.flush(0)
	return b.view
}

// maxEffort bounds the characters of all views of a text together. An honest text needs a part of that.
const maxEffort = 512 << 10

// A searcher looks at all views of a text that can be had.
type searcher struct {
	grams  []uint64
	seen   map[uint64]bool // views, by a hash
	effort int
	found  []bool // by byte of the text; nil: nothing yet
	size   int
}

// search returns which bytes of s stand for something that is in the secrets with these grams; nil for none. It is not
// ok if s has so many views that some were not looked at.
func search(s string, grams []uint64) (found []bool, ok bool) {
	sr := &searcher{grams: grams, seen: make(map[uint64]bool), size: len(s)}
	sr.visit(textView(s))
	return sr.found, sr.effort <= maxEffort
}

// visit looks at v, and at what it becomes when one more escape is taken off. That ends: each decoder makes a view
// shorter, or leaves less to decode.
func (sr *searcher) visit(v view) {
	if len(v.text) < MinRun {
		return
	}
	h := uint64(14695981039346656037)
	for _, c := range v.text {
		h = (h ^ uint64(c)) * 1099511628211
		h ^= h >> 29
	}
	if sr.seen[h] || sr.effort > maxEffort {
		return
	}
	sr.seen[h] = true
	sr.effort += len(v.text)
	sr.mark(v)
	for _, decode := range decoders {
		if d, changed := decode(v); changed {
			sr.visit(d)
		}
	}
}

// mark notes where v has a run that is in a secret.
func (sr *searcher) mark(v view) {
	for i := 0; i+MinRun <= len(v.text); i++ {
		if _, is := slices.BinarySearch(sr.grams, gram(v.text[i:])); !is {
			continue
		}
		if sr.found == nil {
			sr.found = make([]bool, sr.size)
		}
		for at := v.at[i].from; at < v.at[i+MinRun-1].to; at++ {
			sr.found[at] = true
		}
	}
}
