package ccclient

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/jws"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tlsport"
	"github.com/ccclient/go-ccclient/internal/tokenresponse"
)

// hint says of a refusal what its cause is beyond what the server said, and what to do about it, where that can be
// known. broken is why the answer's body could not be read, if so.
func (ex *exchange) hint(
	e *Error, a tokenresponse.Response, broken error, r *redact.Redactor,
) (hint string, cause error) {
	hint, cause = ex.remedy(e, a, broken, r)
	if space := ex.whiteSpace(); e.mayBeOfClient() && !strings.Contains(hint, space) {
		if hint != "" {
			hint += "; "
		}
		hint += space
	}
	return hint, cause
}

// mayBeOfClient reports whether the server may have refused who the client is, in whatever words.
func (e *Error) mayBeOfClient() bool {
	switch e.Code {
	case UnsupportedGrantType, InvalidScope, InvalidTarget, InvalidAuthorizationDetails:
		return false
	}
	return !e.Temporary() && (!e.misplaced || e.refusesClient())
}

// remedy is hint, but for what may be wrong whatever the server said.
func (ex *exchange) remedy(
	e *Error, a tokenresponse.Response, broken error, r *redact.Redactor,
) (hint string, cause error) {
	page, _ := errors.AsType[tokenresponse.Unreadable](broken)
	page.Media, page.Title = r.Clean(page.Media), ""
	grant, audience := ex.form.Get("grant_type"), ex.form.Get("audience")
	e.misplaced = mayBeMisplaced(e, page.HTML)
	switch {
	case 300 <= e.StatusCode && e.StatusCode < 400:
		return ex.redirect(a, r)
	case e.StatusCode == http.StatusProxyAuthRequired:
		_, hint = ex.link.ProxyRefused(&connections.ProxyRefusal{Status: e.StatusCode})
		return hint, errors.New("a proxy in between wants authentication")
	case ex.endpoint.Plain() && tlsport.Says(e.StatusCode, a.Body):
		e.misplaced = false
		return "use https in " + ex.endpoint.Setting(), tlsport.Err
	case e.StatusCode == http.StatusBadRequest && strings.Contains(e.Description, "SSL certificate"): // nginx
		_, hint = ex.link.Alerted(link.AlertCertificateRequired)
		if !strings.Contains(e.Description, "No required") {
			_, hint = ex.link.Alerted(link.AlertBadCertificate)
		}
		e.misplaced = false
		return hint, nil
	case e.StatusCode == http.StatusNotAcceptable:
		e.misplaced = false
		return "the server can answer with nothing that the request accepts: EndpointHeader may set another Accept", nil
	case page.HTML && outlook.Of(e.StatusCode, "") == outlook.Passing:
		cause = fmt.Errorf("the answer is a page for people (%s)", cmp.Or(page.Media, "no content type"))
		return "it may be from a proxy in front of the token endpoint", cause
	case page.HTML && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden):
		return ex.refusedClient(e, r), page
	case page.HTML:
		return "check " + ex.endpoint.Setting(), page
	case e.misplaced && e.StatusCode == http.StatusNotFound && e.Code+ErrorCode(e.Description) != "":
		return "check " + ex.endpoint.Setting() + "; if that is right, check ClientID",
			errors.New("there may be no token endpoint at this address")
	case e.misplaced && e.StatusCode != http.StatusUnauthorized && e.StatusCode != http.StatusForbidden:
		return "check " + ex.endpoint.Setting(), errors.New("there is no token endpoint at this address")
	case ex.wantsDPoP(e):
		return "set DPoPKey, since the server wants a DPoP proof", nil
	case ex.refusesAlgorithm(e):
		return ex.otherAlgorithm(r), nil
	case e.Code == UnauthorizedClient && !aboutCredentials(e):
		return fmt.Sprintf("allow grant_type %q for this client at the server, or check its credentials", grant), nil
	case e.Code == UnauthorizedClient:
		return fmt.Sprintf(
			"%s; then allow grant_type %q for this client at the server", ex.refusedClient(e, r), grant,
		), nil
	case errors.Is(e, InvalidClient), e.Code == AccessDenied && e.StatusCode == http.StatusUnauthorized,
		!e.Code.registered() && e.StatusCode == http.StatusForbidden, e.StatusCode == http.StatusNotFound,
		(e.Code == InvalidRequest || e.Code == InvalidGrant || !e.Code.registered()) && aboutCredentials(e):
		return ex.refusedClient(e, r), nil
	case e.Code == UnsupportedGrantType:
		return fmt.Sprintf("the server does not offer grant_type %q: EndpointParams may set another", grant), nil
	case e.Code == InvalidScope && ex.form.Has("scope"):
		return fmt.Sprintf("the scopes asked for were %q", ex.form.Get("scope")), nil
	case e.Code == InvalidScope:
		return "no scope was asked for, and the server may want one: set Scopes", nil
	case e.Code == InvalidTarget:
		return fmt.Sprintf("the resources asked for were %q, the audience %q", ex.form["resource"], audience), nil
	case e.Code == InvalidDPoPProof:
		return "this machine's clock may be wrong", nil
	case bare(e) && ex.dpop == nil && len(ex.endpoint.DPoP) > 0 && (e.Code == InvalidRequest || e.Code == InvalidGrant):
		return "the server lists algorithms for DPoP and may want a proof: set DPoPKey", nil
	case bare(e) && e.Code != InvalidGrant && (e.StatusCode == http.StatusBadRequest || e.Code == InvalidRequest):
		return "the server does not say what it misses: it may want Scopes, Audience or EndpointParams, or " +
			ex.otherMethod(r), nil
	case e.Code == "" && e.Description == "" && e.StatusCode < 300:
		return "", errors.New("the answer says that it is an error, not which")
	}
	return "", nil
}

// mayBeMisplaced reports whether e may mean that there is no token endpoint at the address that was asked. It is asked
// here alone: a hint may follow, and metadata be read again. page says that the answer is a page for people.
func mayBeMisplaced(e *Error, page bool) bool {
	if e.Code.registered() {
		return false
	}
	switch e.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect,
		http.StatusPermanentRedirect, http.StatusMethodNotAllowed, http.StatusGone:
		return true
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden: // Spring's at every unknown path is 401
		return page || !aboutClient(e)
	}
	return page && outlook.Of(e.StatusCode, "") != outlook.Passing && e.StatusCode != http.StatusProxyAuthRequired
}

// bare reports whether the server said nothing of why: what it says repeats the code or the status, at most.
func bare(e *Error) bool {
	said := e.Description
	switch {
	case e.Code == InvalidRequest, e.Code == InvalidGrant:
	case e.Code.registered():
		return false
	default:
		said += " " + string(e.Code)
	}
	const filler = "http error the is bad invalid request grant"
	known := strings.Fields(strings.ToLower(fmt.Sprintln(e.StatusCode, http.StatusText(e.StatusCode), filler)))
	noWord := func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }
	for word := range strings.FieldsFuncSeq(strings.ToLower(said), noWord) {
		if !slices.Contains(known, word) {
			return false
		}
	}
	return true
}

// aboutClient reports whether a 401, 403 or 404 with words of its own is about the client (OpenStack Keystone's 404
// says that it is not known), and not about the address. A framework's words repeat the status, or tell of a path.
func aboutClient(e *Error) bool {
	code := strings.ToLower(string(e.Code))
	said := code + " " + strings.ToLower(e.Description)
	switch {
	case bare(e):
		return false
	case containsAny(said, "client", "credential", "application", "account", "user", "consumer", "secret"):
		return true
	case strings.Contains(code, "token"), containsAny(said, "invalid token", "no token", "authentication token"):
		return false // an API misses one
	}
	return !containsAny(said, "not found", "not_found", "notfound", "no route", "route", "path", "url", "uri", "page",
		"endpoint", "realm", "tenant", "resource", "cannot post", "404")
}

// aboutCredentials reports whether a code that RFC 6749 has for something else, or none of its codes, is about who the
// client is: Keycloak says unauthorized_client of a wrong secret, others have words of their own.
func aboutCredentials(e *Error) bool {
	said := strings.ToLower(e.Description)
	if !e.Code.registered() {
		said += " " + strings.ReplaceAll(strings.ToLower(string(e.Code)), "_", " ")
	}
	return containsAny(said, "credential", "secret", "invalid client", "unknown client", "client not found",
		"was not found", "authentication fail", "client_id", "client id") ||
		e.Code == UnauthorizedClient && said == "" && e.StatusCode == http.StatusUnauthorized
}

func containsAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(s, part) })
}

// wantsDPoP reports whether e asks, or with nothing said may ask, for a proof that is not sent for want of a key.
func (ex *exchange) wantsDPoP(e *Error) bool {
	if ex.dpop != nil || e.StatusCode >= 500 {
		return false
	}
	switch {
	case e.Code == UseDPoPNonce, e.Code == InvalidDPoPProof, strings.Contains(strings.ToLower(e.Description), "dpop"):
		e.outlook = outlook.Settled
		return true
	}
	return false
}

// redirect names where the token endpoint has gone: no more than the host, since a query may hold anything.
func (ex *exchange) redirect(a tokenresponse.Response, r *redact.Redactor) (hint string, cause error) {
	hint = "redirects are not followed, set TokenURL to the final URL"
	if ex.endpoint.Issuer != "" {
		hint = "redirects are not followed, and the metadata of Issuer should name the final URL"
	}
	from, err := url.Parse(ex.endpoint.URL)
	to, err2 := url.Parse(a.Header.Get("Location"))
	if err != nil || err2 != nil || a.Header.Get("Location") == "" {
		return hint, fmt.Errorf("the token endpoint redirects (%d)", a.Status)
	}
	to = from.ResolveReference(to)
	host := r.Clean(to.Host)
	switch {
	case to.Host != from.Host:
		return hint, fmt.Errorf("the token endpoint redirects (%d) to host %s", a.Status, host)
	case to.Scheme != from.Scheme:
		return hint, fmt.Errorf(
			"the token endpoint redirects (%d) to %s on host %s", a.Status, r.Clean(to.Scheme), host,
		)
	}
	return hint, fmt.Errorf("the token endpoint redirects (%d) to another path on host %s", a.Status, host)
}

// refusesAlgorithm reports whether e is about the algorithm with which an assertion was signed.
func (ex *exchange) refusesAlgorithm(e *Error) bool {
	said := " " + strings.ToLower(e.Description) + " "
	return (e.refusesClient() || e.Code == InvalidRequest || e.Code == InvalidGrant) &&
		ex.credentials.Form.Has("client_assertion") &&
		containsAny(said, "algorithm", " alg ", "\"alg\"", "'alg'", "`alg`", " alg:")
}

// otherAlgorithm says how an assertion is signed with another algorithm.
func (ex *exchange) otherAlgorithm(r *redact.Redactor) string {
	hint := "have the assertion signed with an algorithm that the server takes"
	if ex.credentials.facts().signs {
		hint = "set AssertionOptions.Algorithm to one that the server takes"
	}
	if used := jws.AlgorithmOf(ex.credentials.Form.Get("client_assertion")); used != "" {
		hint += ", other than " + r.Clean(used)
	}
	if len(ex.endpoint.Algorithms) > 0 {
		hint += "; it lists " + r.Clean(strings.Join(ex.endpoint.Algorithms, ", "))
	}
	return hint
}

// refusedClient says, after the client was refused, what may be wrong and which methods to try. Nothing is tried
// without being asked: a server may count failures, and lock the client out.
func (ex *exchange) refusedClient(e *Error, r *redact.Redactor) string {
	who := cmp.Or(ex.credentials.facts().name, "the client")
	hint := who + " was refused: " + ex.otherMethod(r)
	if e.misplaced {
		hint += "; or check " + ex.endpoint.Setting() + ", since some servers answer so where there is no token endpoint"
	}
	return hint
}

// otherMethod says what of the authentication to mend.
func (ex *exchange) otherMethod(r *redact.Redactor) string {
	f := ex.credentials.facts()
	hint := cmp.Or(ex.whiteSpace(), f.remedy)
	if f.certificate {
		hint = ex.link.RefusedCertificate(ex.endpoint.Host())
	}
	if len(ex.endpoint.Methods) > 0 {
		hint += "; the server lists " + r.Clean(strings.Join(ex.endpoint.Methods, ", "))
	}
	return hint
}

// whiteSpace says that the client's id or secret has white space around it, as what was pasted or read from a file has.
func (ex *exchange) whiteSpace() string {
	if ex.clientID != strings.TrimSpace(ex.clientID) {
		return "ClientID begins or ends with white space, which is sent as it is: take it out"
	}
	if ex.credentials.secret == nil {
		return ""
	}
	switch s := ex.credentials.secret(); {
	case s != strings.TrimRightFunc(s, unicode.IsSpace):
		return "the secret ends in white space, which is sent as it is: take it out (SecretFile leaves out one newline)"
	case s != strings.TrimSpace(s):
		return "the secret begins with white space, which is sent as it is: take it out"
	}
	return ""
}
