// Package tlsport knows how servers answer a request in plain HTTP that came to a port where they speak TLS.
package tlsport

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
)

// Err says what such an answer means.
var Err = errors.New("the request went over plain HTTP to a port that speaks TLS")

// answers are what is in the answers of net/http, nginx, Apache and Tomcat.
var answers = [][]byte{
	[]byte("Client sent an HTTP request to an HTTPS server"),
	[]byte("The plain HTTP request was sent to HTTPS port"),
	[]byte("speaking plain HTTP to an SSL-enabled server port"),
	[]byte("This combination of host and port requires TLS"),
}

// Says reports whether a response to a plain request says so. All that do have the status 400.
func Says(status int, body []byte) bool {
	if status != http.StatusBadRequest {
		return false
	}
	for _, answer := range answers {
		if bytes.Contains(body, answer) {
			return true
		}
	}
	return false
}

// Alerts reports whether err is what net/http makes of a TLS alert (RFC 8446, section 6) in place of a response.
func Alerts(err error) bool {
	return strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`)
}
