// Package clientcredentials has the API of [golang.org/x/oauth2/clientcredentials], so that a program moves in by one
// changed import. Behind it is package ccclient: tokens are refreshed ahead of their expiry, failures cool down, a
// request that the API rejects with 401 is sent once more with another token, and no redirect takes a token or a secret
// elsewhere. Config.Configure sets whatever else package ccclient can do.
//
// docs/moving-in.md lists every difference that is meant, with its test. New programs use package ccclient itself.
package clientcredentials

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// A Config describes a client and the server that it gets tokens from. It may be copied. Its fields may be changed
// while no method of it and of what it made is running: a token request uses what they hold when it becomes necessary,
// and a token that was got before is handed out on until it expires.
type Config struct {
	// ClientID is the client identifier (RFC 6749, section 2.2).
	ClientID string

	// ClientSecret is the client's secret.
	ClientSecret string

	// TokenURL is the token endpoint: https, or http on loopback. Configure can allow http elsewhere.
	TokenURL string

	// Scopes are the scopes to ask for. None: the server's default.
	Scopes []string

	// EndpointParams are further form parameters. They may set grant_type, and not scope beside Scopes.
	EndpointParams url.Values

	// AuthStyle says how the id and the secret are sent. The zero value, [oauth2.AuthStyleAutoDetect], tries the header
	// first and the form after a refusal, and remembers what succeeded, for all copies of a Config that was in use. A
	// wrong secret is two failed logins then: set it where it is known.
	AuthStyle oauth2.AuthStyle

	// Configure, if set, is called with what the other fields amount to, and may change it: InsecureHTTP, AllowedHosts,
	// Retry, Cache, TLS, Auth and all else. It is called when a client is made, by TokenSource, Client, and Token, and
	// again after one of the fields above has changed. What it sets counts; a change of Configure itself is not
	// noticed.
	Configure func(*ccclient.Config) `json:"-" yaml:"-"`

	styles atomic.Value // of *styles, as soon as one is remembered; such a struct may be copied
}

// Token gets a token from the server, each time that it is called: see TokenSource for one that keeps it. An attempt
// that may do better is repeated, see [ccclient.Retry].
//
// ctx bounds the call, and its [oauth2.HTTPClient] makes the request. In the error errors.As finds a [*ccclient.Error],
// and an [*oauth2.RetrieveError] if the server answered.
func (c *Config) Token(ctx context.Context) (*oauth2.Token, error) {
	st := newSource(ctx, c).look()
	if st.err != nil {
		return nil, st.err
	}
	defer st.client.Close()
	tok, err := st.client.Refresh(orBackground(ctx))
	if err != nil {
		return nil, st.answers.explain(err)
	}
	return st.plain(tok), nil
}

// Client returns an HTTP client that authorizes each request with a token, which it gets, keeps and renews. A request
// waits for a token on its own context: the end of ctx is not the end of the client.
//
// The [oauth2.HTTPClient] of ctx, or else http.DefaultClient, makes the token requests, and the client is a copy of it
// around whose Transport the token is added.
func (c *Config) Client(ctx context.Context) *http.Client {
	s := newSource(ctx, c)
	base := s.look().httpClient()
	s.api = base.Transport
	return &http.Client{
		Transport:     &roundTripper{s},
		CheckRedirect: base.CheckRedirect,
		Jar:           base.Jar,
		Timeout:       base.Timeout,
	}
}

// TokenSource returns a source that keeps its token and renews it. It waits for token requests on ctx, whose
// [oauth2.HTTPClient] makes them. Errors are as those of Token.
//
// What a source runs in the background ends with it: there is nothing to close.
func (c *Config) TokenSource(ctx context.Context) oauth2.TokenSource {
	s := newSource(ctx, c)
	s.look()
	return &tokenSource{ctx: orBackground(ctx), source: s}
}

// Format prints what c is for, and never the secret; of EndpointParams the names only.
func (c Config) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// String returns what Format prints.
func (c Config) String() string {
	const format = "clientcredentials.Config{ClientID: %q, TokenURL: %q, Scopes: %q, EndpointParams: %q, AuthStyle: %d}"
	return fmt.Sprintf(format, c.ClientID, redact.WithoutQuery(c.TokenURL), c.Scopes, redact.Names(c.EndpointParams),
		int(c.AuthStyle))
}

// MarshalText returns what Format prints, to encoding/json and its like.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

type tokenSource struct {
	ctx    context.Context // x/oauth2's Token has none of its own
	source *source
}

func (t *tokenSource) Token() (*oauth2.Token, error) {
	st, tok, err := t.source.token(t.ctx)
	if err != nil {
		return nil, err
	}
	return st.plain(tok), nil
}

func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
