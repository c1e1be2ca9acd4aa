package clientcredentials

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
)

// A source keeps the token of one TokenSource or Client. It is a [transport.Source] and a [transport.Invalidator].
type source struct {
	conf    *Config
	given   *http.Client      // of the context; nil: http.DefaultClient
	api     http.RoundTripper // what API requests go through; nil: http.DefaultTransport
	current atomic.Pointer[state]
}

// A state is what a source made of its Config's fields. Another one takes its place when these have changed. Nothing
// that the client refers to may refer to it, since the client ends when it is garbage: see answers.RoundTrip.
type state struct {
	settings   settings
	err        error // what is wrong with them; the rest is not set then, but for httpClient
	client     *ccclient.Client
	spent      transport.Source // whose tokens are used: the client's, or with StepUp wider ones
	answers    *answers
	transport  *transport.Transport // for API requests
	httpClient func() *http.Client  // what they go through, as it is now
	unsaid     bool                 // a lifetime that the server does not say has no end

	lookAt atomic.Int64                 // until then (Unix ns) no request is near, and the Config is not looked at
	last   atomic.Pointer[oauth2.Token] // from client
	shown  atomic.Pointer[shown]        // last, as x/oauth2 has it
	before atomic.Pointer[predecessor]  // nil: none, or none any more
}

// A predecessor is a state that the Config has left, and its token, which is good until it expires.
type predecessor struct {
	state *state
	token *oauth2.Token
}

// shown is a token as package ccclient and as x/oauth2 has it.
type shown struct{ kept, plain *oauth2.Token }

func newSource(ctx context.Context, c *Config) *source {
	s := &source{conf: c}
	if ctx != nil {
		s.given, _ = ctx.Value(oauth2.HTTPClient).(*http.Client)
	}
	return s
}

// Token returns the token for an API request.
func (s *source) Token(ctx context.Context) (*oauth2.Token, error) {
	st, tok, err := s.token(ctx)
	if err != nil {
		return nil, err
	}
	if st.answers.misnamed(tok.AccessToken) {
		return st.plain(tok), nil // Package transport says what is wrong with its type.
	}
	return tok, nil
}

// Invalidate says that an API rejected a token.
func (s *source) Invalidate(rejected *oauth2.Token) {
	st := s.current.Load()
	if p := st.before.Load(); p != nil && rejected != nil && p.token.AccessToken == rejected.AccessToken {
		st.before.CompareAndSwap(p, nil)
	}
	st.lookAt.Store(0)
	if spent, ok := st.spent.(transport.Invalidator); ok {
		spent.Invalidate(rejected)
	}
}

// token returns a token that can be used now, as package ccclient has it, and the state that it is of.
func (s *source) token(ctx context.Context) (*state, *oauth2.Token, error) {
	now := time.Now()
	st := s.current.Load()
	if now.UnixNano() >= st.lookAt.Load() {
		st = s.look()
	}
	if p := st.before.Load(); p != nil {
		if time.Until(p.token.Expiry) > predecessorMargin {
			return p.state, p.token, nil
		}
		st.before.CompareAndSwap(p, nil)
	}
	if st.err != nil {
		return st, nil, st.err
	}
	tok, err := st.spent.Token(ctx)
	if err != nil {
		st.lookAt.Store(0)
		return st, nil, st.answers.explain(err)
	}
	if st.last.Load() != tok {
		st.last.Store(tok)
		// The first half of a life is before any refresh ahead.
		st.lookAt.Store(now.Add(tok.Expiry.Sub(now) / 2).UnixNano())
	}
	return st, tok, nil
}

// predecessorMargin is how long before its expiry the token of a Config that has changed is given up, as in x/oauth2.
const predecessorMargin = 10 * time.Second

// look returns the state of what the Config holds now. It runs on the goroutine of the caller, who may change the
// Config afterwards, and never on one of the library's.
func (s *source) look() *state {
	old := s.current.Load()
	st := old
	if old == nil || !old.settings.equal(s.conf) {
		st = s.build()
		if old != nil {
			st.before.Store(old.before.Load())
			if tok := old.last.Load(); tok != nil {
				st.before.Store(&predecessor{old, tok})
			}
		}
		if !s.current.CompareAndSwap(old, st) {
			st = s.current.Load() // Somebody else has just looked.
		}
	}
	if st.answers.own == nil {
		st.answers.through.Store(&through{sender(st.httpClient().Transport, s)})
	}
	return st
}

// sender returns what t stands for in an http.Client that sends token requests of s: never the very transport that
// waits for them.
func sender(t http.RoundTripper, s *source) http.RoundTripper {
	if own, ok := t.(*roundTripper); ok && own.source == s {
		t = s.api
	}
	if t == nil {
		return http.DefaultTransport
	}
	return t
}

// plain returns tok as x/oauth2 has it. A token that came out of a Store is as package ccclient has it: what the server
// wrote is not known.
func (st *state) plain(tok *oauth2.Token) *oauth2.Token {
	if s := st.shown.Load(); s != nil && s.kept == tok {
		return s.plain
	}
	plain := tok
	if a := st.answers.of(tok.AccessToken); a != nil {
		plain = a.token(tok, st.unsaid)
	}
	st.shown.Store(&shown{tok, plain})
	return plain
}

// A base sends what a source has authorized.
type base struct{ source *source }

func (b *base) RoundTrip(req *http.Request) (*http.Response, error) {
	return b.sender().RoundTrip(req)
}

func (b *base) CloseIdleConnections() {
	if t, ok := b.sender().(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (b *base) sender() http.RoundTripper {
	if b.source.api == nil {
		return http.DefaultTransport
	}
	return b.source.api
}

// A roundTripper authorizes API requests with the tokens of a source.
type roundTripper struct{ source *source }

// RoundTrip sends req with a token, see [transport.Transport].
func (t *roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	st := t.source.current.Load()
	if st.err != nil {
		if st = t.source.look(); st.err != nil {
			if req.Body != nil {
				req.Body.Close()
			}
			return nil, st.err
		}
	}
	return st.transport.RoundTrip(req)
}

// CloseIdleConnections closes those of what API requests go through.
func (t *roundTripper) CloseIdleConnections() {
	if st := t.source.current.Load(); st.transport != nil {
		st.transport.CloseIdleConnections()
	}
}

// Format prints nothing of the token.
func (t *roundTripper) Format(s fmt.State, _ rune) {
	fmt.Fprint(s, "clientcredentials.Client's Transport")
}
