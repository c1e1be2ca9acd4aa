// Package rawjson finds its way through JSON without decoding it. Decoded, JSON that is made for it takes fifty times
// its size in memory; here nothing is copied but names. All functions take JSON that encoding/json has found valid.
package rawjson

import (
	"bytes"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Members returns the members of an object, in order, by name: the values as they stand, without white space around. A
// name may come twice. What is not an object has none.
func Members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		rest := skipSpace(object)
		if len(rest) == 0 || rest[0] != '{' {
			return
		}
		for rest = skipSpace(rest[1:]); len(rest) > 0 && rest[0] == '"'; {
			name := rest[:valueLen(rest)]
			rest = skipSpace(rest[len(name):])
			if len(rest) == 0 {
				return
			}
			rest = skipSpace(rest[1:]) // the colon
			value := rest[:valueLen(rest)]
			if !yield(String(name), value) {
				return
			}
			if rest = skipSpace(rest[len(value):]); len(rest) == 0 || rest[0] != ',' {
				return
			}
			rest = skipSpace(rest[1:])
		}
	}
}

// Elements returns the elements of an array, in order, as they stand, without white space around. What is not an array
// has none.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := skipSpace(array)
		if len(rest) == 0 || rest[0] != '[' {
			return
		}
		for rest = skipSpace(rest[1:]); len(rest) > 0 && rest[0] != ']'; {
			value := rest[:valueLen(rest)]
			if len(value) == 0 || !yield(value) {
				return
			}
			if rest = skipSpace(rest[len(value):]); len(rest) == 0 || rest[0] != ',' {
				return
			}
			rest = skipSpace(rest[1:])
		}
	}
}

// Depth returns how deep arrays and objects are nested in a value: 0 for a string, 1 for an array of strings.
func Depth(value []byte) (depth int) {
	open := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i += stringLen(value[i:]) - 1
		case '{', '[':
			open++
			depth = max(depth, open)
		case '}', ']':
			open--
		}
	}
	return depth
}

// String returns the text of a string; it is empty for other values.
func String(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	text := value[1 : len(value)-1]
	if i := bytes.IndexByte(text, '\\'); i >= 0 {
		text = unescape(make([]byte, 0, len(text)), text)
	}
	if !utf8.Valid(text) {
		return string([]rune(string(text))) // U+FFFD for each byte that is none, as encoding/json has it
	}
	return string(text)
}

// unescape appends text to dst without its escapes.
func unescape(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			dst = append(dst, text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unit(text[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				// Half a pair alone stands for nothing.
				pair := rune(utf8.RuneError)
				if i+2 < len(text) && text[i+1] == '\\' && text[i+2] == 'u' {
					pair = utf16.DecodeRune(r, unit(text[i+3:]))
				}
				if r = pair; pair != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// unit returns the UTF-16 unit whose four hexadecimal digits text begins with.
func unit(text []byte) rune {
	if len(text) < 4 {
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(text[:4]), 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(n)
}

// valueLen returns how long the value is that data begins with.
func valueLen(data []byte) int {
	if len(data) == 0 {
		return 0
	}
	switch data[0] {
	case '"':
		return stringLen(data)
	case '{', '[':
		open := 0
		for i := 0; i < len(data); i++ {
			switch data[i] {
			case '"':
				i += stringLen(data[i:]) - 1
			case '{', '[':
				open++
			case '}', ']':
				if open--; open == 0 {
					return i + 1
				}
			}
		}
		return len(data)
	}
	for i, c := range data {
		switch c {
		case ',', '}', ']', ':', ' ', '\t', '\r', '\n':
			return i
		}
	}
	return len(data)
}

// stringLen returns how long the string is that data begins with, its quotes included.
func stringLen(data []byte) int {
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

func skipSpace(data []byte) []byte {
	for i, c := range data {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return data[i:]
		}
	}
	return nil
}
