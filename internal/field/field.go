// Package field says which names and values header fields may have.
package field

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// framing are the fields that net/http writes or drops on its own: set in a request's Header, they would not be sent,
// or would break the message.
var framing = []string{"Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding"}

// CheckName returns why a field of this name cannot be added to a request, nil if it can: the name is no token (RFC
// 9110, section 5.1), or belongs to the message's framing.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("a header field without a name")
	case !isToken(name):
		return fmt.Errorf("%.40q is not the name of a header field (RFC 9110, section 5.1)", name)
	case slices.Contains(framing, http.CanonicalHeaderKey(name)):
		return fmt.Errorf("%s is a header field that net/http sets", http.CanonicalHeaderKey(name))
	}
	return nil
}

func isToken(s string) bool {
	for i := range len(s) {
		if !IsTokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

// IsTokenChar reports whether c is tchar, of which tokens consist: RFC 9110, section 5.6.2.
func IsTokenChar(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// IndexNotVisible returns the index of the first byte of s that is not visible ASCII, -1 if there is none: then s can
// stand in a header as one word, as a token of OAuth must.
func IndexNotVisible(s string) int {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return i
		}
	}
	return -1
}

// CheckValue returns why a field cannot have this value (RFC 9110, section 5.5), nil if it can. The error does not
// repeat the value.
func CheckValue(value string) error {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("a control character, 0x%02X, in the value of a header field", c)
		}
	}
	if strings.Trim(value, " \t") != value {
		return errors.New("space at an end of the value of a header field")
	}
	return nil
}

// Canonical returns a copy of h, whose names may be spelt in any case.
func Canonical(h http.Header) http.Header {
	c := make(http.Header, len(h))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			c.Add(name, value)
		}
	}
	return c
}
