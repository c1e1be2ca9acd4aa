// Package hosts decides which server a URL leads to, and whether that server is one of those that were meant. All
// comparison is of ASCII letters in any case: no folding that DNS does not do.
package hosts

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Secure reports whether a credential may be sent to u: over https, or over http to this machine itself, or over http
// to anywhere if insecureHTTP allows it. It is the one rule for token endpoints, issuers and APIs.
func Secure(u *url.URL, insecureHTTP bool) bool {
	return u.Scheme == "https" || u.Scheme == "http" && (insecureHTTP || Loopback(u.Hostname()))
}

// Loopback reports whether host, without port or brackets, can only be this machine, in a spelling that net/http takes
// for it too: localhost, 127.0.0.0/8 or ::1. What net/http does not take for loopback it sends to the environment's
// proxy ("LocalHost", "localhost."), in clear if the scheme is http. Names below localhost do not count: Go's resolver
// asks the DNS for them. Nor does an address with a zone.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, ok := address(host)
	return ok && addr.Zone() == "" && addr.Unmap().IsLoopback()
}

// address parses an IP address. What cannot be one is not even tried: netip's error costs an allocation.
func address(host string) (netip.Addr, bool) {
	if host == "" || !strings.Contains(host, ":") && (host[len(host)-1] < '0' || host[len(host)-1] > '9') {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(host)
	return addr, err == nil
}

// SameOrigin reports whether a and b have the same scheme, host and port (RFC 6454, section 4); a port that is not
// given is the scheme's.
func SameOrigin(a, b *url.URL) bool {
	return equalFold(a.Scheme, b.Scheme) && port(a) == port(b) && equalFold(a.Hostname(), b.Hostname())
}

// Origin returns the scheme, host and port of u as RFC 6454, section 6.2, writes them: in lower case, without the
// scheme's own port. It is equal for URLs of the same origin and for no others.
func Origin(u *url.URL) string {
	scheme, host, p := lower(u.Scheme), lower(u.Hostname()), port(u)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p == defaultPort(scheme) {
		return scheme + "://" + host
	}
	return scheme + "://" + host + ":" + p
}

// AsSent returns a host, with its port if it has one, as net/http writes it into the Host field: names that are not
// ASCII in punycode, addresses without their zone (RFC 6874), and nothing of what can be no host.
func AsSent(host string) string {
	if !strings.ContainsFunc(host, func(c rune) bool {
		return c <= ' ' || c > '~' ||
			strings.ContainsRune("%/\\?#@", c)
	}) {
		return host
	}
	var sent strings.Builder
	if err := (&http.Request{URL: &url.URL{Scheme: "http", Host: host}}).Write(&sent); err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(sent.String(), "\r\nHost: ")
	host, _, _ = strings.Cut(rest, "\r\n")
	return host
}

// Split returns the host of u without its port, and the port; that of the scheme where u has none, 0 if nobody knows.
func Split(u *url.URL) (host string, number int) {
	number, _ = strconv.Atoi(port(u))
	return u.Hostname(), number
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return defaultPort(u.Scheme)
}

func defaultPort(scheme string) string {
	switch {
	case equalFold(scheme, "https"):
		return "443"
	case equalFold(scheme, "http"):
		return "80"
	default:
		return ""
	}
}

// equalFold is strings.EqualFold for ASCII alone: Unicode's folding takes the Kelvin sign for a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lowerByte(a[i]) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

func lower(s string) string {
	for i := range len(s) {
		if lowerByte(s[i]) != s[i] {
			b := []byte(s)
			for j := range b {
				b[j] = lowerByte(b[j])
			}
			return string(b)
		}
	}
	return s
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
