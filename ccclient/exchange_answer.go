package ccclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// interpret returns the token that an answer brings, or says what it is instead. It is a pure function of the request
// and the answer.
func (x *exchange) interpret(a tokenresponse.Response) (*oauth2.Token, *Error) {
	m, err := a.Members()
	refusal, refused := m.Refusal()
	switch {
	case !a.OK(), err == nil && refused:
		return nil, x.refused(a, refusal, err, x.redactor(m))
	case err != nil:
		return nil, x.unusable(a, err, nil)
	}
	tok, err := m.Token(x.sent, a.Received, x.dpop != nil)
	if err != nil {
		return nil, x.unusable(a, err, m)
	}
	return tok, nil
}

// refused is an answer that says why there is no token. broken is why its body could not be read, if so.
func (x *exchange) refused(
	a tokenresponse.Response, refusal tokenresponse.Refusal, broken error, r *redact.Redactor,
) *Error {
	e := x.failed(&Error{
		Code:        ErrorCode(refusal.Code),
		Description: r.Clean(refusal.Description),
		URI:         r.Clean(refusal.URI),
		StatusCode:  a.Status,
		RetryAfter:  a.RetryAfter(),
	})
	if page, ok := errors.AsType[tokenresponse.Unreadable](broken); ok {
		e.Description = r.Clean(page.Title)
	}
	if !e.Code.registered() {
		e.Code = ErrorCode(r.Clean(refusal.Code))
	}
	e.Err, e.Hint = x.hint(e, a, broken, r)
	// RFC 9449, section 8; a nonce also stands in for a clock that is wrong.
	if x.nonce && (e.Code == UseDPoPNonce || e.Code == InvalidDPoPProof) {
		e.outlook = nonceOnly
	}
	return e
}

// unusable is an answer that ought to bring a token and does not.
func (x *exchange) unusable(a tokenresponse.Response, err error, m tokenresponse.Members) *Error {
	e := x.failed(&Error{StatusCode: a.Status, RetryAfter: a.RetryAfter(), Err: err, outlook: unclear})
	switch cause := err.(type) {
	case tokenresponse.Unreadable:
		cause.Media, cause.Title = x.redactor(nil).Clean(cause.Media), ""
		e.Err = cause
		if cause.HTML {
			e.outlook, e.Hint = settled, "check "+x.setting()
		}
	case tokenresponse.UnknownType:
		cause.Name = x.redactor(m).Clean(cause.Name)
		e.Err, e.outlook, e.Hint = cause, settled, "have the server issue Bearer tokens, or DPoP tokens and set DPoPKey"
	}
	switch {
	case err == tokenresponse.ErrNotBound:
		e.outlook, e.Hint = settled, "enable DPoP for this client at the server, or remove Config.DPoPKey"
	case err == tokenresponse.ErrNeedsKey:
		e.outlook, e.Hint = settled, "set Config.DPoPKey"
	case errors.Is(err, tokenresponse.ErrExpired):
		e.Err = expired{err}
	}
	return e
}

// An expired error is a [tokenresponse.ErrExpired] that errors.Is also finds as [ErrExpired]. The two have one text.
type expired struct{ error }

func (e expired) Unwrap() error { return e.error }

func (e expired) Is(target error) bool { return target == ErrExpired }

// unauthenticated is a request for which no credentials could be had. The source of a secret may have more to say
// later, so it is no settled matter.
func (x *exchange) unauthenticated(err error) *Error {
	e := x.failed(&Error{outlook: unclear})
	if source, ok := errors.AsType[interface {
		error
		Outdated(context.Context) bool
	}](err); ok {
		e.outdated = source.Outdated
	}
	e.Err = fmt.Errorf("client authentication: %w", x.redactor(nil).Scrub(err))
	return e
}

// unsendable is a request that cannot be made, for its URL is none.
func (x *exchange) unsendable(err error) *Error {
	return x.failed(&Error{Err: x.withoutURL(err), outlook: settled})
}

// unreachable is a request to which no whole answer came.
func (x *exchange) unreachable(ctx context.Context, err error) *Error {
	err = x.withoutURL(err)
	e := x.failed(&Error{Err: err, outlook: passing})
	_, badCertificate := errors.AsType[x509.CertificateInvalidError](err)
	_, otherHost := errors.AsType[x509.HostnameError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	op, _ := errors.AsType[*net.OpError](err)
	switch {
	case unknownAuthority:
		e.outlook, e.Hint = settled, rootCAsHint
	case badCertificate, otherHost:
		e.outlook = settled
	case errors.Is(err, http.ErrSchemeMismatch):
		e.outlook, e.Hint = settled, "check the scheme of TokenURL"
	case op != nil && op.Op == "remote error": // a TLS alert
		e.Hint = "the server may want a client certificate, which goes into Config.TLS"
	case ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		e.Err = fmt.Errorf("no answer in time: %w", err)
	}
	return e
}

// withoutURL returns err as it may be shown. The cause stays recognisable, but for the URL: a query may hold a key.
func (x *exchange) withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return x.redactor(nil).Scrub(err)
}

// failed completes e with who asked whom.
func (x *exchange) failed(e *Error) *Error {
	e.client, e.host = x.clientID, x.endpoint.host()
	m, used := x.credentials.method, x.credentials.used // not the credentials themselves
	e.outdated = func(ctx context.Context) bool { return m.rotated(ctx, used) }
	return e
}
