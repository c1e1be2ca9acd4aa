package ccclient

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

// A Request is a token request on its way to being authenticated. An [Auth]
// reads its strings and adds to Form or Header; both are the request's own and
// never nil. Printing or logging a Request shows the names in Form and Header,
// not their values.
type Request struct {
	ClientID string      // who asks
	TokenURL string      // where the request goes
	Issuer   string      // the server's issuer identifier, if known
	Form     url.Values  // the body
	Header   http.Header // the header; Content-Type is set after authentication

	// algorithms are those the server lists for signed assertions, if it
	// publishes a list.
	algorithms []string

	// plainHeader is what Config.EndpointHeader put into Header.
	plainHeader http.Header

	// method is the one of this package's methods that authenticated the
	// request, be it wrapped in an AuthFunc; nil if none did.
	method *method

	// secret gives what method used, to be kept out of errors.
	secret      func() string
	fingerprint fingerprint
}

// used notes the secret (or the public key) with which r is authenticated.
func (r *Request) used(secret string) {
	r.secret = func() string { return secret }
	r.fingerprint = fingerprintOf(secret)
}

// Format prints r without the values in Form and Header, whatever the verb.
func (r Request) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Request{ClientID: %q, TokenURL: %q, Issuer: %q, Form: %q, Header: %q}",
		r.ClientID, withoutQuery(r.TokenURL), r.Issuer, names(r.Form), names(r.Header))
}

// LogValue gives what Format prints.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("client_id", r.ClientID),
		slog.String("token_url", withoutQuery(r.TokenURL)),
		slog.String("issuer", r.Issuer),
		slog.Any("form", names(r.Form)),
		slog.Any("header", names(r.Header)),
	)
}

func names(m map[string][]string) []string { return slices.Sorted(maps.Keys(m)) }

// withoutQuery gives a URL as it may be shown: some servers take keys in the
// query.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
