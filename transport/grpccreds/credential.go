package grpccreds

import (
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/transport"
)

const authorization = "authorization"

// creds are the credentials of a connection, and its interceptors.
type creds struct {
	source  Source
	options Options
	last    atomic.Pointer[credential]
}

func newCreds(s Source, o Options) *creds {
	o.AllowedHosts = slices.Clone(o.AllowedHosts)
	if o.ReplayLimit == 0 {
		o.ReplayLimit = defaultReplayLimit
	}
	return &creds{source: s, options: o}
}

// A credential is a token and the metadata made of it. Building that costs more than the rest of an RPC's
// authorization, so the last one is kept for as long as the source returns the same token.
type credential struct {
	token    *oauth2.Token
	value    string
	metadata map[string]string // read only: RPCs share it
}

func (c *creds) credential(tok *oauth2.Token) (*credential, error) {
	if cred := c.last.Load(); cred != nil && cred.token == tok {
		return cred, nil
	}
	switch {
	case tok == nil || tok.AccessToken == "":
		return nil, refusef(nil, "no token: the source returned an empty one")
	case strings.EqualFold(tok.TokenType, "DPoP"):
		return nil, refusef(transport.ErrTokenType, "the token is bound by DPoP, whose proofs are for HTTP requests and have no "+
			"form for gRPC (RFC 9449): get it from a client without DPoPKey")
	case tok.TokenType != "" && !strings.EqualFold(tok.TokenType, "Bearer"):
		return nil, refusef(transport.ErrTokenType, "the token's type is %.40q, not Bearer", tok.TokenType)
	}
	for i := range len(tok.AccessToken) {
		if b := tok.AccessToken[i]; b <= ' ' || b > '~' {
			return nil, refusef(nil, "the token holds a character that may not be in metadata")
		}
	}
	value := "Bearer " + tok.AccessToken
	cred := &credential{token: tok, value: value, metadata: map[string]string{authorization: value}}
	c.last.Store(cred)
	return cred, nil
}

// invalidate tells the source, if it wants to know, that tok was rejected.
func (c *creds) invalidate(tok *oauth2.Token) {
	if s, ok := c.source.(transport.Invalidator); ok {
		s.Invalidate(tok)
	}
}
