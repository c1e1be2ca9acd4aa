package ccclient

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/redact"
)

// redactor hides what is secret in the request, in its response so far, and in those before, which a server may repeat
// as well; and the token that is held.
func (x *exchange) redactor() *redact.Redactor {
	all := x.recent.all()
	all = append(all, x.credentials.secrets()...)
	all = append(all, x.proof)
	all = append(all, x.received...)
	all = append(all, secretValues(x.form)...)
	all = append(all, secretValues(x.header)...)
	if u, err := url.Parse(x.endpoint.tokenURL); err == nil {
		all = append(all, secretValues(u.Query())...)
	}
	return redact.New(append(all, textOf(x.held))...)
}

// conceal takes out of e what the server repeated that is secret, and what is not fit to be shown. A code is left as it
// is, or out.
func conceal(e *Error, r *redact.Redactor) {
	if !e.Code.registered() && r.Holds(string(e.Code)) {
		e.Description = cmp.Or(e.Description, string(e.Code))
		e.Code = ""
	}
	e.Description, e.URI = r.Clean(e.Description), r.Clean(e.URI)
	e.Hint = r.Hide(e.Hint)
	e.Err = r.Scrub(e.Err)
}

// A recent remembers what was secret in the last exchanges of a client. The zero recent is ready for use.
type recent struct {
	mu      sync.Mutex // guards what follows, each the latest few of its kind
	secrets []func() string
	proofs  []func() string // assertions, each of them used once
	tokens  []func() string
}

// How many are remembered: rotations are rare, and of the others it is the last that matters.
const (
	recentSecrets = 8
	recentProofs  = 4
	recentTokens  = 8
)

// credentials remembers c.
func (r *recent) credentials(c Credentials) {
	r.mu.Lock()
	defer r.mu.Unlock()
	assertion := c.Form["client_assertion"]
	for _, s := range c.secrets() {
		if slices.Contains(assertion, s) {
			remember(&r.proofs, recentProofs, s)
		} else {
			remember(&r.secrets, recentSecrets, s)
		}
	}
}

// token remembers tok.
func (r *recent) token(tok *oauth2.Token) {
	r.mu.Lock()
	defer r.mu.Unlock()
	remember(&r.tokens, recentTokens, tok.AccessToken)
}

// remember makes s the latest of list, which has most at most.
func remember(list *[]func() string, most int, s string) {
	const longest = 64 << 10
	if len(s) < redact.MinRun || len(s) > longest {
		return
	}
	if i := slices.IndexFunc(*list, func(known func() string) bool { return known() == s }); i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	} else if len(*list) == most {
		*list = slices.Delete(*list, 0, 1)
	}
	*list = append(*list, func() string { return s })
}

// all returns all that is remembered.
func (r *recent) all() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range [][]func() string{r.secrets, r.proofs, r.tokens} {
		for _, s := range list {
			all = append(all, s())
		}
	}
	return all
}

// concealed returns err as it may be shown, for what goes wrong outside of an exchange: without what was secret in
// those before, or more.
func (x *exchanger) concealed(err error, more ...string) error {
	return redact.New(slices.Concat(x.recent.all(), secretValues(x.header), more)...).Scrub(err)
}

// concealEarly is conceal for an error before the first exchange.
func (x *exchanger) concealEarly(ctx context.Context, e *Error) *Error {
	known := []string{textOf(heldOf(ctx)), x.firstSecret(ctx)}
	conceal(e, redact.New(slices.Concat(x.recent.all(), secretValues(x.header), known)...))
	return e
}

// firstSecret returns the secret, for an error before the first exchange: a server may repeat what another client sent.
func (x *exchanger) firstSecret(ctx context.Context) string {
	m, ok := x.auth.(*method)
	if !ok || m.current == nil || ctx.Err() != nil || len(x.recent.all()) > 0 {
		return ""
	}
	secret, err := m.current(ctx)
	if err != nil {
		return ""
	}
	return secret
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
	for name, values := range c.Header {
		for _, value := range values {
			if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(name, "Authorization") {
				value = rest // the scheme is a word of its own
				if strings.EqualFold(scheme, "Basic") {
					all = append(all, basicPassword(rest)...)
				}
			}
			all = append(all, value)
		}
	}
	return all
}

// basicPassword returns the password of Basic credentials, as it is and decoded.
func basicPassword(credentials string) []string {
	b, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return nil
	}
	_, password, _ := strings.Cut(string(b), ":")
	decoded, err := url.QueryUnescape(password)
	if err != nil {
		return []string{password}
	}
	return []string{password, decoded}
}

// secretValues returns the values of parameters that are likely to be secret, going by their names.
func secretValues(m map[string][]string) (all []string) {
	for name, values := range m {
		if secretName(name) {
			all = append(all, values...)
		}
	}
	return all
}

// secretName reports whether a parameter of this name is likely to hold a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"secret", "password", "token", "assertion", "key", "code"} {
		if strings.Contains(name, part) && !strings.HasSuffix(name, "_type") && !strings.HasSuffix(name, "_format") {
			return true
		}
	}
	return false
}
