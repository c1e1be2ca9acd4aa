package redact

import (
	b64 "encoding/base64"
	"net/http"
	"net/url"
	"strings"
)

// HeaderValues returns what must not show of header fields that hold credentials: every value, of Authorization what
// follows the scheme, and of Basic credentials the password too.
func HeaderValues(h http.Header) (all []string) {
	for name, values := range h {
		for _, value := range values {
			if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(name, "Authorization") {
				value = rest // the scheme is a word of its own
				if strings.EqualFold(scheme, "Basic") {
					all = append(all, basicPassword(rest)...)
				}
			}
			all = append(all, value)
		}
	}
	return all
}

// basicPassword returns the password of Basic credentials, as it is and decoded.
func basicPassword(credentials string) []string {
	b, err := b64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return nil
	}
	_, password, _ := strings.Cut(string(b), ":")
	decoded, err := url.QueryUnescape(password)
	if err != nil {
		return []string{password}
	}
	return []string{password, decoded}
}
