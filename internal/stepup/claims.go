package stepup

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/ccclient/go-ccclient/internal/rawjson"
)

// maxDepth is how deep claims may be nested; those of OpenID Connect Core 1.0, section 5.5, go to 4.
const maxDepth = 16

// decode returns the claims that a challenge has in base64, in either alphabet, with or without padding: a JSON object
// in the form in which [Merge] writes one. It is empty for what is none, and for one that asks for nothing.
func decode(encoded string) string {
	if len(encoded) > maxClaims || strings.ContainsAny(encoded, "\r\n") { // base64.Encoding passes over line ends
		return ""
	}
	unpadded := strings.TrimRight(encoded, "=")
	if n := len(encoded) - len(unpadded); n > 0 && (n > 2 || len(encoded)%4 != 0) {
		return ""
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(unpadded, "-_") {
		encoding = base64.RawURLEncoding
	}
	object, err := encoding.Strict().DecodeString(unpadded)
	if err != nil {
		return ""
	}
	claims, ok := Merge("", string(object))
	if !ok || claims == "{}" {
		return ""
	}
	return claims
}

// Merge returns the members of two JSON objects in one; an empty text is an object without members. Objects under the
// same name are merged in their turn; of other values that of more counts. It reports false if one of the two is no
// object, names a member twice, is nested too deep or is no UTF-8, and if the result is too long.
//
// What is equal comes out as the same text: without white space, members sorted by name.
func Merge(base, more string) (merged string, ok bool) {
	m := object{}
	for _, text := range []string{base, more} {
		if text == "" {
			continue
		}
		if len(text) > maxClaims || !utf8.ValidString(text) || !json.Valid([]byte(text)) ||
			rawjson.Depth([]byte(text)) > maxDepth || !m.add([]byte(text)) {
			return "", false
		}
	}
	b, err := json.Marshal(m)
	if err != nil || len(b) > maxClaims {
		return "", false
	}
	return string(b), true
}

// An object is a JSON object with its values: objects, and json.RawMessage for anything else.
type object map[string]any

// add puts the members of a valid JSON object into o, and reports whether it is one that names each member once.
func (o object) add(text []byte) bool {
	if text = bytes.TrimSpace(text); text[0] != '{' {
		return false
	}
	seen := make(map[string]bool)
	for name, value := range rawjson.Members(text) {
		if seen[name] {
			return false
		}
		seen[name] = true
		if value[0] != '{' {
			o[name] = json.RawMessage(value)
			continue
		}
		inner, ok := o[name].(object)
		if !ok {
			inner = object{}
			o[name] = inner
		}
		if !inner.add(value) {
			return false
		}
	}
	return true
}
