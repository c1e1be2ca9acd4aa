package ccclient

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// advice says what to do about a refusal, where that can be known: nil if not.
// broken is why the answer's body could not be read, if so.
func (q *inquiry) advice(e *Error, a tokenresponse.Response, broken error, r *redact.Redactor) error {
	form := q.request.Form
	page, _ := errors.AsType[tokenresponse.Unreadable](broken)
	page.Media, page.Title = r.Clean(page.Media), ""
	switch {
	case 300 <= e.StatusCode && e.StatusCode < 400:
		return q.redirect(a, r)
	case e.StatusCode == http.StatusProxyAuthRequired:
		return errors.New("a proxy in between wants authentication")
	case page.HTML && e.StatusCode >= 500:
		return fmt.Errorf("the answer is a page for people (%s), perhaps from a proxy in front of the token endpoint", cmp.Or(page.Media, "no content type"))
	case page.HTML:
		return fmt.Errorf("%w: check %s", page, q.setting())
	case !e.Code.registered() && (e.StatusCode == http.StatusNotFound || e.StatusCode == http.StatusMethodNotAllowed || e.StatusCode == http.StatusGone):
		return fmt.Errorf("there is no token endpoint at this address: check %s", q.setting())
	case errors.Is(e, InvalidClient), !e.Code.registered() && e.StatusCode == http.StatusForbidden:
		return q.otherMethods(r)
	case e.Code == UnauthorizedClient:
		return fmt.Errorf("allow grant_type %q for this client at the server, or check its credentials", form.Get("grant_type"))
	case e.Code == UnsupportedGrantType:
		return fmt.Errorf("the server does not offer grant_type %q: EndpointParams may set another", form.Get("grant_type"))
	case e.Code == InvalidScope && form.Has("scope"):
		return fmt.Errorf("the scopes asked for were %q", form.Get("scope"))
	case e.Code == InvalidScope:
		return errors.New("no scope was asked for, and the server may want one: set Scopes")
	case e.Code == InvalidTarget:
		return fmt.Errorf("the resources asked for were %q, the audience %q", form["resource"], form.Get("audience"))
	case e.Code == InvalidDPoPProof:
		return errors.New("this machine's clock may be wrong")
	case e.Code == "" && e.Description == "" && e.StatusCode < 300:
		return errors.New("the answer says that it is an error, not which")
	}
	return nil
}

// setting is where the token endpoint's URL comes from.
func (q *inquiry) setting() string {
	if q.request.Issuer != "" {
		return "the token_endpoint in the metadata of Issuer"
	}
	return "TokenURL"
}

// redirect names where the token endpoint has gone: no more than the host, since
// a query may hold anything.
func (q *inquiry) redirect(a tokenresponse.Response, r *redact.Redactor) error {
	remedy := "redirects are not followed, set TokenURL to the final URL"
	if q.request.Issuer != "" {
		remedy = "redirects are not followed, and the metadata of Issuer should name the final URL"
	}
	from, err := url.Parse(q.request.TokenURL)
	to, err2 := url.Parse(a.Header.Get("Location"))
	if err != nil || err2 != nil || a.Header.Get("Location") == "" {
		return fmt.Errorf("the token endpoint redirects (%d): %s", a.Status, remedy)
	}
	to = from.ResolveReference(to)
	host := r.Clean(to.Host)
	switch {
	case to.Host != from.Host:
		return fmt.Errorf("the token endpoint redirects (%d) to host %s: %s", a.Status, host, remedy)
	case to.Scheme != from.Scheme:
		return fmt.Errorf("the token endpoint redirects (%d) to %s on host %s: %s", a.Status, r.Clean(to.Scheme), host, remedy)
	}
	return fmt.Errorf("the token endpoint redirects (%d) to another path on host %s: %s", a.Status, host, remedy)
}

// otherMethods says, after the client was refused, what may be wrong and which
// methods to try. Nothing is tried without being asked: a server may count
// failures, and lock the client out.
func (q *inquiry) otherMethods(r *redact.Redactor) error {
	name := ""
	if q.request.method != nil {
		name = q.request.method.name
	}
	var text string
	switch name {
	case "":
		text = "the client was refused: check ClientID and what Auth adds"
	case "client_secret_basic":
		text = "client_secret_basic was refused: check ClientID and the secret; if they are right, try ClientSecretPost, or ClientSecretBasicUnencoded if the server does not form-decode"
	case "client_secret_basic_unencoded":
		text = "client_secret_basic without encoding was refused: check ClientID and the secret; if they are right, try ClientSecretBasic or ClientSecretPost"
	case "client_secret_post":
		text = "client_secret_post was refused: check ClientID and the secret; if they are right, try ClientSecretBasic"
	case "client_secret_jwt":
		text = "client_secret_jwt was refused: check ClientID, the secret, AssertionOptions.Audience and the clock; if they are right, try ClientSecretBasic"
	case "private_key_jwt":
		text = "private_key_jwt was refused: check ClientID, that the server knows the key (AssertionOptions.KeyID), the audience it wants (AssertionOptions.Audience) and the clock"
	case "tls_client_auth", "self_signed_tls_client_auth":
		text = name + " was refused: check ClientID, and that the server knows the certificate in Config.TLS"
	default:
		text = name + " was refused: check ClientID and the credentials"
	}
	if len(q.methods) > 0 {
		text += "; the server lists " + r.Clean(strings.Join(q.methods, ", "))
	}
	return errors.New(text)
}
