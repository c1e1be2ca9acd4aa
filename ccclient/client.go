package ccclient

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/cachekey"
	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/memo"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/transport"
)

// ErrClosed is the error of Token and Refresh after Close.
var ErrClosed = cache.ErrClosed

// A Client gets tokens for one client of one authorization server, keeps them, and spends them. It is safe for
// concurrent use; [New] makes one. Make one per process and configuration, and Close it at the end.
//
// Each Client holds one token: from memory while it is fresh, renewed in the background before it expires, and shared
// by all callers. [Client.For] returns clients for other tokens of the same registration.
type Client struct {
	holder holder // keeps the token

	// What may lead to a secret is behind functions: there are printers that follow pointers, and fields of any name.
	registered func() *registration // shared with all clients that For makes of this one
	target     Target               // what the token is for, but for EndpointParams; nothing is inherited any more
	extra      func() extra         // nil: none of it
	news       newsOf               // of the requests for the token
}

// An extra is what few clients have.
type extra struct {
	params url.Values // EndpointParams of the target
	stepUp *stepUp    // what the transports spend; nil: the token
}

// A registration is a client that is registered at a server: all that a Client has in common with those that For makes
// of it.
type registration struct {
	clientID    string
	server      string // where it is registered, as it is printed: the issuer, or the host of the token endpoint
	host        string // that of server, as errors have it
	key         []byte // what the cache keys of all its tokens begin with, see Config.clientKey
	secretHash  cachekey.Secrets
	stored      bool // tokens go into a Store
	auth        Auth
	exchanger   *exchanger
	certificate *clientcert.Certificate // nil: none
	dpop        *transport.DPoP         // nil: bearer tokens
	cache       *cache.Cache
	root        *Client              // the one that New returned
	self        func() *registration // returns it

	connections  *connections.Pool // the library's own; unused if Config has an HTTPClient
	uncertified  *connections.Pool // such that show no certificate; nil: those above have none, or are unused
	link         *link.Link        // what is known of what everything goes through
	httpClient   http.Client       // what everything goes through, token requests and API calls alike
	outside      http.RoundTripper // what API calls go through that may not have the token and the certificate; or nil
	allowedHosts []string
	insecureHTTP bool
	replayLimit  int64
	stepUp       bool // resources may ask for more

	derived memo.Memo[Client] // the clients that For made, by what their tokens are for
	seed    maphash.Seed      // of the hashes in it

	observer *observer

	warnedOfLocal atomic.Bool
}

// Token returns a token that can be used now: from memory, without a lock or an allocation, while it is fresh;
// otherwise it waits for a token request, which it shares with all who wait, until ctx ends. The token is shared: do
// not modify it.
//
// Its error is an [*Error], or ErrClosed, or, if ctx ended first, one in which errors.Is finds ctx's error.
//
// The token's Expiry is always set. Its Extra has what the server answered beside the fields of oauth2.Token; "scope"
// is one string, whatever the server wrote. Of more than 256 members, 64 KiB or 32 levels the rest is left out.
func (c *Client) Token(ctx context.Context) (*oauth2.Token, error) {
	tok, err := c.kept().Token(ctx)
	return tok, c.explain(ctx, err)
}

// AccessToken returns the token as a string, for whatever takes a function like this one. It is Token in all else.
func (c *Client) AccessToken(ctx context.Context) (string, error) {
	tok, err := c.Token(ctx)
	if err != nil {
		return "", err
	}
	return tok.AccessToken, nil
}

// Refresh gets a new token from the server, whatever is cached, and makes it the current one. It runs on ctx, joins no
// other request and heeds no cool-down: it is for diagnosis, and for those who know better. Use Token, whose errors it
// shares.
func (c *Client) Refresh(ctx context.Context) (*oauth2.Token, error) {
	since := time.Now()
	tok, err := c.kept().Refresh(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) && c.made() {
		return nil, c.gaveUp(&cache.GaveUp{Since: since, Last: err, Err: ctx.Err()})
	}
	return tok, c.explain(ctx, err)
}

// Invalidate says that a resource rejected a token. If that is still the current one, the next Token gets another;
// forced refreshes are spaced, so a resource that rejects everything does not cause a token request each time. Clients
// from [Client.HTTPClient] do this by themselves.
func (c *Client) Invalidate(rejected *oauth2.Token) { c.kept().Invalidate(rejected) }

// TokenSource returns an oauth2.TokenSource for whatever takes one. It keeps no context: a call waits as long as a
// token request may take, see FetchTimeout in [cache.Options].
func (c *Client) TokenSource() oauth2.TokenSource { return tokenSource{c} }

type tokenSource struct{ c *Client }

// Format prints what the Client prints.
func (s tokenSource) Format(f fmt.State, verb rune) { s.c.Format(f, verb) }

// String returns what Format prints.
func (s tokenSource) String() string { return s.c.String() }

// MarshalText returns what Format prints.
func (s tokenSource) MarshalText() ([]byte, error) { return s.c.MarshalText() }

func (s tokenSource) Token() (*oauth2.Token, error) { return s.c.Token(context.Background()) }

// HTTPClient returns an http.Client that authorizes each request with a token, and, when the server rejects that,
// gets a new one and repeats the request once. It is the caller's to modify; its connections are shared by all that
// this Client returns.
//
// It is a copy of Config.HTTPClient, with its Timeout, Jar and CheckRedirect, around whose Transport the token is
// added. Without one it has no timeout, which would cut long downloads: use the request's context.
//
// See package transport for which hosts get the token, and when a request is repeated.
func (c *Client) HTTPClient() *http.Client {
	var h http.Client
	if c.made() {
		h = c.registered().httpClient
	}
	h.Transport = c.Transport(nil)
	return &h
}

// Transport is what HTTPClient does, around a RoundTripper of the caller's. Nil means what HTTPClient goes through: the
// Transport of Config.HTTPClient, or the library's own connections with Config.TLS and Config.WrapTransport, of which
// those that show no client certificate are its Outside. The result's fields may be changed before it is used; with
// StepUp its Source and Challenged belong together, so what wraps the Source asks the one that is there.
func (c *Client) Transport(base http.RoundTripper) *transport.Transport {
	if !c.made() {
		return &transport.Transport{Source: c, Base: base}
	}
	r := c.registered()
	var outside http.RoundTripper
	if base == nil {
		base, outside = r.httpClient.Transport, r.outside
		if base = r.link.Advise(base); outside != nil {
			outside = r.link.Advise(outside)
		}
	}
	t := &transport.Transport{
		OnRejection:  r.observer.rejections(c.target.Label),
		Source:       c,
		Base:         base,
		Outside:      outside,
		AllowedHosts: slices.Clone(r.allowedHosts),
		InsecureHTTP: r.insecureHTTP,
		ReplayLimit:  r.replayLimit,
		DPoP:         r.dpop,
	}
	if s := c.extras().stepUp; s != nil {
		t.Source, t.Challenged = s, s.challenged
	}
	return t
}

// Close ends background work, also that of clients which For made, and joins it: who waits for a token gets
// [ErrClosed], token requests and discovery are cancelled. What ignores that its context has ended (a Store, an Auth, a
// RoundTripper) is waited for, 5 s for token requests and the Store and 5 s for discovery. Close may be called more
// than once; on a client that For made it does nothing.
//
// Its error is nil, but for a Client that New has not made.
func (c *Client) Close() error {
	if !c.made() {
		return errNotMade()
	}
	r := c.registered()
	if c != r.root {
		return nil
	}
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := r.cache.Close()
	r.certificate.Close(patience)
	r.exchanger.close()
	r.observer.close(patience)
	r.connections.CloseIdleConnections()
	if r.uncertified != nil {
		r.uncertified.CloseIdleConnections()
	}
	return err
}

// Format prints which client c is, at which server, and what its token is for; never a token.
func (c *Client) Format(s fmt.State, _ rune) {
	switch {
	case c == nil:
		fmt.Fprint(s, "<nil>")
	case !c.made():
		fmt.Fprint(s, "ccclient.Client{}")
	default:
		r := c.registered()
		fmt.Fprintf(s, "ccclient.Client{ClientID: %q, Server: %q, Target: %v}", r.clientID, r.server, c.goal())
	}
}

// String returns what Format prints.
func (c *Client) String() string { return fmt.Sprint(c) }

// MarshalText returns what Format prints, to encoding/json and its like.
func (c *Client) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue returns what Format prints.
func (c *Client) LogValue() slog.Value {
	if !c.made() {
		return slog.StringValue(fmt.Sprint(c))
	}
	r := c.registered()
	return slog.GroupValue(
		slog.String("client_id", r.clientID),
		slog.String("server", r.server),
		slog.Any("target", c.goal()),
	)
}

// fetch asks the server for a new token.
func (c *Client) fetch(ctx context.Context) (*oauth2.Token, error) {
	r := c.registered()
	target := c.goal()
	if err := target.validate(r.auth).Err("invalid Target"); err != nil {
		// For has no other way to tell.
		return nil, r.failed(&Error{Err: err, outlook: outlook.Settled, ofTarget: true})
	}
	ctx = withNews(withHeld(withLabel(ctx, target.Label), c.holder.Held), &c.news)
	form := target.form()
	tok, err := r.exchanger.fetch(ctx, form)
	if err == nil {
		c.noteGranted(ctx, form, tok)
	}
	return tok, err
}

// explain makes of err what callers see. It costs a cached token nothing.
func (c *Client) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return c.asError(ctx, err)
}

func (c *Client) asError(ctx context.Context, err error) error {
	gaveUp, ok := errors.AsType[*cache.GaveUp](err)
	switch {
	case !c.made():
		return err
	case ok:
		return c.gaveUp(gaveUp)
	}
	return c.registered().explain(ctx, err, textOf(c.holder.Held))
}

// goal returns what the token is for.
func (c *Client) goal() Target {
	t := c.target
	t.EndpointParams = c.extras().params
	return t
}

func (c *Client) extras() extra {
	if c.extra == nil {
		return extra{}
	}
	return c.extra()
}

// failed completes e with who asked whom.
func (r *registration) failed(e *Error) *Error {
	e.client, e.host = r.clientID, r.host
	return e
}

// sealHint is what to do where a Store's keys would have to hold a secret.
const sealHint = "wrap the Store with cache.Seal, so that its keys do not give that away"

func errNotMade() error {
	return &Error{Err: errors.New("this Client is nil or a zero value: use one made by ccclient.New")}
}
