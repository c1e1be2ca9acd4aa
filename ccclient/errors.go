package ccclient

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// An ErrorCode is the "error" of a token response (RFC 6749, section 5.2). It is
// itself an error, so that errors.Is(err, ccclient.InvalidClient) works. Servers
// have codes of their own beside the registered ones below.
type ErrorCode string

// The registered error codes that a token endpoint may answer with.
const (
	InvalidRequest              ErrorCode = "invalid_request"               // RFC 6749: something is missing, repeated or malformed
	InvalidClient               ErrorCode = "invalid_client"                // RFC 6749: the client was not authenticated
	InvalidGrant                ErrorCode = "invalid_grant"                 // RFC 6749: the grant or a proof was not accepted
	UnauthorizedClient          ErrorCode = "unauthorized_client"           // RFC 6749: this client may not use this grant type
	UnsupportedGrantType        ErrorCode = "unsupported_grant_type"        // RFC 6749: no client may
	InvalidScope                ErrorCode = "invalid_scope"                 // RFC 6749: a scope is unknown or not allowed
	AccessDenied                ErrorCode = "access_denied"                 // RFC 6749: refused, by policy
	ServerError                 ErrorCode = "server_error"                  // RFC 6749: the server's own fault
	TemporarilyUnavailable      ErrorCode = "temporarily_unavailable"       // RFC 6749: worth another attempt
	InvalidTarget               ErrorCode = "invalid_target"                // RFC 8707: a resource is unknown or not allowed
	InvalidAuthorizationDetails ErrorCode = "invalid_authorization_details" // RFC 9396
	UseDPoPNonce                ErrorCode = "use_dpop_nonce"                // RFC 9449: handled by the library
	InvalidDPoPProof            ErrorCode = "invalid_dpop_proof"            // RFC 9449: for instance, a clock is wrong
)

// Error gives the code itself.
func (c ErrorCode) Error() string { return string(c) }

func (c ErrorCode) registered() bool { return tokenresponse.Registered(string(c)) }

// ErrExpired is in the error of a token request whose token had already expired
// when it came: a negative expires_in, an expires_on in the past, or an answer
// that took longer than the token lives. A clock may be wrong.
var ErrExpired = cache.ErrExpired

// An Error says why a token request brought no token. It holds values only:
// never a request, a body, a header, a token or a secret. What the server wrote
// is cut to a sane length, and where it repeats the client's credentials
// "[redacted]" stands in their place.
//
// errors.Is finds the Code (and takes an unexplained 401 for [InvalidClient]),
// [ErrExpired], and the causes of network errors, among them context.Canceled
// and context.DeadlineExceeded. errors.As to *oauth2.RetrieveError works too
// when the server answered.
type Error struct {
	Code        ErrorCode     // the server's code; empty if it gave none
	Description string        // the server's words, if any: error_description or the like
	URI         string        // error_uri, if any
	StatusCode  int           // of the answer; 0 if none came
	RetryAfter  time.Duration // the server's Retry-After, at most 24 hours; 0 if none
	Attempts    int           // requests that were made
	Err         error         // the cause, or what to do next; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("ccclient: token request")
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, " answered with %d", e.StatusCode)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", e.Attempts)
	}
	switch {
	case e.Code.registered():
		b.WriteString(": " + string(e.Code))
	case e.Code != "":
		fmt.Fprintf(&b, ": %q", string(e.Code))
	}
	if e.Description != "" {
		fmt.Fprintf(&b, ": %q", e.Description)
	}
	if e.URI != "" {
		fmt.Fprintf(&b, " (see %q)", e.URI)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the code and the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Code != "" {
		errs = append(errs, e.Code)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Is takes a 401 without a registered code for [InvalidClient]: RFC 6749, section
// 5.2 gives the status that meaning, and several servers send nothing else.
func (e *Error) Is(target error) bool {
	return target == error(InvalidClient) && e.StatusCode == http.StatusUnauthorized && !e.Code.registered()
}

// As lets code that was written for x/oauth2 go on: it fills an
// *oauth2.RetrieveError if the server answered.
func (e *Error) As(target any) bool {
	t, ok := target.(**oauth2.RetrieveError)
	if !ok || e.StatusCode == 0 {
		return false
	}
	header := make(http.Header)
	if e.RetryAfter > 0 {
		whole := (e.RetryAfter + time.Second - 1) / time.Second
		header.Set("Retry-After", strconv.FormatInt(int64(whole), 10))
	}
	*t = &oauth2.RetrieveError{
		// A bare copy: RetrieveError's own Error reads the status, users'
		// code the rest.
		Response: &http.Response{
			Status:     strings.TrimSpace(strconv.Itoa(e.StatusCode) + " " + http.StatusText(e.StatusCode)),
			StatusCode: e.StatusCode,
			Proto:      "HTTP/1.1",
			ProtoMajor: 1,
			ProtoMinor: 1,
			Header:     header,
			Body:       http.NoBody,
		},
		ErrorCode:        string(e.Code),
		ErrorDescription: e.Description,
		ErrorURI:         e.URI,
	}
	return true
}
