package mcpauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
	"github.com/ccclient/go-ccclient/transport/mcpauth/internal/protectedresource"
)

const (
	// maxScopes is how many scopes a token is asked for at most.
	maxScopes = 256

	// maxSteps is how often a server may ask for more scopes: each time is a token request.
	maxSteps = 16
)

// A grant is what a server's challenges have led to. It is not modified.
type grant struct {
	server   string // the URL that the token is for, as requests have it
	shown    string // the same without a query
	issuer   string
	resource string
	client   *ccclient.Client // that of the issuer
	scopes   []string
	steps    int              // how often scopes were added
	tokens   *ccclient.Client // client, for the resource and the scopes
}

// meet returns the grant that a challenge asks for, which is g if that has it all. g is nil before the first one.
func (g *grant) meet(
	c challenge, m *protectedresource.Metadata, issuer string, client *ccclient.Client,
) (*grant, error) {
	next := &grant{server: c.server, issuer: issuer, resource: m.Resource, client: client}
	next.shown, _, _ = strings.Cut(c.server, "?")
	known := g != nil && g.issuer == issuer && g.resource == m.Resource
	wanted := c.scopes
	if len(wanted) == 0 && (c.stepUp || !known) {
		wanted = valid(m.Scopes)
	}
	if known {
		next.scopes, next.steps = union(g.scopes, wanted), g.steps
		switch more := len(next.scopes) > len(g.scopes); {
		case !more && client == g.client:
			return g, nil
		case more && g.steps == maxSteps:
			return nil, fmt.Errorf("it asks for more scopes again, after %d times", maxSteps)
		case more:
			next.steps++
		}
	} else {
		next.scopes = union(nil, wanted)
	}
	if len(next.scopes) > maxScopes {
		return nil, fmt.Errorf("it asks for more than %d scopes", maxScopes)
	}
	next.tokens = client.For(ccclient.Target{Scopes: next.scopes, Resources: []string{m.Resource}})
	return next, nil
}

// fetch gets a token that may meet the challenge: another than the one that was sent.
func (g *grant) fetch(ctx context.Context, c challenge) error {
	if c.sent != "" && !c.stepUp {
		g.tokens.Invalidate(&oauth2.Token{AccessToken: c.sent})
	}
	tok, err := g.tokens.Token(ctx)
	switch {
	case err != nil:
		return err
	case strings.EqualFold(tok.TokenType, "DPoP"):
		return fmt.Errorf("%w: it is bound by DPoP, which the SDK cannot send: get it from a client without DPoPKey",
			transport.ErrTokenType)
	case c.stepUp && tok.AccessToken == c.sent:
		return errors.New("it wants a scope that the token was asked for already")
	case c.stepUp && !granted(tok, c.scopes):
		return fmt.Errorf("the authorization server does not grant what it wants, scope %.200q", c.scopes)
	case tok.AccessToken != c.sent:
		return nil
	}
	return errors.New("it rejects the token, and there is no other for the time being")
}

// granted reports whether a token has the scopes, unless the authorization server says that it has not: it must, if it
// granted others than it was asked for (RFC 6749, section 5.1).
func granted(tok *oauth2.Token, scopes []string) bool {
	said, _ := tok.Extra("scope").(string)
	has := strings.Fields(said)
	return len(has) == 0 || !slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(has, s) })
}

// valid returns the scopes that RFC 6749, section 3.3 allows, nil if there are none.
func valid(scopes []string) (good []string) {
	for _, scope := range scopes {
		if scope != "" && !strings.ContainsFunc(scope, func(c rune) bool {
			return c <= ' ' || c > '~' || c == '"' || c == '\\'
		}) {
			good = append(good, scope)
		}
	}
	return good
}

// union returns the scopes of a, in their order, and those that b adds.
func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, scope := range b {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	return all
}
