package transport

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"

	"golang.org/x/oauth2"
)

// Source gives the token for a request. It is asked once for each, on the request's context, and once more after a
// rejection, so it should keep its tokens. What it has given must not be modified afterwards.
type Source interface {
	Token(ctx context.Context) (*oauth2.Token, error)
}

// Invalidator is what a [Source] may be as well: it is then told which token a server has rejected,
// so that the next call to Token gives a new one.
type Invalidator interface {
	Invalidate(rejected *oauth2.Token)
}

// Transport is an [http.RoundTripper] that authorizes requests with tokens from Source. Only Source is required.
// It is safe for concurrent use; its fields must not change once it is in use, and it must not be copied then.
type Transport struct {
	// Source gives the tokens.
	Source Source

	// Base sends the authorized requests. Nil means http.DefaultTransport.
	Base http.RoundTripper

	// AllowedHosts are the only hosts that may have the token: "api.example.com" (any port), "host:8443",
	// "*.example.com" (one or more labels, not example.com itself). Empty means any.
	AllowedHosts []string

	// InsecureHTTP allows http URLs beyond loopback, where anybody on the way can take the token.
	InsecureHTTP bool

	// Header names the field that has the token. Empty means Authorization, with the scheme before the token, as the
	// RFCs have it. In any other the token stands alone, as some APIs want it (Shopify's X-Shopify-Access-Token);
	// all that is said of the Authorization header, here and in the package's comment, is then said of that one.
	// It does not go together with DPoP.
	Header string

	// ReplayLimit is how many bytes of a body without GetBody may be kept in memory so that it can be sent again after
	// a rejection; 0 means none. Such a body is read before the request is sent, up to the limit at least, so this is
	// not for bodies that wait for the response. A larger one is sent all the same, once.
	ReplayLimit int64

	// Rejected says whether a response means that the token is no longer good. It must leave the body alone.
	// Nil means DefaultRejected.
	Rejected func(*http.Response) bool

	// DPoP makes the proofs that go with tokens bound to a key. If set, all tokens must be of type DPoP;
	// if nil, none may be.
	DPoP *DPoP

	last atomic.Pointer[credential]
}

var (
	// ErrInsecure means that a request was not sent because its URL is neither https nor loopback.
	ErrInsecure = errors.New("transport: a token must not go over an insecure connection")

	// ErrHostNotAllowed means that a request was not sent because its host is not one of AllowedHosts.
	ErrHostNotAllowed = errors.New("transport: the host may not have the token")

	// ErrTokenType means that a request was not sent because the source's token is of a type that does not fit: one
	// that is not bound where DPoP was asked for (which would be a downgrade), one that is where it was not, or one
	// that is neither Bearer nor DPoP and so not understood (RFC 6749, section 7.1).
	ErrTokenType = errors.New("transport: the token is of the wrong type")
)

// noToken is the failure of Source. It is a timeout if that is one: an url.Error says of itself what the error directly
// inside of it says, and does not unwrap that.
type noToken struct{ err error }

func (e *noToken) Error() string { return "transport: no token: " + e.err.Error() }
func (e *noToken) Unwrap() error { return e.err }
func (e *noToken) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.err)
	return ok && t.Timeout()
}

// RoundTrip sends req with a token, and, if that is rejected, once more with another. A req with an Authorization
// header goes out as it is, and so does one that a redirect has led away from where its first request went.
//
// Errors are the Source's and the Base's, wrapped or as they are, or one of those above; nothing was sent if the cause
// was not the Base.
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
		return nil, &noToken{err}
	}
	cred, err := t.credential(tok)
	if err != nil {
		closeBody(req)
		return nil, err
	}
	out := cred.clone(req)
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
	return t.heal(req, body, cred, resp)
}

// heal returns resp, unless that rejects the token, or the proof while it brings a nonce, and req can be sent again.
// Each of the two has a single retry; the answer to the last is returned whatever it is.
func (t *Transport) heal(req *http.Request, body replay, cred *credential, resp *http.Response) (*http.Response, error) {
	var renewed, nonced bool
	for !renewed || t.DPoP != nil && !nonced {
		next, nonce := cred, ""
		switch learned := t.DPoP != nil && t.DPoP.Learn(resp); {
		case t.DPoP != nil && proofRefused(resp):
			if nonced || !learned || !body.possible() {
				return resp, nil
			}
			// This one, since others may have been told another meanwhile, and a server may take each only once.
			nonced, nonce = true, resp.Header.Get("DPoP-Nonce")
		case !renewed && t.rejected(resp):
			if next = t.renew(req.Context(), cred, body.possible()); next == nil {
				return resp, nil
			}
			renewed = true
		default:
			return resp, nil
		}
		out, err := t.again(req, body, next, nonce)
		if err != nil {
			return resp, nil
		}
		drain(resp)
		if resp, err = t.send(out, req); err != nil {
			return nil, err
		}
		cred = next
	}
	if t.DPoP != nil {
		t.DPoP.Learn(resp)
	}
	return resp, nil
}

// renew reports the token of cred as rejected and returns the credential of another one, or nil if there is none to
// be had, or no use for it.
func (t *Transport) renew(ctx context.Context, cred *credential, useful bool) *credential {
	if source, ok := t.Source.(Invalidator); ok {
		source.Invalidate(cred.token)
	}
	if !useful {
		return nil
	}
	tok, err := t.Source.Token(ctx)
	if err != nil || ctx.Err() != nil || tok == nil || tok.AccessToken == cred.token.AccessToken {
		return nil
	}
	next, err := t.credential(tok)
	if err != nil {
		return nil
	}
	return next
}

// again returns req with a fresh copy of its body and with cred, ready to be sent. An empty nonce means the latest.
func (t *Transport) again(req *http.Request, body replay, cred *credential, nonce string) (*http.Request, error) {
	out := cred.clone(req)
	if err := body.rewind(out); err != nil {
		return nil, err
	}
	if t.DPoP != nil {
		if err := t.DPoP.sign(out, cred.hash, nonce); err != nil {
			closeBody(out)
			return nil, err
		}
	}
	return out, nil
}

// send sends out in the name of req.
func (t *Transport) send(out, req *http.Request) (*http.Response, error) {
	resp, err := t.base().RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if resp == nil {
		return nil, errors.New("transport: Base returned neither a response nor an error")
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

func (t *Transport) rejected(resp *http.Response) bool {
	if t.Rejected != nil {
		return t.Rejected(resp)
	}
	return DefaultRejected(resp)
}

// CloseIdleConnections closes those of Base, if it can.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}
