package ccclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// interpret returns the token that an answer brings, or says what it is instead. It does no I/O.
func (ex *exchange) interpret(a tokenresponse.Response) (*oauth2.Token, *Error) {
	m, err := a.Members()
	ex.received = m.Tokens()
	refusal, refused := m.Refusal()
	switch {
	case !a.OK(), err == nil && refused:
		return nil, ex.refused(a, refusal, err)
	case err != nil:
		return nil, ex.unusable(a, err)
	}
	tok, err := m.Token(ex.sent, a.Received, ex.dpop != nil)
	if err != nil {
		return nil, ex.unusable(a, err)
	}
	ex.recent.Token(tok.AccessToken)
	return tok, nil
}

// refused is an answer that says why there is no token. broken is why its body could not be read, if so.
func (ex *exchange) refused(a tokenresponse.Response, refusal tokenresponse.Refusal, broken error) *Error {
	e := &Error{
		Code:        ErrorCode(refusal.Code),
		Description: refusal.Description,
		URI:         refusal.URI,
		StatusCode:  a.Status,
		RetryAfter:  a.RetryAfter(),
	}
	if page, ok := errors.AsType[tokenresponse.Unreadable](broken); ok {
		e.Description = page.Title
	}
	e = ex.failed(e)
	e.Hint, e.Err = ex.hint(e, a, broken, ex.redactor())
	// RFC 9449, section 8; a nonce also stands in for a clock that is wrong.
	if ex.nonce && (e.Code == UseDPoPNonce || e.Code == InvalidDPoPProof) {
		e.outlook = outlook.NonceOnly
	}
	return e
}

// unusable is an answer that ought to bring a token and does not.
func (ex *exchange) unusable(a tokenresponse.Response, err error) *Error {
	e := &Error{StatusCode: a.Status, RetryAfter: a.RetryAfter(), Err: err, outlook: outlook.Unclear}
	switch cause := err.(type) {
	case tokenresponse.Unreadable:
		cause.Media, cause.Title = ex.redactor().Clean(cause.Media), ""
		e.Err = cause
		if cause.HTML {
			e.outlook, e.Hint, e.misplaced = outlook.Settled, "check "+ex.endpoint.Setting(), true
		}
	case tokenresponse.UnknownType:
		cause.Name = ex.redactor().Clean(cause.Name)
		e.Err, e.outlook, e.Hint = cause, outlook.Settled, "have the server issue Bearer tokens, or DPoP tokens and set DPoPKey"
	}
	switch {
	case err == tokenresponse.ErrNotBound:
		e.outlook, e.Hint = outlook.Settled, "enable DPoP for this client at the server, or remove DPoPKey"
	case err == tokenresponse.ErrNeedsKey:
		e.outlook, e.Hint = outlook.Settled, "set DPoPKey"
	case errors.Is(err, tokenresponse.ErrExpired):
		e.Err = expired{err}
	}
	return ex.failed(e)
}

// An expired error is a [tokenresponse.ErrExpired] that errors.Is also finds as [ErrExpired]. The two have one text.
type expired struct{ error }

func (e expired) Unwrap() error { return e.error }

func (e expired) Is(target error) bool { return target == ErrExpired }

// unauthenticated is a request for which no credentials could be had. The source of a secret may have more to say
// later, so it is no settled matter, unless the secret is not where it should be.
func (ex *exchange) unauthenticated(err error) *Error {
	if source, ok := errors.AsType[*unproven](err); ok {
		ex.credentials.secret = source.state // which the error may repeat
	}
	e := ex.failed(&Error{Err: fmt.Errorf("client authentication: %w", err), outlook: outlook.Unclear, unasked: true})
	if _, ok := errors.AsType[*unconfigured](err); ok {
		e.outlook = outlook.Settled
	}
	if source, ok := errors.AsType[interface {
		error
		Outdated(context.Context) bool
	}](err); ok {
		e.outdated = source.Outdated
	}
	return e
}

// unsendable is a request that cannot be made, for its URL is none.
func (ex *exchange) unsendable(err error) *Error {
	return ex.failed(&Error{Err: withoutURL(err), outlook: outlook.Settled, unasked: true})
}

// unreachable is a request to which no whole answer came. What the error is of is asked before anything is taken out of
// it.
func (ex *exchange) unreachable(ctx context.Context, err error) *Error {
	o, hint := ex.link.Judge(err, link.Request{
		Setting: ex.endpoint.Setting(), Plain: ex.endpoint.Plain(), Asked: ex.asked,
	})
	err = withoutURL(err)
	if refusal := connections.ProxyRefusalIn(err); refusal != nil {
		err = refusal // by name
	}
	e := &Error{Err: err, Hint: hint, outlook: cmp.Or(o, outlook.Passing)}
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		e.Err = fmt.Errorf("no answer in time: %w", err)
	}
	return ex.failed(e)
}

// withoutURL returns err without its URL: a query may hold a key.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// failed completes e with who asked whom, and takes out what must not show.
func (ex *exchange) failed(e *Error) *Error {
	r := ex.redactor()
	e.client, e.host = ex.clientID, ex.endpoint.Host()
	if ex.endpoint.Issuer != "" {
		e.host = r.Clean(e.host) // the server's word
	}
	m, used := ex.credentials.method, ex.credentials.used // not the credentials themselves
	e.outdated = func(ctx context.Context) bool { return m.rotated(ctx, used) }
	conceal(e, r)
	return e
}

// redactor hides what is secret in the request, in its response so far, and in those before, which a server may repeat
// as well; and the token that is held.
func (ex *exchange) redactor() *redact.Redactor {
	all := ex.recent.All()
	all = append(all, ex.credentials.secrets()...)
	all = append(all, ex.proof)
	all = append(all, ex.received...)
	all = append(all, redact.SecretValues(ex.form)...)
	all = append(all, redact.SecretValues(ex.header)...)
	if u, err := url.Parse(ex.endpoint.URL); err == nil {
		all = append(all, redact.SecretValues(u.Query())...)
	}
	return redact.New(append(all, textOf(ex.held))...)
}

// conceal takes out of e what the server repeated that is secret, and what is not fit to be shown. A code is left as it
// is, or out.
func conceal(e *Error, r *redact.Redactor) {
	if !e.Code.registered() && r.Holds(string(e.Code)) {
		e.Description = cmp.Or(e.Description, string(e.Code))
		e.Code = ""
	}
	e.Description, e.URI = r.Clean(e.Description), r.Clean(e.URI)
	e.Hint = r.Hide(e.Hint)
	e.Err = r.Scrub(e.Err)
}
