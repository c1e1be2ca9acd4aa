package cctest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A grant is what the server knows of a token. All fields but revoked are
// written before the token is known to anyone.
type grant struct {
	clientID  string
	scopes    []string
	audience  []string
	issuer    string
	shape     string // what was asked for, for RepeatToken
	issuedAt  time.Time
	expiresAt time.Time
	revoked   bool // guarded by Server.mu
}

// tokenType is the scheme that the token is to be used with.
func (g *grant) tokenType() string { return "Bearer" }

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	form, p := parseForm(w, r)
	id, f, delay := s.arrive(r, form)
	if !pause(r.Context(), delay) {
		// The client is gone, or the server closes.
		(&problem{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", description: "the request has ended"}).write(w)
		return
	}
	req := s.request(id)
	if f != nil {
		req.Status, req.Error = f.status, f.code()
		s.answered(id, req)
		f.write(w)
		return
	}
	var members map[string]any
	if p == nil {
		members, p = s.grantToken(r, form, &req)
	}
	if p != nil {
		req.Status, req.Error = p.status, p.code
		s.answered(id, req)
		p.write(w)
		return
	}
	req.Status = http.StatusOK
	s.answered(id, req)
	writeJSON(w, http.StatusOK, members)
}

// grantToken is RFC 6749, section 4.4. What it learns of the request it notes
// in req.
func (s *Server) grantToken(r *http.Request, form url.Values, req *TokenRequest) (map[string]any, *problem) {
	client, p := s.authenticate(r, form, req)
	if p != nil {
		return nil, p
	}
	switch grantType := form.Get("grant_type"); {
	case grantType == "":
		return nil, invalidRequest("grant_type is missing")
	case !slices.Contains(s.o.GrantTypes, grantType):
		return nil, &problem{status: http.StatusBadRequest, code: "unsupported_grant_type", description: "this server knows " + strings.Join(s.o.GrantTypes, ", ")}
	}
	g := &grant{clientID: client.ID, issuer: s.issuer(r)}
	if g.scopes, p = s.grantScopes(client, form.Get("scope")); p != nil {
		return nil, p
	}
	if g.audience, p = audience(form); p != nil {
		return nil, p
	}

	token, remaining := s.issue(g, form)
	members := map[string]any{
		"access_token": token,
		"token_type":   g.tokenType(),
		"expires_in":   wholeSeconds(remaining),
	}
	if len(g.scopes) > 0 {
		members["scope"] = strings.Join(g.scopes, " ")
	}
	if s.o.TokenResponse != nil {
		s.o.TokenResponse(*req, members)
		if other, ok := members["access_token"].(string); ok && other != token {
			s.rename(token, other)
		}
	}
	return members, nil
}

// wholeSeconds rounds down, but not to zero, which would mean something else
// to many clients.
func wholeSeconds(d time.Duration) int64 {
	if 0 < d && d < time.Second {
		return 1
	}
	return int64(d / time.Second)
}

// grantScopes is RFC 6749, section 3.3.
func (s *Server) grantScopes(c Client, asked string) ([]string, *problem) {
	if asked == "" {
		return slices.Clone(c.Scopes), nil
	}
	var scopes []string
	for scope := range strings.SplitSeq(asked, " ") {
		if !validScope(scope) {
			return nil, &problem{status: http.StatusBadRequest, code: "invalid_scope", description: "the scope is malformed"}
		}
		for _, known := range [][]string{s.o.Scopes, c.Scopes} {
			if known != nil && !slices.Contains(known, scope) {
				return nil, &problem{status: http.StatusBadRequest, code: "invalid_scope", description: fmt.Sprintf("scope %s is not for this client", scope)}
			}
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

func validScope(scope string) bool {
	for i := range len(scope) {
		if c := scope[i]; c <= ' ' || c == '"' || c == '\\' || c > '~' {
			return false
		}
	}
	return scope != ""
}

// audience collects whom the token is for: RFC 8707's resources, and the
// audience parameter that several providers know.
func audience(form url.Values) ([]string, *problem) {
	for _, resource := range form["resource"] {
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			return nil, &problem{status: http.StatusBadRequest, code: "invalid_target", description: "a resource must be an absolute URI without a fragment"}
		}
	}
	return slices.Concat(form["resource"], form["audience"]), nil
}

// issue makes a token for g, or finds the one it gave before if the server is
// one that repeats, and says how long it lives.
func (s *Server) issue(g *grant, form url.Values) (string, time.Duration) {
	now := time.Now()
	g.shape = fmt.Sprintf("%q %q %q", g.clientID, g.scopes, g.audience)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.RepeatToken {
		token := s.repeats[g.shape]
		if old := s.tokens[token]; old != nil && old.expiresAt.Sub(now) >= time.Second {
			return token, old.expiresAt.Sub(now)
		}
	}
	s.sweep(now)
	g.issuedAt = now
	g.expiresAt = now.Add(s.lifetime)
	token := rand.Text()
	s.tokens[token] = g
	s.repeats[g.shape] = token
	s.stats.TokensIssued++
	return token, s.lifetime
}

// rename lets a token go by another name.
func (s *Server) rename(token, other string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.tokens[token]
	delete(s.tokens, token)
	s.tokens[other] = g
	s.repeats[g.shape] = other
}

// sweep throws dead tokens away whenever their number may have doubled. The
// caller holds mu.
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

// lookup finds a token that is good: known, not expired, not revoked. Else
// why says what is wrong with it.
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

// SetLifetime sets the life of tokens issued from now on, like
// Options.Lifetime.
func (s *Server) SetLifetime(d time.Duration) {
	if d == 0 {
		d = DefaultLifetime
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifetime = d
}
