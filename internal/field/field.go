// Package field says which header fields a caller may name, and with what values.
package field

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// framing are the fields that net/http writes or drops on its own: set in a request's Header, they would not be sent,
// or would break the message.
var framing = []string{"Connection", "Content-Length", "Host", "Trailer", "Transfer-Encoding"}

// CheckName says why a field of this name cannot be added to a request, if so: it is no token (RFC 9110, section
// 5.1), or belongs to the message's framing.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("a header field without a name")
	case strings.IndexFunc(name, notToken) >= 0:
		return fmt.Errorf("%.40q is not the name of a header field (RFC 9110, section 5.1)", name)
	case slices.Contains(framing, http.CanonicalHeaderKey(name)):
		return fmt.Errorf("%s is a header field that net/http sets", http.CanonicalHeaderKey(name))
	}
	return nil
}

func notToken(c rune) bool {
	switch {
	case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
}

// CheckValue says why a field cannot have this value (RFC 9110, section 5.5),
// without repeating it.
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
