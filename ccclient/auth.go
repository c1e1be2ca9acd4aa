package ccclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/ccclient/go-ccclient/internal/fingerprint"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// An Auth proves to the authorization server who the client is. It is asked for each attempt at a token request, so
// that what may be used only once (an assertion's jti) is new each time, and must be safe for concurrent use.
//
// A request carries exactly one method (RFC 6749, section 2.3). The methods are named as they are registered with
// IANA:
//
//	ClientSecretBasic            client_secret_basic
//	ClientSecretBasicUnencoded   the same, for servers that do not decode
//	ClientSecretPost             client_secret_post
//	ClientSecretJWT              client_secret_jwt
//	PrivateKeyJWT                private_key_jwt
//	ClientAssertion              private_key_jwt, signed by somebody else
//	TLSClientAuth                tls_client_auth, self_signed_tls_client_auth
//
// [AuthByName] chooses one of them by that name. An [AuthFunc] is any other, and may wrap one of these.
//
// An Auth of the user's own must not choose by its context for whom it asks, a tenant for instance: tokens are cached,
// and what one caller's context chose would be handed to all. Give each tenant a Client, or [Client.For] a parameter.
// Nor is it known what tells the tokens of such an Auth from those of another: they go into no Store, unless the Auth
// has a method
//
//	Identity() string
//
// whose result, not secret, becomes part of the cache key: Auths of one type with equal identities, at the same server
// and with the same client id, share their tokens. New calls it once. An empty identity is none.
type Auth interface {
	// Authenticate returns what proves that r comes from the client. It is a function of r: what it does to r's map and
	// slice has no effect. An error fails the attempt.
	Authenticate(ctx context.Context, r Request) (Credentials, error)
}

// An AuthFunc is an Auth of the user's own. It may wrap one of the library's methods and add to the Credentials that
// it got, whose maps are never nil; returned as they are otherwise, these still know which secret they were made with,
// so that a rotation ends a cool-down.
//
// Its tokens go into no Store: see [Auth], also for what it must not do.
type AuthFunc func(ctx context.Context, r Request) (Credentials, error)

// Authenticate calls f. A nil f is an error.
func (f AuthFunc) Authenticate(ctx context.Context, r Request) (Credentials, error) {
	if f == nil {
		return Credentials{}, errNilAuthFunc
	}
	return f(ctx, r)
}

var errNilAuthFunc = errors.New("a nil AuthFunc cannot authenticate")

// A Request is what an [Auth] is to authenticate: a copy, which it may change without effect. However it is printed,
// logged or encoded, the values in Form and the query of TokenURL, which may be secret, do not show.
type Request struct {
	ClientID   string     // who asks
	TokenURL   string     // where the request goes
	Issuer     string     // the server's issuer identifier; empty if not known
	Form       url.Values // the parameters so far, grant_type among them; never nil
	Algorithms []string   // that the server lists for signed assertions; nil if it lists none
}

// String returns r without the values in Form.
func (r Request) String() string {
	return fmt.Sprintf("ccclient.Request{ClientID: %q, TokenURL: %q, Issuer: %q, Form: %q, Algorithms: %q}",
		r.ClientID, redact.WithoutQuery(r.TokenURL), redact.WithoutQuery(r.Issuer), redact.Names(r.Form), r.Algorithms)
}

// Format prints what String returns, whatever the verb.
func (r Request) Format(s fmt.State, _ rune) { io.WriteString(s, r.String()) }

// MarshalText returns what String returns, to encoding/json and its like.
func (r Request) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// LogValue returns what String returns, as attributes.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("client_id", r.ClientID),
		slog.String("token_url", redact.WithoutQuery(r.TokenURL)),
		slog.String("issuer", redact.WithoutQuery(r.Issuer)),
		slog.Any("form", redact.Names(r.Form)),
		slog.Any("algorithms", r.Algorithms),
	)
}

// Credentials prove who the client is: parameters and header fields that go with the token request, in place of any
// that it has by the same name. Every value but those of client_id and client_assertion_type counts as secret, and
// "[redacted]" stands for it wherever a server or an error repeats it. However Credentials are printed, logged or
// encoded, their values do not show.
type Credentials struct {
	Form   url.Values
	Header http.Header

	// What one of the library's methods knows of how they came about; zero for others.
	method *method
	used   fingerprint.Print // of what it used, should that rotate
	secret func() string     // the shared secret itself, where Form and Header do not hold it
}

// String returns the names in c, without the values.
func (c Credentials) String() string {
	return fmt.Sprintf("ccclient.Credentials{Form: %q, Header: %q}", redact.Names(c.Form), redact.Names(c.Header))
}

// Format prints what String returns, whatever the verb.
func (c Credentials) Format(s fmt.State, _ rune) { io.WriteString(s, c.String()) }

// MarshalText returns what String returns, to encoding/json and its like.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue returns what String returns, as attributes.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("form", redact.Names(c.Form)), slog.Any("header", redact.Names(c.Header)))
}

// facts are what there is to know of an Auth beside how it authenticates.
type facts struct {
	name        string   // as it is printed: IANA's, if it is registered
	listed      []string // names of which a server's metadata must list one; none: it is not looked for
	parameters  []string // that it adds to the form
	certificate bool     // it takes a client certificate
	signs       bool     // it signs assertions, as AssertionOptions say
	remedy      string   // what to do when the server refuses the client
	identity    []string // what of it shapes a token, for the cache key; nothing secret. Empty: unknown
	fault       error    // what is wrong with its configuration, for New to report
}

// foreign are the facts of Credentials that no method of the library made.
var foreign = facts{
	parameters: []string{"client_secret", "client_assertion", "client_assertion_type"},
	remedy:     "check ClientID and what Auth adds",
}

// factsOf returns the facts of a, which may be nil. Nothing else looks at what an Auth is.
func factsOf(a Auth) facts {
	f := foreign
	f.name = fmt.Sprintf("%T", a)
	switch a := a.(type) {
	case *method:
		return a.facts
	case AuthFunc:
		if a == nil {
			f.fault = errNilAuthFunc
		}
	}
	return f
}

// identityOf returns what of a goes into the cache key: nothing if that does not tell all its tokens apart, so that
// they must not go into a Store.
func identityOf(a Auth) (identity []string, err error) {
	own, ok := a.(interface{ Identity() string })
	if !ok {
		return factsOf(a).identity, nil
	}
	defer func() {
		if recover() != nil { // with a value that may hold a secret
			identity, err = nil, fmt.Errorf("the method Identity of %T panicked", a)
		}
	}()
	if id := own.Identity(); id != "" {
		identity = []string{"", fmt.Sprintf("%T", a), id} // "" is no method of the library
	}
	return identity, nil
}

// A method is an Auth of this package's own. Everything that is secret lives in its closures: fmt prints struct fields
// past any String method.
type method struct {
	facts

	// prove returns the credentials, and the state of what it made them with: a secret or a public key, empty if
	// there was none to be had, or none that rotates. The state comes with an error too.
	prove func(ctx context.Context, r Request) (c Credentials, state string, err error)

	// current returns the state that prove would use now. Nil where nothing rotates.
	current func(ctx context.Context) (string, error)
}

// newMethod returns a method whose tokens are told apart by its name and f.identity.
func newMethod(f facts) *method {
	f.identity = append([]string{f.name}, f.identity...)
	return &method{facts: f}
}

// Authenticate returns what proves the client, in maps that are not nil.
func (m *method) Authenticate(ctx context.Context, r Request) (Credentials, error) {
	if m.fault != nil {
		return Credentials{}, m.fault
	}
	c, state, err := m.prove(ctx, r)
	var used fingerprint.Print
	if state != "" {
		used = fingerprint.Of(state)
	}
	if err != nil {
		return Credentials{}, &unproven{
			error:    err,
			outdated: func(ctx context.Context) bool { return m.rotated(ctx, used) },
			state:    func() string { return state },
		}
	}
	if c.Form == nil {
		c.Form = make(url.Values)
	}
	if c.Header == nil {
		c.Header = make(http.Header)
	}
	c.method, c.used = m, used
	return c, nil
}

// String returns the method's name.
func (m *method) String() string { return m.name }

// rotated reports whether m would use another secret or key now than the one with the fingerprint used. A zero
// fingerprint stands for one that could not be had: any is another. No answer is no change.
func (m *method) rotated(ctx context.Context, used fingerprint.Print) bool {
	if m == nil || m.current == nil {
		return false
	}
	state, err := m.current(ctx)
	return err == nil && fingerprint.Of(state) != used
}

// An unproven error is why a method made no credentials. It is a [cache.Outdater]: what was missing may turn up.
type unproven struct {
	error
	outdated func(ctx context.Context) bool
	state    func() string // as of method.prove; it may be a secret
}

func (e *unproven) Unwrap() error { return e.error }

func (e *unproven) Outdated(ctx context.Context) bool { return e.outdated(ctx) }

// facts returns those of the method that made c.
func (c Credentials) facts() facts {
	if c.method == nil {
		return foreign
	}
	return c.method.facts
}

// secrets returns what must not show of c: every value but those of client_id and client_assertion_type, and the secret
// with which they were made.
func (c Credentials) secrets() (all []string) {
	if c.secret != nil {
		all = append(all, c.secret())
	}
	for name, values := range c.Form {
		if name != "client_id" && name != "client_assertion_type" {
			all = append(all, values...)
		}
	}
	return append(all, redact.HeaderValues(c.Header)...)
}
