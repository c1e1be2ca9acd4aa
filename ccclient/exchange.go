package ccclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/field"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
	"github.com/ccclient/go-ccclient/transport"
)

// clientCredentials is the grant type where EndpointParams set no other.
const clientCredentials = "client_credentials"

// An exchanger makes token requests for one client. Each is an [exchange]; fetch makes as many as it may take.
type exchanger struct {
	clientID  string
	endpoints endpoints // where the requests go
	auth      Auth
	header    http.Header  // of every request: Config.EndpointHeader
	client    *http.Client // its Transport and Timeout count
	retry     Retry
	dpop      *transport.DPoP // nil: bearer tokens
	link      *link.Link      // what is known of the client's connections; nil: of those without a Config
	observer  *observer       // who hears of attempts
	recent    *redact.Recent
}

// newExchanger completes x.
func newExchanger(x exchanger) *exchanger {
	x.header = field.Canonical(x.header)
	x.recent = new(redact.Recent)
	x.retry = x.retry.withDefaults()
	if x.observer == nil {
		x.observer = new(observer)
	}
	if x.link == nil {
		x.link = link.New(nil, nil, nil)
	}
	if x.client.Timeout > 0 {
		x.retry.AttemptTimeout = min(x.retry.AttemptTimeout, x.client.Timeout)
	}
	return &x
}

// close ends what x does in the background, and joins it.
func (x *exchanger) close() { x.endpoints.close() }

// An exchange is one token request, as it was sent, and what its answer is interpreted by.
type exchange struct {
	*exchanger
	endpoint    endpoint.Endpoint
	form        url.Values           // what is asked for
	credentials Credentials          // who asks
	held        func() *oauth2.Token // what the new token is to replace; nil: nothing
	proof       string               // of possession, by DPoP
	sent        time.Time
	received    []string // tokens in the answer
	nonce       bool     // the answer brought a new DPoP nonce
	asked       bool     // the server asked for a client certificate, in a handshake that this request needed
}

// exchange makes a token request to ep, with credentials and a proof of its own, and interprets the answer.
func (x *exchanger) exchange(ctx context.Context, ep endpoint.Endpoint, form url.Values) (*oauth2.Token, *Error) {
	ctx, cancel := context.WithTimeout(ctx, x.retry.AttemptTimeout)
	defer cancel()
	ex := &exchange{exchanger: x, endpoint: ep, form: withoutEmpty(form), held: heldOf(ctx)}
	if ex.form.Get("grant_type") == "" {
		ex.form.Set("grant_type", clientCredentials)
	}
	req, e := ex.prepare(ctx)
	if e != nil {
		return nil, e
	}
	a, e := ex.post(req)
	if e != nil {
		return nil, e
	}
	return ex.interpret(a)
}

// prepare authenticates the request and makes its HTTP request.
func (ex *exchange) prepare(ctx context.Context) (*http.Request, *Error) {
	var err error
	ex.credentials, err = ex.auth.Authenticate(ctx, Request{
		ClientID: ex.clientID, TokenURL: ex.endpoint.URL, Issuer: ex.endpoint.Issuer,
		Form: withoutEmpty(ex.form), Algorithms: slices.Clone(ex.endpoint.Algorithms),
	})
	if err != nil {
		return nil, ex.unauthenticated(err)
	}
	ex.recent.Secrets(ex.credentials.secrets(), ex.credentials.Form["client_assertion"])
	form, header := maps.Clone(ex.form), ex.header.Clone()
	maps.Copy(form, withoutEmpty(ex.credentials.Form))
	maps.Copy(header, field.Canonical(ex.credentials.Header))
	if header.Get("Accept") == "" {
		header.Set("Accept", "application/json")
	}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ex.endpoint.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, ex.unsendable(err)
	}
	req.Header = header
	if ex.dpop != nil {
		if err := ex.dpop.Sign(req, ""); err != nil {
			err = errors.Unwrap(err) // without the prefix
			return nil, ex.failed(&Error{Err: err, outlook: outlook.Unclear, unasked: true})
		}
		ex.proof = req.Header.Get("DPoP")
	}
	return req, nil
}

// post sends the request and reads the whole answer.
func (ex *exchange) post(req *http.Request) (tokenresponse.Response, *Error) {
	ctx, handshake := ex.link.Watch(req.Context())
	ex.sent = time.Now()
	resp, err := ex.send(req.WithContext(ctx))
	ex.link.Note(ex.endpoint.Host(), handshake)
	ex.asked, _ = handshake.Asked()
	if err != nil {
		return tokenresponse.Response{}, ex.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	noteClock(ctx, resp.Header, ex.sent)
	ex.nonce = ex.dpop != nil && ex.dpop.Learn(resp)
	// To the end, so that the connection is used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenresponse.MaxBytes+1))
	a := tokenresponse.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Received: time.Now()}
	switch {
	case !a.OK(): // the status tells enough
	case err != nil:
		return a, ex.unreachable(ctx, err)
	case len(body) > tokenresponse.MaxBytes:
		return a, ex.unusable(a, fmt.Errorf("the answer is larger than %d bytes", tokenresponse.MaxBytes))
	}
	return a, nil
}

// send goes to the client's transport, past the client, which would look at redirects and cookies: a redirect could
// take the credentials elsewhere, and is never followed.
func (x *exchanger) send(req *http.Request) (*http.Response, error) {
	t := x.client.Transport
	if t == nil {
		t = http.DefaultTransport
	}
	resp, err := t.RoundTrip(req)
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(record.RecordHeader[:]) == "HTTP/" {
		return nil, http.ErrSchemeMismatch // without the connection that the other holds
	}
	if err != nil {
		return nil, err
	}
	if resp == nil {
		return nil, fmt.Errorf("the RoundTripper %T returned neither a response nor an error", t)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp.Request == nil {
		resp.Request = req
	}
	return resp, nil
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

// withoutEmpty copies a form without what has no value: that counts as omitted (RFC 6749, section 3.2).
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

// heldKey is for a func that returns the token that a token request is to replace.
type heldKey struct{}

// withHeld returns a context for the request that replaces what held returns, which may be nil.
func withHeld(ctx context.Context, held func() *oauth2.Token) context.Context {
	return context.WithValue(ctx, heldKey{}, held)
}

func heldOf(ctx context.Context) func() *oauth2.Token {
	held, _ := ctx.Value(heldKey{}).(func() *oauth2.Token)
	return held
}

// textOf returns the token that held returns, if that is not nil.
func textOf(held func() *oauth2.Token) string {
	if held == nil {
		return ""
	}
	if tok := held(); tok != nil {
		return tok.AccessToken
	}
	return ""
}

// labelKey is for the Label of the Target that a token request is made for.
type labelKey struct{}

// withLabel returns a context with which a token request is told of under label, if that is not empty.
func withLabel(ctx context.Context, label string) context.Context {
	if label == "" {
		return ctx
	}
	return context.WithValue(ctx, labelKey{}, label)
}

// A clock is what answers have told of the server's.
type clock struct {
	ahead atomic.Int64 // how much the server's is ahead of this machine's; 0: it is not known
}

type clockKey struct{}

// noteClock keeps what an answer's Date (RFC 9110, section 6.6.1) tells of the server's clock, for whoever checks it.
func noteClock(ctx context.Context, header http.Header, sent time.Time) {
	c, ok := ctx.Value(clockKey{}).(*clock)
	if !ok {
		return
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		c.ahead.Store(int64(date.Sub(sent.Add(time.Since(sent) / 2))))
	}
}
