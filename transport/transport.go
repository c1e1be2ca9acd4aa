package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"
)

// Source returns the token for a request. It is asked once for each, on the request's context, and once more after a
// rejection, so it should keep its tokens. What it has returned must not be modified afterwards.
type Source interface {
	Token(ctx context.Context) (*oauth2.Token, error)
}

// Invalidator is what a [Source] may be as well: it is then told which token a server has rejected, so that the next
// call of Token returns a new one.
type Invalidator interface {
	Invalidate(rejected *oauth2.Token)
}

// Transport is an [http.RoundTripper] that authorizes requests with tokens from Source. Only Source is required. It
// is safe for concurrent use; its fields must not change once it is in use, and it must not be copied then.
type Transport struct {
	// Source returns the tokens.
	Source Source

	// Base sends the authorized requests. Nil means http.DefaultTransport.
	Base http.RoundTripper

	// AllowedHosts are the only hosts that may have the token: "api.example.com" (any port), "host:8443",
	// "*.example.com" (one or more labels, not example.com itself). Empty means any.
	AllowedHosts []string

	// InsecureHTTP allows http URLs beyond loopback, where anybody on the way can take the token.
	InsecureHTTP bool

	// ReplayLimit is how many bytes of a body without GetBody may be kept in memory so that it can be sent again
	// after a rejection; 0 means none. Such a body is read before the request is sent, up to the limit at least, so
	// this is not for bodies that wait for the response. A larger one is sent all the same, once.
	ReplayLimit int64

	// Rejected reports whether a response means that the token is no longer good. It must leave the body alone. Nil
	// means DefaultRejected.
	Rejected func(*http.Response) bool

	// DPoP makes the proofs that go with tokens bound to a key. If set, all tokens must be of type DPoP; if nil, none
	// may be.
	DPoP *DPoP

	last atomic.Pointer[credential]
}

// prefix is what every error of this module has in front, once.
const prefix = "ccclient: "

var (
	// ErrInsecure means that a request was not sent because its URL is neither https nor loopback.
	ErrInsecure = errors.New(prefix + "a token must not go over an insecure connection")

	// ErrHostNotAllowed means that a request was not sent because its host is not one of AllowedHosts.
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

// tokenError is the failure of a Source. It is a timeout if that is one: an url.Error says of itself what the error
// directly inside of it says, and does not unwrap that.
type tokenError struct{ err error }

func (e *tokenError) Error() string {
	if text := e.err.Error(); strings.HasPrefix(text, prefix) {
		return text // ccclient's own say all there is to say
	}
	return prefix + "no token: " + e.err.Error()
}

func (e *tokenError) Unwrap() error { return e.err }

func (e *tokenError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.err)
	return ok && t.Timeout()
}

// RoundTrip sends req with a token, and, if that is rejected, once more with another. A req with an Authorization
// header goes out as it is, and so does one that a redirect has led away from where its first request went.
//
// Errors are the Source's and the Base's, wrapped or as they are, or one of those above; nothing was sent if the
// cause was not the Base.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	authorize, err := t.mayAuthorize(req)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	if !authorize {
		return t.send(req, req)
	}
	tok, err := t.Source.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, &tokenError{err}
	}
	cred, err := t.credential(tok)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	out := cred.authorize(req)
	body, err := t.prepareBody(out)
	if err != nil {
		return nil, err
	}
	if t.DPoP != nil {
		if err := t.DPoP.sign(out, cred.hash, ""); err != nil {
			closeBody(out)
			return nil, err
		}
	}
	resp, err := t.send(out, req)
	if err != nil {
		return nil, err
	}
	return t.retryRejected(req, body, cred, resp)
}

// send sends out in the name of req.
func (t *Transport) send(out, req *http.Request) (*http.Response, error) {
	resp, err := t.base().RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if resp == nil {
		return nil, faultf("%T, the Base, returned neither a response nor an error", t.base())
	}
	resp.Request = req // not the clone: that one holds the token, and responses get logged
	return resp, nil
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

// CloseIdleConnections closes the idle connections of Base, if that can do so.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}
