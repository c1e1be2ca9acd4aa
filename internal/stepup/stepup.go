// Package stepup reads from a response what a protected resource asks of the next token. That is foreign text, and it
// ends up in a token request: what is not well-formed, or more than any resource has reason to ask for, is not read.
package stepup

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ccclient/go-ccclient/internal/challenge"
)

// The bounds on what one response may ask for.
const (
	maxScopes = 32
	maxScope  = 256     // bytes of one scope
	maxClaims = 8 << 10 // bytes of claims, encoded and merged
)

// A Demand is what a resource asks a token to have.
type Demand struct {
	Scopes []string // legal by RFC 6749, section 3.3; sorted, each once
	Claims string   // a JSON object as [Merge] writes it; empty: none
}

// Empty reports whether nothing is asked for.
func (d Demand) Empty() bool { return len(d.Scopes) == 0 && d.Claims == "" }

// Parse returns what the Bearer and DPoP challenges in h ask for: the scopes of those that say insufficient_scope (RFC
// 6750, section 3.1), and the claims of the first that says insufficient_claims (Microsoft Entra's claims challenge). A
// challenge with anything illegal in it asks for nothing.
func Parse(h http.Header) (d Demand) {
	for _, c := range challenge.Parse(h) {
		if !strings.EqualFold(c.Scheme, "Bearer") && !strings.EqualFold(c.Scheme, "DPoP") {
			continue
		}
		switch c.Params["error"] {
		case "insufficient_scope":
			d.Scopes = append(d.Scopes, scopes(c.Params["scope"])...)
		case "insufficient_claims":
			if d.Claims == "" {
				d.Claims = decode(c.Params["claims"])
			}
		}
	}
	slices.Sort(d.Scopes)
	if d.Scopes = slices.Compact(d.Scopes); len(d.Scopes) > maxScopes {
		d.Scopes = nil
	}
	return d
}

// scopes returns the scopes in a list, nil if one of them is illegal.
func scopes(list string) (all []string) {
	for scope := range strings.SplitSeq(list, " ") {
		switch {
		case scope == "":
			continue
		case len(scope) > maxScope || !legal(scope):
			return nil
		}
		all = append(all, strings.Clone(scope)) // not the rest of the response's header with it
	}
	return all
}

// legal reports whether scope is a scope-token: 1*( %x21 / %x23-5B / %x5D-7E ).
func legal(scope string) bool {
	for i := range len(scope) {
		if c := scope[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return scope != ""
}
