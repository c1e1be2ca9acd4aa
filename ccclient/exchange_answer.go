package ccclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// interpret returns the token that an answer brings, or says what it is instead. It is a pure function of the request
// and the answer.
func (x *exchange) interpret(a tokenresponse.Response) (*oauth2.Token, *Error) {
	m, err := a.Members()
	x.received = m.Tokens()
	refusal, refused := m.Refusal()
	switch {
	case !a.OK(), err == nil && refused:
		return nil, x.refused(a, refusal, err)
	case err != nil:
		return nil, x.unusable(a, err)
	}
	tok, err := m.Token(x.sent, a.Received, x.dpop != nil)
	if err != nil {
		return nil, x.unusable(a, err)
	}
	x.recent.Token(tok.AccessToken)
	return tok, nil
}

// refused is an answer that says why there is no token. broken is why its body could not be read, if so.
func (x *exchange) refused(a tokenresponse.Response, refusal tokenresponse.Refusal, broken error) *Error {
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
	e = x.failed(e)
	e.Hint, e.Err = x.hint(e, a, broken, x.redactor())
	// RFC 9449, section 8; a nonce also stands in for a clock that is wrong.
	if x.nonce && (e.Code == UseDPoPNonce || e.Code == InvalidDPoPProof) {
		e.outlook = outlook.NonceOnly
	}
	return e
}

// unusable is an answer that ought to bring a token and does not.
func (x *exchange) unusable(a tokenresponse.Response, err error) *Error {
	e := &Error{StatusCode: a.Status, RetryAfter: a.RetryAfter(), Err: err, outlook: outlook.Unclear}
	switch cause := err.(type) {
	case tokenresponse.Unreadable:
		cause.Media, cause.Title = x.redactor().Clean(cause.Media), ""
		e.Err = cause
		if cause.HTML {
			e.outlook, e.Hint, e.misplaced = outlook.Settled, "check "+x.endpoint.Setting(), true
		}
	case tokenresponse.UnknownType:
		cause.Name = x.redactor().Clean(cause.Name)
		e.Err, e.outlook, e.Hint = cause, outlook.Settled, "have the server issue Bearer tokens, or DPoP tokens and set DPoPKey"
	}
	switch {
	case err == tokenresponse.ErrNotBound:
		e.outlook, e.Hint = outlook.Settled, "enable DPoP for this client at the server, or remove Config.DPoPKey"
	case err == tokenresponse.ErrNeedsKey:
		e.outlook, e.Hint = outlook.Settled, "set Config.DPoPKey"
	case errors.Is(err, tokenresponse.ErrExpired):
		e.Err = expired{err}
	}
	return x.failed(e)
}

// An expired error is a [tokenresponse.ErrExpired] that errors.Is also finds as [ErrExpired]. The two have one text.
type expired struct{ error }

func (e expired) Unwrap() error { return e.error }

func (e expired) Is(target error) bool { return target == ErrExpired }

// unauthenticated is a request for which no credentials could be had. The source of a secret may have more to say
// later, so it is no settled matter.
func (x *exchange) unauthenticated(err error) *Error {
	if source, ok := errors.AsType[*unproven](err); ok {
		x.credentials.secret = source.state // which the error may repeat
	}
	e := x.failed(&Error{Err: fmt.Errorf("client authentication: %w", err), outlook: outlook.Unclear, unasked: true})
	if source, ok := errors.AsType[interface {
		error
		Outdated(context.Context) bool
	}](err); ok {
		e.outdated = source.Outdated
	}
	return e
}

// unsendable is a request that cannot be made, for its URL is none.
func (x *exchange) unsendable(err error) *Error {
	return x.failed(&Error{Err: withoutURL(err), outlook: outlook.Settled, unasked: true})
}

// unreachable is a request to which no whole answer came. What the error is of is asked before anything is taken out of
// it.
func (x *exchange) unreachable(ctx context.Context, err error) *Error {
	o, hint := x.link.Judge(err, link.Request{Setting: x.endpoint.Setting(), Plain: x.endpoint.Plain(), Asked: x.asked})
	err = withoutURL(err)
	if refusal := connections.ProxyRefusalIn(err); refusal != nil {
		err = refusal // by name
	}
	e := &Error{Err: err, Hint: hint, outlook: cmp.Or(o, outlook.Passing)}
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		e.Err = fmt.Errorf("no answer in time: %w", err)
	}
	return x.failed(e)
}

// withoutURL returns err without its URL: a query may hold a key.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// failed completes e with who asked whom, and takes out what must not show.
func (x *exchange) failed(e *Error) *Error {
	r := x.redactor()
	e.client, e.host = x.clientID, x.endpoint.Host()
	if x.endpoint.Issuer != "" {
		e.host = r.Clean(e.host) // the server's word
	}
	m, used := x.credentials.method, x.credentials.used // not the credentials themselves
	e.outdated = func(ctx context.Context) bool { return m.rotated(ctx, used) }
	conceal(e, r)
	return e
}

// redactor hides what is secret in the request, in its response so far, and in those before, which a server may repeat
// as well; and the token that is held.
func (x *exchange) redactor() *redact.Redactor {
	all := x.recent.All()
	all = append(all, x.credentials.secrets()...)
	all = append(all, x.proof)
	all = append(all, x.received...)
	all = append(all, redact.SecretValues(x.form)...)
	all = append(all, redact.SecretValues(x.header)...)
	if u, err := url.Parse(x.endpoint.URL); err == nil {
		all = append(all, redact.SecretValues(u.Query())...)
	}
	return redact.New(append(all, textOf(x.held))...)
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

// concealed returns err as it may be shown, for what goes wrong outside of an exchange: without what was secret in
// those before, or more.
func (x *exchanger) concealed(err error, more ...string) error {
	return redact.New(slices.Concat(x.recent.All(), redact.SecretValues(x.header), more)...).Scrub(err)
}

// concealEarly is conceal for an error before the first exchange.
func (x *exchanger) concealEarly(ctx context.Context, e *Error) *Error {
	known := []string{textOf(heldOf(ctx)), x.firstSecret(ctx)}
	conceal(e, redact.New(slices.Concat(x.recent.All(), redact.SecretValues(x.header), known)...))
	return e
}

// firstSecret returns the secret, for an error before the first exchange: a server may repeat what another client sent.
func (x *exchanger) firstSecret(ctx context.Context) string {
	m, ok := x.auth.(*method)
	if !ok || m.current == nil || ctx.Err() != nil || len(x.recent.All()) > 0 {
		return ""
	}
	secret, err := m.current(ctx)
	if err != nil {
		return ""
	}
	return secret
}
