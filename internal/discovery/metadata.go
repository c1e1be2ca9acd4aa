package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
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

// parse reads a metadata document of issuer. Names it does not know are ignored, as RFC 8414, section 3.2, asks.
func parse(data []byte, issuer string, insecureHTTP bool) (*Metadata, error) {
	// Member names are compared exactly, which a struct would not do: a document's "Token_Endpoint" is not its
	// "token_endpoint".
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if doc == nil {
		return nil, errors.New("not a JSON object: null")
	}

	// RFC 8414, section 3.3: code point by code point, no normalization. Otherwise one tenant of a host could speak
	// for another.
	var got string
	if err := member(doc, "issuer", &got); err != nil {
		return nil, err
	}
	if got != issuer {
		return nil, fmt.Errorf("the document is of issuer %q: the two must be identical, a trailing slash included",
			shorten(got))
	}

	m := &Metadata{
		Issuer:        issuer,
		AuthMethods:   list(doc["token_endpoint_auth_methods_supported"]),
		AssertionAlgs: list(doc["token_endpoint_auth_signing_alg_values_supported"]),
		DPoPAlgs:      list(doc["dpop_signing_alg_values_supported"]),
		GrantTypes:    list(doc["grant_types_supported"]),
	}
	if err := member(doc, "token_endpoint", &m.TokenEndpoint); err != nil {
		return nil, err
	}
	if err := checkEndpoint(m.TokenEndpoint, insecureHTTP); err != nil {
		return nil, fmt.Errorf("token_endpoint: %w", err)
	}
	var aliases map[string]json.RawMessage
	if json.Unmarshal(doc["mtls_endpoint_aliases"], &aliases) == nil && aliases["token_endpoint"] != nil {
		if err := member(aliases, "token_endpoint", &m.MTLSTokenEndpoint); err != nil {
			return nil, fmt.Errorf("mtls_endpoint_aliases: %w", err)
		}
		if err := checkEndpoint(m.MTLSTokenEndpoint, insecureHTTP); err != nil {
			return nil, fmt.Errorf("mtls_endpoint_aliases: token_endpoint: %w", err)
		}
	}
	return m, nil
}

func member(doc map[string]json.RawMessage, name string, s *string) error {
	raw := doc[name]
	if raw == nil {
		return fmt.Errorf("the document has no %s", name)
	}
	if json.Unmarshal(raw, s) != nil || *s == "" {
		return fmt.Errorf("%s is not a string, or empty", name)
	}
	return nil
}

func list(raw json.RawMessage) []string {
	var l []string
	if json.Unmarshal(raw, &l) != nil {
		return nil
	}
	return l
}

func checkEndpoint(endpoint string, insecureHTTP bool) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return fmt.Errorf("%q is not a URL", shorten(endpoint))
	}
	if strings.Contains(endpoint, "#") {
		return fmt.Errorf("%q has a fragment", shorten(endpoint)) // RFC 6749, section 3.2
	}
	return checkURL(u, insecureHTTP)
}

// shorten cuts a server's text to what an error can bear.
func shorten(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
