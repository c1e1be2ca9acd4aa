package ccclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/seconds"
)

// interpret returns the token that an answer brings, or says what it is instead. It is a pure function of the request
// and the answer.
func (x *exchange) interpret(a answer) (*oauth2.Token, *Error) {
	m, err := a.members()
	refusal, refused := errorIn(m)
	switch {
	case a.status/100 != 2, err == nil && refused:
		return nil, x.refused(a, refusal, err, x.redactor(m))
	case err != nil:
		return nil, x.unusable(a, err, nil)
	}
	tok, err := parseToken(m, x.dpop != nil, x.sent, a.received)
	if err != nil {
		return nil, x.unusable(a, err, m)
	}
	return tok, nil
}

// refused is an answer that says why there is no token. broken is why its body could not be read, if so.
func (x *exchange) refused(a answer, refusal serverError, broken error, r *redactor) *Error {
	e := x.failed(&Error{
		Code:        ErrorCode(refusal.code),
		Description: r.clean(refusal.description),
		URI:         r.clean(refusal.uri),
		StatusCode:  a.status,
		RetryAfter:  retryAfter(a.header, a.received),
	})
	if page, ok := errors.AsType[unreadable](broken); ok {
		e.Description = r.clean(page.title)
	}
	if !e.Code.registered() {
		e.Code = ErrorCode(r.clean(refusal.code))
	}
	e.Err, e.Hint = x.hint(e, a, broken, r)
	// RFC 9449, section 8; a nonce also stands in for a clock that is wrong.
	if x.nonce && (e.Code == UseDPoPNonce || e.Code == InvalidDPoPProof) {
		e.outlook = nonceOnly
	}
	return e
}

// unusable is an answer that ought to bring a token and does not.
func (x *exchange) unusable(a answer, err error, m map[string]any) *Error {
	e := &Error{StatusCode: a.status, RetryAfter: retryAfter(a.header, a.received), outlook: unclear}
	switch cause := err.(type) {
	case unreadable:
		cause.media, cause.title = x.redactor(nil).clean(cause.media), ""
		err = cause
		if cause.html {
			e.outlook, e.Hint = settled, "check "+x.setting()
		}
	case unknownType:
		cause.name = x.redactor(m).clean(cause.name)
		err, e.outlook = cause, settled
	}
	if err == errNotBound || err == errNeedsKey {
		e.outlook = settled
	}
	e.Err = err
	return x.failed(e)
}

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
	e.Err = fmt.Errorf("client authentication: %w", x.redactor(nil).scrub(err))
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
	return x.redactor(nil).scrub(err)
}

// failed completes e with who asked whom.
func (x *exchange) failed(e *Error) *Error {
	e.client, e.host = x.clientID, x.endpoint.host()
	e.outdated = x.credentials.outdated
	return e
}

// maxRetryAfter bounds what a server may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads a Retry-After field: seconds, or a date (RFC 9110, section 10.2.3). It is 0 if there is none, or
// none to be understood.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	d, ok := seconds.Parse(value)
	if !ok {
		if t, err := http.ParseTime(value); err == nil {
			d = t.Sub(now)
		}
	}
	return min(max(d, 0), maxRetryAfter)
}
