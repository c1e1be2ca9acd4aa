package ccclient

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

const rootCAsHint = "if its CA is a private one, add it to RootCAs in Config.TLS"

// hint says of a refusal what its cause is beyond what the server said, and what to do about it, where that can be
// known. broken is why the answer's body could not be read, if so.
func (x *exchange) hint(
	e *Error, a tokenresponse.Response, broken error, r *redact.Redactor,
) (cause error, hint string) {
	page, _ := errors.AsType[tokenresponse.Unreadable](broken)
	page.Media, page.Title = r.Clean(page.Media), ""
	grant, audience := x.form.Get("grant_type"), x.form.Get("audience")
	switch {
	case 300 <= e.StatusCode && e.StatusCode < 400:
		return x.redirect(a, r)
	case e.StatusCode == http.StatusProxyAuthRequired:
		return errors.New("a proxy in between wants authentication"), ""
	case page.HTML && e.StatusCode >= 500:
		cause = fmt.Errorf("the answer is a page for people (%s)", cmp.Or(page.Media, "no content type"))
		return cause, "it may be from a proxy in front of the token endpoint"
	case page.HTML:
		return page, "check " + x.setting()
	case !e.Code.registered() && slices.Contains(noEndpoint, e.StatusCode):
		return errors.New("there is no token endpoint at this address"), "check " + x.setting()
	case errors.Is(e, InvalidClient), !e.Code.registered() && e.StatusCode == http.StatusForbidden:
		return nil, x.otherMethods(r)
	case e.Code == UnauthorizedClient:
		return nil, fmt.Sprintf("allow grant_type %q for this client at the server, or check its credentials", grant)
	case e.Code == UnsupportedGrantType:
		return nil, fmt.Sprintf("the server does not offer grant_type %q: EndpointParams may set another", grant)
	case e.Code == InvalidScope && x.form.Has("scope"):
		return nil, fmt.Sprintf("the scopes asked for were %q", x.form.Get("scope"))
	case e.Code == InvalidScope:
		return nil, "no scope was asked for, and the server may want one: set Scopes"
	case e.Code == InvalidTarget:
		return nil, fmt.Sprintf("the resources asked for were %q, the audience %q", x.form["resource"], audience)
	case e.Code == InvalidDPoPProof:
		return nil, "this machine's clock may be wrong"
	case e.Code == "" && e.Description == "" && e.StatusCode < 300:
		return errors.New("the answer says that it is an error, not which"), ""
	}
	return nil, ""
}

// noEndpoint are the statuses of an address where there is no token endpoint.
var noEndpoint = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone}

// setting is where the token endpoint's URL comes from.
func (x *exchange) setting() string {
	if x.endpoint.issuer != "" {
		return "the token_endpoint in the metadata of Issuer"
	}
	return "TokenURL"
}

// redirect names where the token endpoint has gone: no more than the host, since a query may hold anything.
func (x *exchange) redirect(a tokenresponse.Response, r *redact.Redactor) (cause error, hint string) {
	hint = "redirects are not followed, set TokenURL to the final URL"
	if x.endpoint.issuer != "" {
		hint = "redirects are not followed, and the metadata of Issuer should name the final URL"
	}
	from, err := url.Parse(x.endpoint.tokenURL)
	to, err2 := url.Parse(a.Header.Get("Location"))
	if err != nil || err2 != nil || a.Header.Get("Location") == "" {
		return fmt.Errorf("the token endpoint redirects (%d)", a.Status), hint
	}
	to = from.ResolveReference(to)
	host := r.Clean(to.Host)
	switch {
	case to.Host != from.Host:
		return fmt.Errorf("the token endpoint redirects (%d) to host %s", a.Status, host), hint
	case to.Scheme != from.Scheme:
		return fmt.Errorf("the token endpoint redirects (%d) to %s on host %s", a.Status, r.Clean(to.Scheme), host), hint
	}
	return fmt.Errorf("the token endpoint redirects (%d) to another path on host %s", a.Status, host), hint
}

// otherMethods says, after the client was refused, what may be wrong and which methods to try. Nothing is tried
// without being asked: a server may count failures, and lock the client out.
func (x *exchange) otherMethods(r *redact.Redactor) string {
	f := x.credentials.facts()
	hint := f.name + " was refused: " + f.remedy
	if f.name == "" {
		hint = "the client was refused: " + f.remedy
	}
	if len(x.endpoint.methods) > 0 {
		hint += "; the server lists " + r.Clean(strings.Join(x.endpoint.methods, ", "))
	}
	return hint
}
