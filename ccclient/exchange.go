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

// An exchanger makes token requests for one client. One attempt is an [exchange]; fetch makes as many as it may take.
type exchanger struct {
	clientID string
	auth     Auth
	header   http.Header  // of every request: Config.EndpointHeader
	client   *http.Client // its Transport and Timeout count
	retry    Retry
	dpop     *transport.DPoP // nil: bearer tokens
	link     *link.Link      // what is known of the client's connections; nil: of those without a Config
	observer *observer       // who hears of attempts
	recent   *redact.Recent
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

// attempt makes one exchange: it prepares a token request, with credentials and a proof of its own, posts it and
// interprets the answer.
func (x *exchanger) attempt(ctx context.Context, ep endpoint.Endpoint, form url.Values) (*oauth2.Token, *Error) {
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
func (x *exchange) prepare(ctx context.Context) (*http.Request, *Error) {
	var err error
	x.credentials, err = x.auth.Authenticate(ctx, Request{
		ClientID: x.clientID, TokenURL: x.endpoint.URL, Issuer: x.endpoint.Issuer,
		Form: withoutEmpty(x.form), Algorithms: slices.Clone(x.endpoint.Algorithms),
	})
	if err != nil {
		return nil, x.unauthenticated(err)
	}
	x.recent.Secrets(x.credentials.secrets(), x.credentials.Form["client_assertion"])
	form, header := maps.Clone(x.form), x.header.Clone()
	maps.Copy(form, withoutEmpty(x.credentials.Form))
	maps.Copy(header, field.Canonical(x.credentials.Header))
	if header.Get("Accept") == "" {
		header.Set("Accept", "application/json")
	}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.endpoint.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, x.unsendable(err)
	}
	req.Header = header
	if x.dpop != nil {
		if err := x.dpop.Sign(req, ""); err != nil {
			err = errors.Unwrap(err) // without the prefix
			return nil, x.failed(&Error{Err: err, outlook: outlook.Unclear, unasked: true})
		}
	}
	return req, nil
}

// post sends the request and reads the whole answer.
func (x *exchange) post(req *http.Request) (tokenresponse.Response, *Error) {
	ctx, handshake := x.link.Watch(req.Context())
	x.sent = time.Now()
	resp, err := x.send(req.WithContext(ctx))
	x.link.Note(x.endpoint.Host(), handshake)
	x.asked, _ = handshake.Asked()
	if err != nil {
		return tokenresponse.Response{}, x.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	x.nonce = x.dpop != nil && x.dpop.Learn(resp)
	// To the end, so that the connection is used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenresponse.MaxBytes+1))
	a := tokenresponse.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Received: time.Now()}
	switch {
	case !a.OK(): // the status tells enough
	case err != nil:
		return a, x.unreachable(ctx, err)
	case len(body) > tokenresponse.MaxBytes:
		return a, x.unusable(a, fmt.Errorf("the answer is larger than %d bytes", tokenresponse.MaxBytes))
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
