package redact

import (
	"html"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// decoders take one kind of escape off, wherever it stands, and report whether there was any.
var decoders = []func(view) (view, bool){
	percent, plus, backslash, entities, visible,
	hex(0), hex(1),
	base64(0), base64(1), base64(2), base64(3),
}

// percent decodes the escapes of URLs and forms: %2F, and %u002F as old scripts write.
func percent(v view) (view, bool) {
	return unescape(v, '%', func(b *builder, i int) int {
		if n, ok := hexDigits(v.text, i+1, 2); ok {
			b.byte(byte(n), span{v.at[i].from, v.at[i+2].to})
			return 3
		}
		if i+1 < len(v.text) && (v.text[i+1] == 'u' || v.text[i+1] == 'U') {
			if n, ok := hexDigits(v.text, i+2, 4); ok {
				b.rune(rune(n), span{v.at[i].from, v.at[i+5].to})
				return 6
			}
		}
		return 0
	})
}

// plus decodes the space of forms.
func plus(v view) (view, bool) {
	if !slices.Contains(v.text, '+') {
		return v, false
	}
	text := slices.Clone(v.text)
	for i, c := range text {
		if c == '+' {
			text[i] = ' '
		}
	}
	return view{text, v.at}, true
}

// backslash decodes the escapes of JSON, and those that Go, C, Python and JavaScript write besides.
func backslash(v view) (view, bool) {
	return unescape(v, '\\', func(b *builder, i int) int {
		if i+1 == len(v.text) {
			return 0
		}
		to := func(length int) span { return span{v.at[i].from, v.at[i+length-1].to} }
		switch c := v.text[i+1]; c {
		case 'u', 'U':
			if n, ok := hexDigits(v.text, i+2, 8); ok && c == 'U' && n <= unicode.MaxRune {
				b.rune(rune(n), to(10))
				return 10
			}
			if i+2 < len(v.text) && v.text[i+2] == '{' { // \u{1F600}
				n, end := 0, i+3
				for end < len(v.text) && end < i+9 && digit(v.text[end]) >= 0 {
					n, end = n<<4|digit(v.text[end]), end+1
				}
				if end == i+3 || end == len(v.text) || v.text[end] != '}' {
					return 0
				}
				b.rune(rune(n), to(end+1-i))
				return end + 1 - i
			}
			n, ok := hexDigits(v.text, i+2, 4)
			if !ok {
				return 0
			}
			if low, ok := hexDigits(v.text, i+8, 4); ok && v.text[i+6] == '\\' &&
				(v.text[i+7] == 'u' || v.text[i+7] == 'U') {
				if c := utf16.DecodeRune(rune(n), rune(low)); c != unicode.ReplacementChar { // two for one
					b.rune(c, to(12))
					return 12
				}
			}
			b.rune(rune(n), to(6))
			return 6
		case 'x', 'X':
			n, ok := hexDigits(v.text, i+2, 2)
			if !ok {
				return 0
			}
			b.byte(byte(n), to(4))
			return 4
		case '0', '1', '2', '3':
			n, length := 0, 1
			for length < 4 && i+length < len(v.text) && '0' <= v.text[i+length] && v.text[i+length] <= '7' {
				n, length = n<<3|int(v.text[i+length]-'0'), length+1
			}
			b.byte(byte(n), to(length))
			return length
		default:
			if j := strings.IndexRune("abfnrtv", c); j >= 0 {
				c = rune("\a\b\f\n\r\t\v"[j])
			}
			b.rune(c, to(2))
			return 2
		}
	})
}

// entities decodes the character references of HTML and XML, with or without their semicolon.
func entities(v view) (view, bool) {
	return unescape(v, '&', func(b *builder, i int) int {
		end := i + 1
		for end < len(v.text) && end < i+33 &&
			(v.text[end] == '#' && end == i+1 ||
				v.text[end] < 0x80 && (unicode.IsLetter(v.text[end]) || unicode.IsDigit(v.text[end]))) {
			end++
		}
		to := func(end int) span { return span{v.at[i].from, v.at[end-1].to} }
		if end < len(v.text) && v.text[end] == ';' {
			decoded := []rune(html.UnescapeString(string(v.text[i : end+1])))
			if len(decoded) == 1 || len(decoded) == 2 && decoded[1] != ';' { // a few stand for two
				for _, c := range decoded {
					b.rune(c, to(end+1))
				}
				return end + 1 - i
			}
		}
		// Without one: as much as can be taken for a reference.
		for ; end > i+2; end-- {
			if decoded := []rune(html.UnescapeString(string(v.text[i:end]))); len(decoded) == 1 {
				b.rune(decoded[0], to(end))
				return end - i
			}
		}
		return 0
	})
}

// visible leaves out what is not to be seen, line breaks included.
func visible(v view) (view, bool) {
	if !slices.ContainsFunc(v.text, invisible) {
		return v, false
	}
	var b builder
	for i, c := range v.text {
		if !invisible(c) {
			b.rune(c, v.at[i])
		}
	}
	return b.done(), true
}

// hex decodes what is written in hexadecimal, two digits a byte, be it with spaces, colons, commas, dashes or 0x in
// between; skip is how many of the digits are not part of it.
func hex(skip int) func(view) (view, bool) {
	return func(v view) (view, bool) {
		return digits(v, skip, 4, 2*MinRun, func(i int) (value, length int) {
			c := v.text[i]
			switch d := digit(c); {
			case c == '0' && i+1 < len(v.text) && (v.text[i+1] == 'x' || v.text[i+1] == 'X'):
				return between, 2
			case d >= 0:
				return d, 1
			case c == ' ' || c == ':' || c == ',' || c == '-' || invisible(c):
				return between, 1
			}
			return foreign, 1
		})
	}
}

// base64 decodes base64, of either alphabet, be it broken into lines; skip is how many of the characters are not part
// of it. What is encoded may begin at any of the three places in a group.
func base64(skip int) func(view) (view, bool) {
	return func(v view) (view, bool) {
		return digits(v, skip, 6, (8*MinRun+5)/6, func(i int) (value, length int) {
			switch c := v.text[i]; {
			case 'A' <= c && c <= 'Z':
				return int(c - 'A'), 1
			case 'a' <= c && c <= 'z':
				return int(c-'a') + 26, 1
			case '0' <= c && c <= '9':
				return int(c-'0') + 52, 1
			case c == '+' || c == '-':
				return 62, 1
			case c == '/' || c == '_':
				return 63, 1
			case c == ' ' || invisible(c):
				return between, 1
			}
			return foreign, 1
		})
	}
}

// What the function given to digits returns for a character that is no digit: one that may stand between digits, one
// that may not.
const (
	between = -1
	foreign = -2
)

// digits decodes runs of least digits or more, of so many bits each, but for the first skip. What value returns for the
// character at i is its digit and how many characters it takes.
func digits(v view, skip, bits, least int, value func(i int) (value, length int)) (view, bool) {
	type run struct{ first, last, digits int }
	var runs []run
	for i := 0; i < len(v.text); {
		r := run{first: i}
		for i < len(v.text) {
			d, length := value(i)
			if d == foreign {
				break
			}
			if d >= 0 {
				r.digits, r.last = r.digits+1, i
			}
			i += length
		}
		if r.digits >= least+skip {
			runs = append(runs, r)
		}
		i++
	}
	if runs == nil {
		return v, false
	}
	var b builder
	for _, r := range runs {
		skipped, held, sum := 0, 0, 0 // held bits of sum belong to the next byte
		from := 0                     // where they begin
		for i := r.first; i <= r.last; {
			d, length := value(i)
			switch {
			case d < 0:
			case skipped < skip:
				skipped++
			default:
				if held == 0 {
					from = v.at[i].from
				}
				sum, held = sum<<bits|d, held+bits
				if held >= 8 {
					held -= 8
					b.byte(byte(sum>>held), span{from, v.at[i].to})
					sum &= 1<<held - 1
					from = v.at[i].from // shared with the next, if bits are left
				}
			}
			i += length
		}
		b.rune('\n', v.at[r.last]) // runs are apart
	}
	return b.done(), true
}

// unescape makes a view of v in which each escape that begins with mark is what decode makes of it. decode adds that to
// the builder and returns how many characters it took, 0 if it is no escape.
func unescape(v view, mark rune, decode func(b *builder, i int) int) (view, bool) {
	if !slices.Contains(v.text, mark) {
		return v, false
	}
	b := builder{view: view{make([]rune, 0, len(v.text)), make([]span, 0, len(v.text))}}
	changed := false
	for i := 0; i < len(v.text); {
		if v.text[i] == mark {
			if n := decode(&b, i); n > 0 {
				changed = true
				i += n
				continue
			}
		}
		b.rune(v.text[i], v.at[i])
		i++
	}
	return b.done(), changed
}

// hexDigits reads n hexadecimal digits at i.
func hexDigits(text []rune, i, n int) (value uint32, ok bool) {
	if i+n > len(text) {
		return 0, false
	}
	for _, c := range text[i : i+n] {
		d := digit(c)
		if d < 0 {
			return 0, false
		}
		value = value<<4 | uint32(d)
	}
	return value, true
}

// digit returns the value of a hexadecimal digit, -1 if c is none.
func digit(c rune) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
