package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A contestant gets tokens, keeps them and spends them.
type contestant interface {
	Token(ctx context.Context) (*oauth2.Token, error)
	Transport(base http.RoundTripper) http.RoundTripper
	For(scope string) contestant // the same client for another scope
	Close()
}

// An entrant makes contestants: each run of a workload has a new one.
type entrant struct {
	name  string
	enter func(arena) contestant
}

// An arena is the world as a contestant sees it.
type arena struct {
	server http.RoundTripper // leads to the token endpoint
	life   time.Duration     // of its tokens
}

const tokenURL = "https://as.example/token"

var (
	ours    = entrant{"ours", enterOurs}
	xoauth2 = entrant{"x/oauth2", enterXOAuth2}
	floor   = entrant{"floor", enterFloor}
)

// The library, with nothing but its defaults.
type library struct{ client *ccclient.Client }

func enterOurs(a arena) contestant {
	client, err := ccclient.New(ccclient.Config{
		TokenURL:   tokenURL,
		ClientID:   cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: a.server},
	})
	must(err)
	return library{client}
}

func (l library) Token(ctx context.Context) (*oauth2.Token, error)   { return l.client.Token(ctx) }
func (l library) Transport(base http.RoundTripper) http.RoundTripper { return l.client.Transport(base) }
func (l library) Close()                                             { l.client.Close() }
func (l library) For(scope string) contestant {
	return library{l.client.For(ccclient.Target{Scopes: []string{scope}})}
}

// xmargin is how long before the expiry x/oauth2 takes a token for expired.
const xmargin = 10 * time.Second

// x/oauth2 with the authentication method told, so that it need not probe, and
// for several scopes what its users write: a map of token sources.
type xclient struct {
	arena  arena
	source oauth2.TokenSource
	keys   sync.Map // of *xclient, by scope
}

func enterXOAuth2(a arena) contestant { return newXClient(a) }

func newXClient(a arena, scopes ...string) *xclient {
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: a.server})
	config := &clientcredentials.Config{
		ClientID:     cctest.DefaultClientID,
		ClientSecret: cctest.DefaultClientSecret,
		TokenURL:     tokenURL,
		AuthStyle:    oauth2.AuthStyleInHeader,
		Scopes:       scopes,
	}
	source := config.TokenSource(ctx)
	if a.life <= xmargin {
		// As it comes it would ask for a token at each call. In its favour,
		// it gets the margin that the library has: a tenth.
		source = oauth2.ReuseTokenSourceWithExpiry(nil, source, a.life/10)
	}
	return &xclient{arena: a, source: source}
}

func (x *xclient) Token(context.Context) (*oauth2.Token, error) { return x.source.Token() }
func (x *xclient) Close()                                       {}
func (x *xclient) Transport(base http.RoundTripper) http.RoundTripper {
	return &oauth2.Transport{Source: x.source, Base: base}
}

func (x *xclient) For(scope string) contestant {
	if key, ok := x.keys.Load(scope); ok {
		return key.(*xclient)
	}
	key, _ := x.keys.LoadOrStore(scope, newXClient(x.arena, scope))
	return key.(*xclient)
}

// least is what nothing that knows of an expiry and leaves requests alone can
// undercut: an atomic load, time.Now and a comparison; a shallow copy of the
// request and its header. It never renews its token.
type least struct {
	arena arena
	held  atomic.Pointer[held]

	mu   sync.Mutex // guards keys
	keys map[string]*least
}

type held struct {
	token  *oauth2.Token
	header []string
	expiry time.Time
}

func enterFloor(a arena) contestant { return newLeast(a) }

func newLeast(a arena, scopes ...string) *least {
	token, err := newXClient(a, scopes...).source.Token()
	must(err)
	l := &least{arena: a, keys: make(map[string]*least)}
	l.held.Store(&held{token, []string{"Bearer " + token.AccessToken}, token.Expiry})
	return l
}

func (l *least) current() (*held, error) {
	h := l.held.Load()
	if !time.Now().Before(h.expiry) {
		return nil, errors.New("the token has expired")
	}
	return h, nil
}

func (l *least) Token(context.Context) (*oauth2.Token, error) {
	h, err := l.current()
	if err != nil {
		return nil, err
	}
	return h.token, nil
}

func (l *least) Close() {}

func (l *least) For(scope string) contestant {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := l.keys[scope]
	if key == nil {
		key = newLeast(l.arena, scope)
		l.keys[scope] = key
	}
	return key
}

func (l *least) Transport(base http.RoundTripper) http.RoundTripper { return leastTransport{l, base} }

type leastTransport struct {
	*least
	base http.RoundTripper
}

func (t leastTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	h, err := t.current()
	if err != nil {
		return nil, err
	}
	out := new(http.Request)
	*out = *req
	out.Header = maps.Clone(req.Header)
	out.Header["Authorization"] = h.header
	return t.base.RoundTrip(out)
}

// must ends the program for what cannot go wrong unless the program is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
