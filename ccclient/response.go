package ccclient

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// parseToken makes a token of the members of a token response (RFC 6749, section
// 5.1), strictly where that protects and leniently where servers differ. Its
// TokenType is "Bearer" or "DPoP"; its Expiry, counted from when the request was
// sent, is zero if the server did not say. No refresh token is kept.
//
// Extra gives the members that the token has no fields for, as they came, but for
// "scope": the scopes that were granted, separated by spaces, whether the server wrote a string, a list or
// an array; nil if it wrote none.
func parseToken(m map[string]any, dpop bool, sent, received time.Time) (*oauth2.Token, error) {
	var err error
	tok := &oauth2.Token{}
	if tok.AccessToken, err = accessToken(m["access_token"]); err != nil {
		return nil, err
	}
	if tok.TokenType, err = tokenType(m["token_type"], dpop); err != nil {
		return nil, err
	}
	life, err := lifetime(m, sent)
	if err != nil {
		return nil, err
	}
	if life > 0 {
		// Add keeps the monotonic reading, which no setting of the clock moves.
		tok.Expiry = sent.Add(life)
		tok.ExpiresIn = int64(life / time.Second)
		if !received.Before(tok.Expiry) {
			return nil, fmt.Errorf("%w: it lives %v, the answer took %v", ErrExpired, life, received.Sub(sent))
		}
	}
	for _, name := range slices.Concat(tokenNames, fieldNames) {
		delete(m, name)
	}
	if scope, ok := scopes(m["scope"]); ok {
		m["scope"] = scope
	} else {
		delete(m, "scope")
	}
	if len(m) > 0 { // A map costs more than the rest of the token.
		tok = tok.WithExtra(m)
	}
	return tok, nil
}

// tokenNames are the members that hold tokens. A refresh token makes no sense
// here (RFC 6749, section 4.4.3), and none of them is handed out as an extra.
var tokenNames = []string{"access_token", "refresh_token", "id_token"}

// fieldNames are the other members that oauth2.Token has fields for.
var fieldNames = []string{"token_type", "expires_in"}

// accessToken insists on a token that can go into a header: visible ASCII, which
// is more than RFC 6750's b64token.
func accessToken(v any) (string, error) {
	if v == nil {
		return "", errors.New("the answer has no access_token")
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("the answer's access_token is %s, not a string", kind(v))
	}
	if s == "" {
		return "", errors.New("the answer's access_token is empty")
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F {
			return "", fmt.Errorf("the answer's access_token cannot go into a header: byte %d is 0x%02X", i, s[i])
		}
	}
	return s, nil
}

// An unknownType is a token type that the client does not understand, which it
// must not use (RFC 6749, section 7.1).
type unknownType struct{ name string }

func (e unknownType) Error() string {
	return fmt.Sprintf("the token is of type %q: this client takes Bearer tokens, and DPoP tokens with Config.DPoPKey; have the server issue one of these", e.name)
}

// errNotBound protects from a downgrade (RFC 9449, section 5).
var errNotBound = errors.New("a DPoP token was asked for, but the server issued one that is not bound to the key: enable DPoP for this client at the server, or remove Config.DPoPKey")

// errNeedsKey says what a DPoP token needs.
var errNeedsKey = errors.New("the server issued a DPoP token, for which Config.DPoPKey is needed")

func tokenType(v any, dpop bool) (string, error) {
	name, ok := v.(string)
	if !ok && v != nil {
		return "", fmt.Errorf("the answer's token_type is %s, not a string", kind(v))
	}
	// Twitch and Shopify send none; Apigee sends BearerToken; eBay has a name
	// of its own for a bearer token.
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "bearer", "bearertoken", "bearer token", "application access token":
		if dpop {
			return "", errNotBound
		}
		return "Bearer", nil
	case "dpop":
		if !dpop {
			return "", errNeedsKey
		}
		return "DPoP", nil
	}
	return "", unknownType{name}
}

// scopes gives the scopes in v separated by single spaces. RFC 6749 wants a
// string so separated; Shopify and Adobe write commas, Twitch an array. Commas
// in a string with spaces belong to the scopes, save at their ends.
func scopes(v any) (string, bool) {
	var list []string
	switch v := v.(type) {
	case string:
		if list = strings.Fields(v); len(list) == 1 {
			list = strings.Split(list[0], ",")
		}
	case []any:
		for _, e := range v {
			s, _ := e.(string)
			list = append(list, strings.Fields(s)...)
		}
	default:
		return "", false
	}
	kept := list[:0]
	for _, s := range list {
		if s = strings.Trim(s, ","); s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " "), true
}

// kind names a JSON value's type.
func kind(v any) string {
	switch v.(type) {
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case []any:
		return "an array"
	}
	return "an object"
}
