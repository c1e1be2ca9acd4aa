package ccclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// An ErrorCode is the "error" of a token response (RFC 6749, section 5.2). It is itself an error, so that
// errors.Is(err, ccclient.InvalidClient) works. Servers have codes of their own beside the registered ones below.
type ErrorCode string

// The registered error codes that a token endpoint may answer with: of RFC 6749, and the last four of RFC 8707, 9396
// and 9449.
const (
	InvalidRequest              ErrorCode = "invalid_request"               // it lacks something, or is malformed
	InvalidClient               ErrorCode = "invalid_client"                // the client was not authenticated
	InvalidGrant                ErrorCode = "invalid_grant"                 // the grant or a proof was not accepted
	UnauthorizedClient          ErrorCode = "unauthorized_client"           // this client may not use this grant type
	UnsupportedGrantType        ErrorCode = "unsupported_grant_type"        // no client may
	InvalidScope                ErrorCode = "invalid_scope"                 // a scope is unknown or not allowed
	AccessDenied                ErrorCode = "access_denied"                 // refused, by policy
	ServerError                 ErrorCode = "server_error"                  // the server's own fault
	TemporarilyUnavailable      ErrorCode = "temporarily_unavailable"       // worth another attempt
	InvalidTarget               ErrorCode = "invalid_target"                // a resource is unknown or not allowed
	InvalidAuthorizationDetails ErrorCode = "invalid_authorization_details" // they are unknown or wrong
	UseDPoPNonce                ErrorCode = "use_dpop_nonce"                // handled by the library
	InvalidDPoPProof            ErrorCode = "invalid_dpop_proof"            // for instance, a clock is wrong
)

// Error returns the code itself.
func (c ErrorCode) Error() string { return string(c) }

func (c ErrorCode) registered() bool { return tokenresponse.Registered(string(c)) }

// ErrExpired is in the error of a token request whose token had already expired when it came: a negative expires_in, an
// expires_on in the past, or an answer that took longer than the token lives. A clock may be wrong.
var ErrExpired = cache.ErrExpired

// An Error says why a token request brought no token. It holds values only: never a request, a body, a header, a token
// or a secret. What the server wrote is cut to a sane length, and where it repeats the client's credentials
// "[redacted]" stands in their place.
//
// errors.Is finds the Code (and takes an unexplained 401 for [InvalidClient]), [ErrExpired], and the causes of network
// errors, among them context.Canceled and context.DeadlineExceeded. errors.As to *oauth2.RetrieveError works too when
// the server answered.
type Error struct {
	Code        ErrorCode     // the server's code; empty if it gave none
	Description string        // the server's words, if any: error_description or the like
	URI         string        // error_uri, if any
	StatusCode  int           // of the answer; 0 if none came
	RetryAfter  time.Duration // the server's Retry-After, at most 24 hours; 0 if none
	Attempts    int           // that were made, those beside Retry.MaxAttempts included; 0 if none was
	Hint        string        // what to do about it, or what to look at, where that can be known
	Err         error         // the cause, beyond what the server said; may be nil

	client, host string          // who asked whom
	outlook      outlook.Outlook // zero: that of StatusCode and Code
	misplaced    bool            // there may be no token endpoint where it was looked for
	ofTarget     bool            // what the token is to be for is at fault, and the server was not asked
	unasked      bool            // the server was not asked; another process of a fleet may have what was lacking
	outdated     func(ctx context.Context) bool
}

// errorPrefix is what the text of every error begins with that this package returns.
const errorPrefix = "ccclient: "

// Error tells in one line who asked whom, what came of it and what to do: code, words, cause and hint.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(errorPrefix + "token request")
	if e.client != "" {
		fmt.Fprintf(&b, " of client %q", e.client)
	}
	if e.host != "" {
		b.WriteString(" to " + e.host)
	}
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
	if e.Hint != "" {
		b.WriteString(": " + e.Hint)
	}
	return b.String()
}

// Temporary reports whether time alone may mend it: false if something has to be changed first, at the server or in the
// configuration. The caller's own context does not count.
func (e *Error) Temporary() bool { return e.foresees() != outlook.Settled }

// foresees returns what another attempt may bring.
func (e *Error) foresees() outlook.Outlook {
	return cmp.Or(e.outlook, outlook.Of(e.StatusCode, string(e.Code)))
}

// CoolDown tells package cache how long to leave the server alone.
func (e *Error) CoolDown() cache.CoolDown {
	return cache.CoolDown{RetryAfter: e.RetryAfter, Permanent: !e.Temporary(), Shared: e.concernsClient(),
		Local: e.ofTarget || e.unasked}
}

// concernsClient reports whether other tokens of the same client would meet the same error: the server cannot be
// reached, is in trouble or asks for patience, or it refuses the client, rather than what this one token is to be
// for.
func (e *Error) concernsClient() bool {
	switch e.Code {
	case InvalidClient, UnauthorizedClient, TemporarilyUnavailable, ServerError, UseDPoPNonce, InvalidDPoPProof:
		return true
	case "":
		return !e.ofTarget && e.StatusCode/100 != 2
	}
	return e.RetryAfter > 0 || e.foresees() == outlook.Passing || e.StatusCode == http.StatusUnauthorized
}

// Record tells other processes that share the token store what happened: the status, the outlook and the code, if it is
// a registered one, and nothing in the server's words. Package cache asks.
func (e *Error) Record() string {
	code := e.Code
	if !code.registered() {
		code = ""
	}
	return fmt.Sprintf("%d %d %s", e.StatusCode, e.foresees(), code)
}

// failedElsewhere returns an Error for what another process met. Whoever can write to a store that is not sealed can
// make it up, but not have it say anything.
func failedElsewhere(err *cache.FailedElsewhere) *Error {
	e := &Error{Err: err, RetryAfter: err.Cause.RetryAfter, outlook: outlook.Unclear}
	if err.Cause.Permanent {
		e.outlook = outlook.Settled
	}
	status, rest, _ := strings.Cut(err.Record, " ")
	foreseen, code, _ := strings.Cut(rest, " ")
	if n, err := strconv.Atoi(status); err == nil && 100 <= n && n <= 599 {
		e.StatusCode = n
	}
	if n, err := strconv.Atoi(foreseen); err == nil && outlook.Outlook(n) == outlook.Passing {
		e.outlook = outlook.Passing
	}
	if code := ErrorCode(code); code.registered() {
		e.Code = code
	}
	return e
}

// Outdated reports whether the request may do better before its cool-down is over, since the secret or key that was
// refused, or could not be had, is another one by now. Package cache asks. A failure of the server or of the network is
// not outdated by a secret, whose source is not asked then.
func (e *Error) Outdated(ctx context.Context) bool {
	return e.foresees() != outlook.Passing && e.outdated != nil && e.outdated(ctx)
}

// refusesClient reports whether the server may not have liked the credentials. Servers say so in several ways: Keycloak
// with unauthorized_client, Auth0 with access_denied, others with a bare 403.
func (e *Error) refusesClient() bool {
	return errors.Is(e, InvalidClient) || e.Code == UnauthorizedClient || e.Code == AccessDenied ||
		e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
}

// Unwrap returns the code and the cause.
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

// Is takes a 401 without a registered code for [InvalidClient]: RFC 6749, section 5.2, gives the status that meaning,
// and several servers send nothing else.
func (e *Error) Is(target error) bool {
	return target == error(InvalidClient) && e.StatusCode == http.StatusUnauthorized && !e.Code.registered()
}

// As lets code that was written for x/oauth2 go on: it fills an *oauth2.RetrieveError if the server answered.
func (e *Error) As(target any) bool {
	t, ok := target.(**oauth2.RetrieveError)
	if !ok || e.StatusCode == 0 {
		return false
	}
	*t = &oauth2.RetrieveError{
		// RetrieveError's own Error reads the status, users' code the rest.
		Response:         tokenresponse.Bare(e.StatusCode, e.RetryAfter),
		ErrorCode:        string(e.Code),
		ErrorDescription: e.Description,
		ErrorURI:         e.URI,
	}
	return true
}
