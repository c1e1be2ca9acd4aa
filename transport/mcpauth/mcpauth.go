package mcpauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
	"github.com/ccclient/go-ccclient/transport/mcpauth/internal/protectedresource"
)

// Options say which credentials are for which authorization server.
type Options struct {
	// Client returns the client that is registered at an authorization server, for the first server of an MCP server's
	// list for which there is one. It is required. The issuer is in the words of the MCP server, who may name any
	// server in the world: compare it with those you know, and return nil and no error for all others. Never put it
	// into a Config beside a secret. An error ends the search.
	//
	// It is called at each challenge, and should return the same Client for an issuer each time.
	Client func(ctx context.Context, issuer string) (*ccclient.Client, error)

	// HTTPClient reads the MCP server's metadata; nil: http.DefaultClient. It is copied: redirects are not followed,
	// and it gets no cookies.
	HTTPClient *http.Client
}

// Handler returns the OAuthHandler for one [mcp.StreamableClientTransport]: a handler does not learn which server its
// token goes to, so each server needs one of its own, and a handler that is challenged by a second server fails.
//
// [mcp.StreamableClientTransport]: https://pkg.go.dev/github.com/modelcontextprotocol/go-sdk/mcp
func Handler(o Options) auth.OAuthHandler {
	return &handler{client: o.Client, metadata: protectedresource.NewReader(o.HTTPClient)}
}

type handler struct {
	client   func(ctx context.Context, issuer string) (*ccclient.Client, error)
	metadata *protectedresource.Reader
	current  atomic.Pointer[grant] // nil until the first challenge has been met
	slow     atomic.Bool           // a wait for a token ended without one
}

// patience is how long TokenSource waits for a token.
const patience = time.Second

// TokenSource returns what has the token for a request; it keeps no context. Without a token it returns nil: the server
// answers 401, and Authorize waits on the call's own context. The SDK, while it asks, holds up all other calls of the
// session, so the wait here is short, and there is none until a token has come.
func (h *handler) TokenSource(ctx context.Context) (oauth2.TokenSource, error) {
	g := h.current.Load()
	if g == nil {
		return nil, nil
	}
	wait := patience
	if h.slow.Load() {
		wait = 0
	}
	brief, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	_, err := g.tokens.Token(brief)
	if err == nil {
		h.slow.Store(false)
		return g.tokens.TokenSource(), nil
	}
	if _, failed := errors.AsType[*ccclient.Error](err); !failed && brief.Err() != nil && ctx.Err() == nil {
		h.slow.Store(true)
		return nil, nil
	}
	return nil, err
}

// Authorize gets what the challenge in resp, the answer to req, asks for. If there is no other token to be had than
// the one that was sent, that is an error: the SDK would send it again, and end the session when that fails.
func (h *handler) Authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	defer drain(resp)
	err := h.authorize(ctx, req, resp)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		// An error would end the session, so that no user is asked twice. Without one only the call fails: the SDK
		// repeats the request on ctx.
		h.slow.Store(true)
		return nil
	case strings.HasPrefix(err.Error(), prefix):
		return err
	}
	return fmt.Errorf("%sMCP server %q: %w", prefix, req.URL.Host, err)
}

const prefix = "ccclient: "

func (h *handler) authorize(ctx context.Context, req *http.Request, resp *http.Response) error {
	c, err := challengeOf(req, resp)
	if err != nil {
		return err
	}
	if g := h.current.Load(); g != nil && g.server != c.server {
		return fmt.Errorf("this Handler has tokens for %q: each server needs a Handler of its own", g.shown)
	}
	m, err := h.metadata.Read(ctx, req.URL, c.metadata)
	if err != nil {
		return err
	}
	if m.DPoPRequired {
		return fmt.Errorf("%w: the server takes only tokens that are bound by DPoP, which the SDK cannot send",
			transport.ErrTokenType)
	}
	issuer, client, err := h.pick(ctx, m)
	if err != nil {
		return err
	}
	if err := client.Transport(nil).Allows(req.URL); err != nil {
		return err
	}
	for {
		g := h.current.Load()
		next, err := g.meet(c, m, issuer, client)
		if err != nil {
			return err
		}
		if err := next.fetch(ctx, c); err != nil {
			return err
		}
		if next == g || h.current.CompareAndSwap(g, next) {
			return nil
		}
	}
}

// pick returns the first of a resource's authorization servers that the program has a client for.
func (h *handler) pick(ctx context.Context, m *protectedresource.Metadata) (string, *ccclient.Client, error) {
	if h.client == nil {
		return "", nil, errors.New("Options.Client is not set")
	}
	for _, issuer := range m.AuthorizationServers {
		c, err := h.client(ctx, issuer)
		if err != nil {
			return "", nil, fmt.Errorf("the client for issuer %q: %w", protectedresource.Clean(issuer), err)
		}
		if c != nil {
			return issuer, c, nil
		}
	}
	shown := make([]string, len(m.AuthorizationServers))
	for i, issuer := range m.AuthorizationServers {
		shown[i] = protectedresource.Clean(issuer)
	}
	return "", nil, fmt.Errorf("Options.Client has no client for any of the server's authorization servers, %.1000q", shown)
}

// drain lets the connection be used again.
func drain(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}
