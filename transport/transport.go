package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
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

	// Outside sends what may not have the token: requests that a redirect has led away from where the first one went,
	// and those with an Authorization header of the caller's own to where the token may not go. It is for a Base that
	// shows a client certificate, which must not go there either. Nil means Base.
	Outside http.RoundTripper

	// AllowedHosts are the only hosts that may have the token: "api.example.com" (any port), "host:8443",
	// "*.example.com" (one or more labels, not example.com itself). Empty means any. A request whose Host is not that
	// of its URL is for both, so both must be allowed.
	AllowedHosts []string

	// InsecureHTTP allows http URLs beyond loopback, where anybody on the way can take the token.
	InsecureHTTP bool

	// ReplayLimit is how many bytes of a body without GetBody may be kept in memory so that it can be sent again with
	// another token or proof; 0 means none. Such a body is read before the request is sent, up to the limit at least,
	// so this is not for bodies that wait for the response. A larger one is sent all the same, once.
	ReplayLimit int64

	// Rejected reports whether a response means that the token is no longer good. It must leave the body alone, and
	// may be asked twice about one response. Nil means DefaultRejected.
	//
	// A server that says so with something other than a 401 needs one of its own. The protected resources of
	// django-oauth-toolkit answer a dead token with an empty 403, where a scope that is missing may get the same; a new
	// token is asked for no more often than forced refreshes are spaced:
	//
	//	t.Rejected = func(resp *http.Response) bool {
	//		return transport.DefaultRejected(resp) ||
	//			resp.StatusCode == http.StatusForbidden && resp.ContentLength == 0
	//	}
	Rejected func(*http.Response) bool

	// Challenged, if set, is asked about every 401 and 403 to a request that had a token, and returns the source of a
	// token that has what the challenge asks for: more scopes (RFC 6750, section 3.1), other claims. If that brings
	// another token, the request is sent once more with it, in place of the repetition that a rejection would bring,
	// and the rejected token is not invalidated. If it does not, or is nil, Rejected decides. The token is asked for
	// also if the request cannot be repeated, so that the source can remember it for the next one.
	//
	// ctx is that of the request. The response is foreign text, of whoever was allowed to have the token; its body must
	// be left alone. How often tokens are asked for is the function's business: a server may challenge every request.
	Challenged func(ctx context.Context, rejected *oauth2.Token, resp *http.Response) Source

	// OnRejection, if set, is told of each response that rejects a token or a proof, when it is known whether the
	// request could be healed: for metrics and logs. It is called on the goroutine of the request, which it holds up.
	OnRejection func(ctx context.Context, r Rejection)

	// DPoP makes the proofs that go with tokens bound to a key. If set, all tokens must be of type DPoP; if nil, none
	// may be.
	DPoP *DPoP

	last atomic.Pointer[func() *credential] // the one that was spent last
}

// RoundTrip sends req with a token, and, if that is rejected or, with Challenged, not enough, once more with another. A
// req with an Authorization header goes out as it is, and so does one that a redirect has led away from where its first
// request went. If the second sending fails, its error is returned: the first answer is gone.
//
// Errors are the Source's and the Base's, wrapped or as they are, or the Transport's own: [ErrInsecure],
// [ErrHostNotAllowed], [ErrTokenType], or one that says what is wrong with the request, its body or the proof. Nothing
// was sent if the cause was not the Base.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	own := countFields(req.Header)
	how, err := t.passage(req, own)
	switch {
	case err != nil:
		closeBody(req)
		return nil, err
	case how == outside:
		return t.send(t.outside(), own.withoutEmpty(req), req)
	case how == asItIs:
		return t.send(t.base(), own.withoutEmpty(req), req)
	}
	tok, err := t.Source.Token(req.Context())
	if err != nil {
		closeBody(req)
		return nil, &tokenError{t.redactor(req).Scrub(err)}
	}
	cred, err := t.credential(tok)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	out := cred.authorize(req, own)
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
	resp, err := t.send(t.base(), out, req)
	if err != nil {
		return nil, err
	}
	return t.retryRejected(req, body, cred, resp)
}

// send sends out through rt in the name of req. An error of net/http quotes a malformed answer, and a server may repeat
// in that what it was sent.
func (t *Transport) send(rt http.RoundTripper, out, req *http.Request) (*http.Response, error) {
	resp, err := rt.RoundTrip(out)
	if err != nil {
		return nil, t.redactor(out).Scrub(err)
	}
	if resp == nil {
		return nil, faultf("%T, the Base, returned neither a response nor an error", rt)
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

func (t *Transport) outside() http.RoundTripper {
	if t.Outside != nil {
		return t.Outside
	}
	return t.base()
}

// CloseIdleConnections closes the idle connections of Base and of Outside, if they can do so.
func (t *Transport) CloseIdleConnections() {
	for _, rt := range []http.RoundTripper{t.base(), t.Outside} {
		if rt, ok := rt.(interface{ CloseIdleConnections() }); ok {
			rt.CloseIdleConnections()
		}
	}
}

// Format prints the hosts that may have tokens, for every verb: Source may be a type that fmt would print.
func (t *Transport) Format(f fmt.State, _ rune) { io.WriteString(f, t.text()) }

// MarshalText returns what Format prints, for encoding/json and log/slog.
func (t *Transport) MarshalText() ([]byte, error) { return []byte(t.text()), nil }

func (t *Transport) text() string {
	if t == nil {
		t = new(Transport)
	}
	return fmt.Sprintf("transport.Transport{AllowedHosts: %q, DPoP: %v}", t.AllowedHosts, t.DPoP != nil)
}
