package cctest

import (
	"fmt"
	"time"
)

// A grant is what the server knows of a token. All fields but revoked are written before the token is known to
// anyone.
type grant struct {
	clientID  string
	scopes    []string
	audience  []string
	wanted    string // "claims" as they were asked for
	issuer    string
	shape     string // what was asked for, for RepeatToken
	jkt       string // thumbprint of the DPoP key it is bound to
	x5t       string // thumbprint of the certificate it is bound to
	issuedAt  time.Time
	expiresAt time.Time
	revoked   bool // guarded by Server.mu
}

// tokenType returns the scheme that the token is to be used with.
func (g *grant) tokenType() string {
	if g.jkt != "" {
		return "DPoP"
	}
	return "Bearer"
}

// issue returns a token for g, or the one it gave before if the server is one that repeats, and says how long it
// lives.
func (s *Server) issue(g *grant) (string, time.Duration) {
	now := time.Now()
	g.shape = fmt.Sprintf("%q %q %q %q %q %q", g.clientID, g.scopes, g.audience, g.wanted, g.jkt, g.x5t)
	g.issuedAt = now
	s.mu.Lock()
	lifetime := s.lifetime
	token := s.repeats[g.shape]
	old := s.tokens[token]
	s.mu.Unlock()
	if s.o.RepeatToken && old != nil && old.expiresAt.Sub(now) >= time.Second {
		return token, old.expiresAt.Sub(now)
	}
	g.expiresAt = now.Add(lifetime)
	token = s.newToken(g)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	s.tokens[token] = g
	if s.o.RepeatToken {
		s.repeats[g.shape] = token
	}
	s.stats.TokensIssued++
	return token, lifetime
}

// rename lets a token go by another name.
func (s *Server) rename(token, other string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.tokens[token]
	delete(s.tokens, token)
	s.tokens[other] = g
	if s.o.RepeatToken {
		s.repeats[g.shape] = other
	}
}

// sweep throws dead tokens away whenever their number may have doubled. The caller holds mu.
func (s *Server) sweep(now time.Time) {
	if len(s.tokens) < s.sweepAt {
		return
	}
	for token, g := range s.tokens {
		if !now.Before(g.expiresAt) {
			delete(s.tokens, token)
		}
	}
	for shape, token := range s.repeats {
		if s.tokens[token] == nil {
			delete(s.repeats, shape)
		}
	}
	s.sweepAt = max(1024, 2*len(s.tokens))
}

// lookup returns a token that is good: known, not expired, not revoked. Else why says what is wrong with it.
func (s *Server) lookup(token string) (g *grant, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g = s.tokens[token]
	switch {
	case g == nil:
		return nil, "the token is not known"
	case g.revoked:
		return nil, "the token was revoked"
	case !time.Now().Before(g.expiresAt):
		return nil, "the token has expired"
	}
	return g, ""
}

// Revoke makes an access token void from now on.
func (s *Server) Revoke(accessToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.tokens[accessToken]; g != nil {
		g.revoked = true
	}
}

// RevokeAll makes all tokens void that were issued so far.
func (s *Server) RevokeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.tokens {
		g.revoked = true
	}
}

// SetLifetime sets the life of tokens issued from now on, like Options.Lifetime.
func (s *Server) SetLifetime(d time.Duration) {
	if d == 0 {
		d = DefaultLifetime
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
}
