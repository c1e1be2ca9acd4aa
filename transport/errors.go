package transport

import (
	"errors"
	"fmt"
	"strings"
)

// prefix is what every error of this module has in front, once.
const prefix = "ccclient: "

var (
	// ErrInsecure means that a request was not sent because its URL is neither https nor loopback.
	ErrInsecure = errors.New(prefix + "a token must not go over an insecure connection")

	// ErrHostNotAllowed means that a request was not sent because its URL's host or its Host is not one of
	// AllowedHosts, or because it names yet another server in the URL's Opaque or the header.
	ErrHostNotAllowed = errors.New(prefix + "the host may not have the token")

	// ErrTokenType means that a request was not sent because the source's token is of a type that does not fit: one
	// that is not bound where DPoP was asked for (which would be a downgrade), one that is where it was not, or one
	// that is neither Bearer nor DPoP and so not understood (RFC 6749, section 7.1).
	ErrTokenType = errors.New(prefix + "the token is of the wrong type")
)

// fault is an error of this package. Unwrap takes the prefix off, for whoever puts one into an error that has it.
type fault struct{ err error }

func faultf(format string, args ...any) error { return &fault{fmt.Errorf(format, args...)} }

func (e *fault) Error() string { return prefix + e.err.Error() }
func (e *fault) Unwrap() error { return e.err }

// tokenError is the failure of a Source.
type tokenError struct{ err error }

func (e *tokenError) Error() string {
	if text := e.err.Error(); strings.HasPrefix(text, prefix) {
		return text // ccclient's own say all there is to say
	}
	return prefix + "no token: " + e.err.Error()
}

func (e *tokenError) Unwrap() error { return e.err }

func (e *tokenError) Timeout() bool { return isTimeout(e.err) }

// isTimeout reports whether err is a timeout. An url.Error says of itself what the error directly inside of it says,
// and does not unwrap that.
func isTimeout(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && t.Timeout()
}
