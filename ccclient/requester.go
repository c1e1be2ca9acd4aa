package ccclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

// A requester makes token requests for one client.
type requester struct {
	clientID string
	auth     Auth
	client   *http.Client // its Transport and Timeout count
	retry    Retry
	dpop     *transport.DPoP // nil: bearer tokens
	log      logger
}

// An endpoint is where a token request goes, and what is known of the server
// there.
type endpoint struct {
	tokenURL   string
	issuer     string   // empty if not known
	algorithms []string // for assertions, if the server lists them
	methods    []string // of client authentication, if the server lists them
}

// newRequester completes r.
func newRequester(r requester) *requester {
	r.retry = r.retry.withDefaults()
	if r.client.Timeout > 0 {
		r.retry.AttemptTimeout = min(r.retry.AttemptTimeout, r.client.Timeout)
	}
	return &r
}

// send makes one HTTP request. It goes to the client's transport, past the
// client, which would look at redirects and cookies: a redirect could take the
// credentials elsewhere, and is never followed.
func (r *requester) send(req *http.Request) (*http.Response, error) {
	t := r.client.Transport
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
		return nil, fmt.Errorf("the RoundTripper %T gave neither a response nor an error", t)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp.Request == nil {
		resp.Request = req
	}
	return resp, nil
}

// fetch gets a new token from ep for what form asks. Its error is a *failure: an
// [*Error] with what the cache asks of it.
func (r *requester) fetch(ctx context.Context, ep endpoint, form url.Values) (*oauth2.Token, error) {
	tok, f := r.try(ctx, ep, form)
	if f != nil {
		return nil, f
	}
	return tok, nil
}

// host names ep in errors and logs: a token URL's query may hold a key.
func (ep endpoint) host() string {
	u, err := url.Parse(ep.tokenURL)
	if err != nil {
		return "the token endpoint"
	}
	return u.Host
}
