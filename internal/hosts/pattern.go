package hosts

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Match reports whether one of the patterns allows the server of u. A pattern is a host on any port
// ("api.example.com", "192.0.2.1", "2001:db8::1"), a host on one port ("host:8443", "[2001:db8::1]:8443"), or, with
// "*." before it, all names below that host, whatever the number of labels, but not the host itself. A pattern that
// [Validate] rejects allows nothing, and no pattern allows what is neither a host name nor an address: an IPv6 zone may
// end in the letters of a name that is allowed.
func Match(patterns []string, u *url.URL) bool {
	host, port := u.Hostname(), port(u)
	if addr, ok := address(host); ok {
		if addr.Zone() != "" {
			return false
		}
	} else if host = strings.TrimSuffix(host, "."); !validName(host) {
		return false
	}
	for _, text := range patterns {
		if p, err := parse(text); err == nil && p.match(host, port) {
			return true
		}
	}
	return false
}

// Validate says what is wrong with a pattern, if anything is.
func Validate(text string) error {
	_, err := parse(text)
	return err
}

type pattern struct {
	host  string // without brackets and without a final dot
	port  string // empty: any
	below bool   // the names below host, not host
}

func (p pattern) match(host, port string) bool {
	if p.port != "" && p.port != port {
		return false
	}
	// An IPv6 address can be written in several ways.
	if addr, ok := address(host); ok {
		allowed, ok := address(p.host)
		return ok && !p.below && allowed == addr
	}
	if p.below {
		n := len(host) - len(p.host) - 1
		return n > 0 && host[n] == '.' && equalFold(host[n+1:], p.host)
	}
	return equalFold(host, p.host)
}

func parse(text string) (pattern, error) {
	var p pattern
	if text == "" {
		return p, errors.New("a host pattern is empty")
	}
	if text == "*" {
		return p, fmt.Errorf(`host pattern "*": to allow every host, give no pattern`)
	}
	p.host = text
	p.host, p.below = strings.CutPrefix(p.host, "*.")
	switch {
	case strings.Contains(text, "://"):
		return p, fmt.Errorf("host pattern %.80q has a scheme: give the host alone", text)
	case strings.HasPrefix(p.host, "["):
		end := strings.IndexByte(p.host, ']')
		if end < 0 {
			return p, fmt.Errorf("host pattern %.80q: a bracket is not closed", text)
		}
		rest := p.host[end+1:]
		p.host = p.host[1:end]
		if !strings.Contains(p.host, ":") {
			return p, fmt.Errorf("host pattern %.80q: brackets are for IPv6 addresses", text)
		}
		if rest != "" {
			var colon bool
			if p.port, colon = strings.CutPrefix(rest, ":"); !colon || !validPort(p.port) {
				return p, fmt.Errorf("host pattern %.80q: the port is not a number from 1 to 65535", text)
			}
		}
	case strings.Count(p.host, ":") == 1:
		p.host, p.port, _ = strings.Cut(p.host, ":")
		if !validPort(p.port) {
			return p, fmt.Errorf("host pattern %.80q: the port is not a number from 1 to 65535", text)
		}
	}
	if addr, ok := address(p.host); ok {
		if p.below {
			return p, fmt.Errorf("host pattern %.80q: there is nothing below an address", text)
		}
		if addr.Zone() != "" {
			return p, fmt.Errorf("host pattern %.80q: an address with a zone is not supported", text)
		}
		return p, nil
	}
	p.host = strings.TrimSuffix(p.host, ".")
	if !validName(p.host) {
		return p, fmt.Errorf("host pattern %.80q is not a host name, an address, or either with a port", text)
	}
	return p, nil
}

func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '0'
}

// validName is lenient, as hosts files are: underscores pass, and so do the letters and digits of any script. What is
// an address, with a final dot or without, is no name.
func validName(s string) bool {
	if _, ok := address(s); ok {
		return false
	}
	empty := true // the label so far
	for _, c := range s {
		switch {
		case c == '.':
			if empty {
				return false
			}
			empty = true
		case c == '-', c == '_', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z',
			c >= utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c)):
			empty = false
		default:
			return false
		}
	}
	return !empty
}
