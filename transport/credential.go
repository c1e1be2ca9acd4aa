package transport

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/field"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// credential is a token and the header made of it. Building that costs more than the rest of a request's
// authorization, so the last one is kept for as long as the source returns the same token.
type credential struct {
	token *oauth2.Token
	value string // of the Authorization header
	hash  string // of the token, for proofs; empty without DPoP

	before string // the token before, which a server may still repeat; empty if there was none
}

// credential returns the one of tok. The last one is kept in a closure, since there are printers that follow pointers.
func (t *Transport) credential(tok *oauth2.Token) (*credential, error) {
	last := t.lastCredential()
	if last != nil && last.token == tok {
		return last, nil
	}
	if tok == nil || tok.AccessToken == "" {
		return nil, faultf("no token: the Source %T returned an empty one", t.Source)
	}
	scheme, err := t.scheme(tok)
	if err != nil {
		return nil, err
	}
	if field.IndexNotVisible(tok.AccessToken) >= 0 {
		return nil, faultf("the token holds a character that may not be in a header")
	}
	cred := &credential{token: tok, value: scheme + " " + tok.AccessToken}
	if t.DPoP != nil {
		cred.hash = tokenHash(tok.AccessToken)
	}
	if last != nil {
		cred.before = last.token.AccessToken
	}
	spent := func() *credential { return cred }
	t.last.Store(&spent)
	return cred, nil
}

// lastCredential returns the one that was spent last; nil if there is none.
func (t *Transport) lastCredential() *credential {
	if last := t.last.Load(); last != nil {
		return (*last)()
	}
	return nil
}

// scheme returns the authentication scheme for tok. The type comes from a server, so it is cleaned and quoted.
func (t *Transport) scheme(tok *oauth2.Token) (string, error) {
	switch bound := strings.EqualFold(tok.TokenType, "DPoP"); {
	case bound && t.DPoP != nil:
		return "DPoP", nil
	case bound:
		return "", fmt.Errorf("%w: it is bound by DPoP, and no DPoP key is configured", ErrTokenType)
	case t.DPoP != nil:
		return "", fmt.Errorf("%w: DPoP was asked for, the server gave %q", ErrTokenType, typeOf(tok))
	case tok.TokenType == "" || strings.EqualFold(tok.TokenType, "Bearer"):
		return "Bearer", nil
	default:
		return "", fmt.Errorf("%w: %q is neither Bearer nor DPoP", ErrTokenType, typeOf(tok))
	}
}

// typeOf returns the type of tok as it may be shown: it is a server's word, which may repeat the token.
func typeOf(tok *oauth2.Token) string { return redact.New(tok.AccessToken).Clean(tok.Type()) }

// authorized is a request with room for the one header value it adds: one allocation, and no slice that requests
// share, which a careless RoundTripper could write to. Pooling it would be unsafe: the write loop of http.Transport
// outlives RoundTrip.
type authorized struct {
	http.Request
	value [1]string
}

// authorize returns a shallow copy of req with the credential in its header, and without what of own is empty. What is
// not the header map is shared with req, as no RoundTripper may modify it.
func (c *credential) authorize(req *http.Request, own fields) *http.Request {
	out := &authorized{Request: *req, value: [1]string{c.value}}
	if out.Header = maps.Clone(req.Header); out.Header == nil {
		out.Header = make(http.Header, 2)
	}
	if own.empty > 0 {
		deleteEmpty(out.Header)
	}
	out.Header["Authorization"] = out.value[:]
	return &out.Request
}

// redactor hides what is secret in the header of out, and the last tokens.
func (t *Transport) redactor(out *http.Request) *redact.Redactor {
	//lint:ignore SA1008 A caller may have written the name as the RFC does.
	secrets := slices.Concat(out.Header["Dpop"], out.Header["DPoP"])
	for _, value := range out.Header["Authorization"] {
		_, token, _ := strings.Cut(value, " ")
		secrets = append(secrets, token)
	}
	if last := t.lastCredential(); last != nil {
		secrets = append(secrets, last.token.AccessToken, last.before)
	}
	return redact.New(secrets...)
}
