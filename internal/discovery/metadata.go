package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ccclient/go-ccclient/internal/field"
)

// Metadata is the part of an authorization server's metadata that a client-credentials client can use. It is shared:
// do not modify it.
//
// A list that the document does not hold, or holds in a shape that is not a list of strings, is nil: the server says
// nothing about it. Nil is not the default that RFC 8414 names for it, since real servers leave out what they
// support.
type Metadata struct {
	// Issuer is the issuer identifier, equal to the one asked for.
	Issuer string

	// TokenEndpoint is an absolute URL without a fragment.
	TokenEndpoint string

	// MTLSTokenEndpoint is where clients that present a certificate go instead (RFC 8705, section 5); empty if the
	// server has no such alias.
	MTLSTokenEndpoint string

	// AuthMethods are the ways of client authentication at the token endpoint, by their registered names.
	AuthMethods []string

	// AssertionAlgs are the signature algorithms that the token endpoint takes in client assertions.
	AssertionAlgs []string

	// DPoPAlgs are the signature algorithms for DPoP proofs (RFC 9449, section 5.1).
	DPoPAlgs []string

	// GrantTypes is advice only: servers that support client_credentials are known not to list it.
	GrantTypes []string
}

// Supports returns nil if the server lists the client authentication method, by its registered name, or says nothing
// about methods; otherwise an error that names those it does list.
func (m *Metadata) Supports(method string) error {
	if m.AuthMethods == nil || slices.Contains(m.AuthMethods, method) {
		return nil
	}
	if len(m.AuthMethods) == 0 {
		return fmt.Errorf("issuer %q supports no client authentication, %s included", m.Issuer, method)
	}
	return fmt.Errorf("issuer %q does not support %s, but %s",
		m.Issuer, method, shorten(strings.Join(m.AuthMethods, ", ")))
}

// The bounds on what is read of a document; no server has reason to come near them.
const (
	maxMembers  = 1000 // of the document
	maxList     = 100  // members of a list
	maxName     = 100  // bytes of one of them
	maxEndpoint = 2048 // bytes
)

// parse reads a metadata document of issuer. Names it does not know are ignored, as RFC 8414, section 3.2, asks.
func parse(data []byte, issuer string, insecureHTTP bool) (*Metadata, error) {
	doc, err := object(data, "issuer", "token_endpoint", "mtls_endpoint_aliases", "grant_types_supported",
		"token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
		"dpop_signing_alg_values_supported")
	if err != nil {
		return nil, err
	}

	// RFC 8414, section 3.3: code point by code point, no normalization. Otherwise one tenant of a host could speak
	// for another.
	var got string
	if err := doc.text("issuer", &got); err != nil {
		return nil, err
	}
	if got != issuer {
		return nil, fmt.Errorf("the document is of issuer %q: the two must be identical, a trailing slash included",
			shorten(got))
	}

	m := &Metadata{
		Issuer:        issuer,
		AuthMethods:   doc.list("token_endpoint_auth_methods_supported"),
		AssertionAlgs: doc.list("token_endpoint_auth_signing_alg_values_supported"),
		DPoPAlgs:      doc.list("dpop_signing_alg_values_supported"),
		GrantTypes:    doc.list("grant_types_supported"),
	}
	if err := doc.text("token_endpoint", &m.TokenEndpoint); err != nil {
		return nil, err
	}
	if err := checkEndpoint(m.TokenEndpoint, issuer, insecureHTTP); err != nil {
		return nil, fmt.Errorf("token_endpoint: %w", err)
	}
	aliases, err := object(doc["mtls_endpoint_aliases"], "token_endpoint")
	if err == nil && aliases["token_endpoint"] != nil {
		if err := aliases.text("token_endpoint", &m.MTLSTokenEndpoint); err != nil {
			return nil, fmt.Errorf("mtls_endpoint_aliases: %w", err)
		}
		if err := checkEndpoint(m.MTLSTokenEndpoint, issuer, insecureHTTP); err != nil {
			return nil, fmt.Errorf("mtls_endpoint_aliases: token_endpoint: %w", err)
		}
	}
	return m, nil
}

// members are some members of a JSON object, by name.
type members map[string]json.RawMessage

// object returns those members of the JSON object in data that have one of the names. The others are passed over one by
// one: decoded, they would take many times the document's size. Names are compared exactly, which a struct would not
// do: a document's "Token_Endpoint" is not its "token_endpoint".
func object(data []byte, names ...string) (members, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	switch begin, err := dec.Token(); {
	case err != nil:
		return nil, fmt.Errorf("not a JSON object: %w", err)
	case begin != json.Delim('{'):
		return nil, errors.New("not a JSON object")
	}
	found := make(members, len(names))
	var unknown json.RawMessage
	for n := 0; dec.More(); n++ {
		if n == maxMembers {
			return nil, fmt.Errorf("a JSON object of more than %d members", maxMembers)
		}
		token, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("not a JSON object: %w", err)
		}
		value := &unknown
		name, _ := token.(string)
		if slices.Contains(names, name) {
			value = new(json.RawMessage)
		}
		if err := dec.Decode(value); err != nil {
			return nil, fmt.Errorf("not a JSON object: %w", err)
		}
		if value != &unknown {
			found[name] = *value
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("not a JSON object alone: it goes on after its end")
	}
	return found, nil
}

// text sets s to the member of that name, which must be a string and not empty.
func (m members) text(name string, s *string) error {
	raw := m[name]
	if raw == nil {
		return fmt.Errorf("the document has no %s", name)
	}
	if json.Unmarshal(raw, s) != nil || *s == "" {
		return fmt.Errorf("%s is not a string, or empty", name)
	}
	return nil
}

// list returns the member of that name if it is a list of strings, else nil. What stands in it that can be no name of a
// method or an algorithm is left out.
func (m members) list(name string) []string {
	dec := json.NewDecoder(bytes.NewReader(m[name]))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('[') {
		return nil
	}
	l := []string{}
	for n := 0; n < maxList && dec.More(); n++ {
		var s string
		if dec.Decode(&s) != nil {
			return nil
		}
		if s != "" && len(s) <= maxName && field.IndexNotVisible(s) < 0 {
			l = append(l, s)
		}
	}
	return l
}

// checkEndpoint returns what is wrong with an endpoint of the issuer, nil if it can be used. Only an http issuer names
// http endpoints: that of an https one would have the credentials go in clear, or to whoever listens on loopback.
func checkEndpoint(endpoint, issuer string, insecureHTTP bool) error {
	u, err := url.Parse(endpoint)
	switch scheme, _, _ := strings.Cut(issuer, ":"); {
	case err != nil || strings.ContainsFunc(endpoint,
		func(c rune) bool { return !unicode.IsPrint(c) || c == utf8.RuneError }):
		return fmt.Errorf("%q is not a URL", shorten(endpoint))
	case len(endpoint) > maxEndpoint:
		return fmt.Errorf("%q is longer than %d bytes", shorten(endpoint), maxEndpoint)
	case strings.Contains(endpoint, "#"):
		return fmt.Errorf("%q has a fragment", shorten(endpoint)) // RFC 6749, section 3.2
	case u.Scheme == "http" && !strings.EqualFold(scheme, "http"):
		return fmt.Errorf("http:// to host %q, while the issuer is https", shorten(u.Host))
	}
	return checkURL(u, insecureHTTP)
}

// oneLine returns the words of others as an error can bear them: printable, and cut to a sane length.
func oneLine(s string) string {
	const most = 500
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, ""))
}

// shorten returns the words of others cut to what an error can bear that quotes them.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
