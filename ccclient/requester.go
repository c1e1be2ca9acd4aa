package ccclient

import (
	"context"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

// A requester makes token requests for one client.
type requester struct {
	clientID string
	auth     Auth
	client   *http.Client
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

// newRequester completes r: its client is copied, its retry gets its defaults.
func newRequester(r requester) *requester {
	r.client = tokenClient(r.client)
	r.retry = r.retry.withDefaults()
	return &r
}

// tokenClient is client as token requests need it: redirects, which could take
// the credentials elsewhere, are not followed, and there are no cookies.
func tokenClient(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
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
