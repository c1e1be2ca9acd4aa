package ccclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// attempt makes one token request, with credentials and a proof of its own.
func (r *requester) attempt(ctx context.Context, ep endpoint, form url.Values) (*oauth2.Token, *failure) {
	ctx, cancel := context.WithTimeout(ctx, r.retry.AttemptTimeout)
	defer cancel()
	q := &inquiry{plain: withoutEmpty(form), methods: ep.methods, dpop: r.dpop != nil}
	if q.plain.Get("grant_type") == "" {
		q.plain.Set("grant_type", "client_credentials")
	}
	q.request = &Request{
		ClientID: r.clientID, TokenURL: ep.tokenURL, Issuer: ep.issuer,
		Form:       withoutEmpty(q.plain),
		Header:     http.Header{"Accept": {"application/json"}},
		algorithms: ep.algorithms,
	}
	if err := r.auth.Authenticate(ctx, q.request); err != nil {
		return nil, q.failure(&Error{Err: fmt.Errorf("client authentication: %w", q.redactor(nil).Scrub(err))})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ep.tokenURL, strings.NewReader(q.request.Form.Encode()))
	if err != nil {
		f := q.unreachable(ctx, ep, err)
		f.temporary, f.permanent = false, true
		return nil, f
	}
	if q.request.Header != nil {
		req.Header = q.request.Header
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if r.dpop != nil {
		if err := r.dpop.Sign(req, ""); err != nil {
			return nil, q.failure(&Error{Err: errors.Unwrap(err)}) // without the prefix
		}
	}
	q.sent = time.Now()
	resp, err := r.send(req)
	if err != nil {
		return nil, q.unreachable(ctx, ep, err)
	}
	defer resp.Body.Close()
	learned := r.dpop != nil && r.dpop.Learn(resp)
	// To the end, so that the connection is used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenresponse.MaxBytes+1))
	a := tokenresponse.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Received: time.Now()}
	if a.OK() && err != nil { // otherwise the status tells enough
		return nil, q.unreachable(ctx, ep, err)
	}
	if a.OK() && len(body) > tokenresponse.MaxBytes {
		return nil, q.unusable(a, fmt.Errorf("the answer is larger than %d bytes", tokenresponse.MaxBytes), nil)
	}
	tok, f := q.judge(a)
	if f != nil {
		// RFC 9449, section 8; a nonce also stands in for a clock that is wrong.
		f.wantsNonce = learned && (f.err.Code == UseDPoPNonce || f.err.Code == InvalidDPoPProof)
	}
	return tok, f
}

// withoutEmpty copies a form without what has no value: that counts as omitted
// (RFC 6749, section 3.2).
func withoutEmpty(form url.Values) url.Values {
	kept := make(url.Values, len(form)+3)
	for name, values := range form {
		for _, value := range values {
			if value != "" {
				kept[name] = append(kept[name], value)
			}
		}
	}
	return kept
}

const rootCAsAdvice = "if its CA is a private one, add it to RootCAs in Config.TLS"

// unreachable is the failure of a request to which no whole answer came. The
// cause stays recognisable, but for the URL: a query may hold a key.
func (q *inquiry) unreachable(ctx context.Context, ep endpoint, err error) *failure {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	err = q.redactor(nil).Scrub(err)
	f := q.failure(&Error{Err: fmt.Errorf("%s: %w", ep.host(), err)})
	f.temporary = true
	_, badCertificate := errors.AsType[x509.CertificateInvalidError](err)
	_, otherHost := errors.AsType[x509.HostnameError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	op, _ := errors.AsType[*net.OpError](err)
	switch {
	case unknownAuthority:
		f.temporary, f.permanent = false, true
		f.err.Err = fmt.Errorf("%w: %s", f.err.Err, rootCAsAdvice)
	case badCertificate, otherHost:
		f.temporary, f.permanent = false, true
	case errors.Is(err, http.ErrSchemeMismatch):
		f.temporary, f.permanent = false, true
		f.err.Err = fmt.Errorf("%w: check the scheme of TokenURL", f.err.Err)
	case op != nil && op.Op == "remote error": // a TLS alert
		f.err.Err = fmt.Errorf("%w: the server may want a client certificate, which goes into Config.TLS", f.err.Err)
	case ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded):
		f.err.Err = fmt.Errorf("%s: no answer in time: %w", ep.host(), err)
	}
	return f
}
