package tokenresponse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/field"
)

// ErrExpired is in the error for a token that had already expired when it came. A clock may be wrong.
var ErrExpired = errors.New("the token had already expired when it came: " +
	"compare the clocks of this host and of the server")

// ErrNotBound is the error for a token without DPoP where one was asked for: to take it would be a downgrade (RFC 9449,
// section 5).
var ErrNotBound = errors.New("a DPoP token was asked for, but the server issued one that is not bound to the key")

// ErrNeedsKey is the error for a DPoP token that nobody asked for, and that cannot be used without the key.
var ErrNeedsKey = errors.New("the server issued a DPoP token, which cannot be used without a key")

// An UnknownType error is for a token type that the client does not understand, which it must not use (RFC 6749,
// section 7.1). Name is the server's word.
type UnknownType struct{ Name string }

func (e UnknownType) Error() string {
	return fmt.Sprintf("the token is of type %q, neither Bearer nor DPoP", e.Name)
}

// tokenNames are the members that hold tokens. A refresh token makes no sense here (RFC 6749, section 4.4.3), and none
// of them is handed out as an extra.
var tokenNames = []string{"access_token", "refresh_token", "id_token"}

// fieldNames are the other members that oauth2.Token has fields for.
var fieldNames = []string{"token_type", "expires_in"}

// Tokens returns the tokens in m, which belong in no error. Some may be empty.
func (m Members) Tokens() []string {
	var tokens []string
	for _, name := range tokenNames {
		tokens = append(tokens, asText(m[name]))
	}
	return tokens
}

// Token makes a token of the members of a successful response (RFC 6749, section 5.1) to a request that was sent and
// answered when the times say, and that asked for a token bound by DPoP or not. It uses m up unless it fails.
//
// The token's TokenType is "Bearer" or "DPoP". Its Expiry, counted from when the request was sent, is zero if the
// server did not say. No refresh token is kept. Extra returns the members that the token has no fields for, as they
// came, but for "scope": that is the granted scopes separated by spaces, whether the server wrote a string, a list or
// an array, and nil if it wrote none.
func (m Members) Token(sent, received time.Time, dpop bool) (*oauth2.Token, error) {
	var err error
	tok := &oauth2.Token{}
	if tok.AccessToken, err = accessToken(m["access_token"]); err != nil {
		return nil, err
	}
	if tok.TokenType, err = tokenType(m["token_type"], dpop); err != nil {
		return nil, err
	}
	life, err := m.lifetime(sent)
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
		tok = tok.WithExtra(map[string]any(m)) // no other type is looked into
	}
	return tok, nil
}

// accessToken insists on a token that can go into a header: visible ASCII, which is more than RFC 6750's b64token.
func accessToken(v any) (string, error) {
	if v == nil {
		return "", errors.New("the answer has no access_token")
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("the answer's access_token is %s, not a string", jsonKind(v))
	}
	if s == "" {
		return "", errors.New("the answer's access_token is empty")
	}
	if i := field.IndexNotVisible(s); i >= 0 {
		return "", fmt.Errorf("the answer's access_token cannot go into a header: byte %d is 0x%02X", i, s[i])
	}
	return s, nil
}

// tokenType returns the token type by the name that goes into the Authorization header.
func tokenType(v any, dpop bool) (string, error) {
	name, ok := v.(string)
	if !ok && v != nil {
		return "", fmt.Errorf("the answer's token_type is %s, not a string", jsonKind(v))
	}
	// Twitch and Shopify send none; Apigee sends BearerToken; eBay has a name of its own for a bearer token.
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "bearer", "bearertoken", "bearer token", "application access token":
		if dpop {
			return "", ErrNotBound
		}
		return "Bearer", nil
	case "dpop":
		if !dpop {
			return "", ErrNeedsKey
		}
		return "DPoP", nil
	}
	return "", UnknownType{name}
}

// scopes returns the scopes in v, separated by single spaces, and whether v is a list of scopes. RFC 6749 wants a
// string so separated; Shopify and Adobe write commas, Twitch an array. Commas in a string with spaces belong to the
// scopes, save at their ends.
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

// jsonKind names a JSON value's type.
func jsonKind(v any) string {
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
