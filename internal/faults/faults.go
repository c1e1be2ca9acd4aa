// Package faults collects what is wrong with a configuration, and knows what its values may be.
package faults

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A List is what is wrong with a configuration, each fault with the name of its field. The zero List is empty.
type List []error

// Add adds a fault.
func (l *List) Add(field, format string, args ...any) {
	l.AddError(field, fmt.Errorf(format, args...))
}

// AddError adds err, unless it is nil.
func (l *List) AddError(field string, err error) {
	if err != nil {
		*l = append(*l, fmt.Errorf("%s: %w", field, err))
	}
}

// Err returns all faults as one error, nil if there are none.
func (l List) Err(context string) error {
	if len(l) == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", context, errors.Join(l...))
}

// CheckScope holds a scope to the grammar of RFC 6749, section 3.3.
func CheckScope(s string) error {
	if s == "" {
		return errors.New("an empty scope")
	}
	for _, c := range []byte(s) {
		switch {
		case c == ' ':
			return fmt.Errorf("%q has a space: one scope an element", s)
		case c < 0x21 || c > 0x7e || c == '"' || c == '\\':
			return fmt.Errorf("%q has a character that a scope may not have (RFC 6749, section 3.3)", s)
		}
	}
	return nil
}

// CheckResource holds a resource indicator to RFC 8707, section 2.
func CheckResource(s string) error {
	switch u, err := url.Parse(s); {
	case err != nil || !u.IsAbs():
		return fmt.Errorf("%q is not an absolute URI (RFC 8707, section 2)", s)
	case strings.Contains(s, "#"):
		return fmt.Errorf("%q has a fragment (RFC 8707, section 2)", s)
	}
	return nil
}
