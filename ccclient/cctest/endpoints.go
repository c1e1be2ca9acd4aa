package cctest

import (
	"net/http"
	"strings"
)

// serveIntrospection answers by RFC 7662. Any client may ask about any token.
func (s *Server) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	form, p := parseForm(w, r)
	if p == nil {
		_, p = s.authenticate(r, form, new(RecordedRequest))
	}
	if p == nil && !form.Has("token") {
		p = invalidRequest("token is missing")
	}
	if p != nil {
		p.write(w)
		return
	}
	g, why := s.lookup(form.Get("token"))
	if why != "" {
		writeJSON(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	members := g.claims()
	members["active"] = true
	members["token_type"] = g.tokenType()
	writeJSON(w, http.StatusOK, members)
}

// claims returns what the server tells of a token, by the names that RFC 7662 and RFC 9068 share.
func (g *grant) claims() map[string]any {
	claims := map[string]any{
		"iss":       g.issuer,
		"sub":       g.clientID,
		"client_id": g.clientID,
		"iat":       g.issuedAt.Unix(),
		"exp":       g.expiresAt.Unix(),
	}
	if len(g.scopes) > 0 {
		claims["scope"] = strings.Join(g.scopes, " ")
	}
	if len(g.audience) > 0 {
		claims["aud"] = g.audience
	}
	if g.jkt != "" || g.x5t != "" { // RFC 7800, RFC 8705 and RFC 9449
		cnf := map[string]string{}
		if g.jkt != "" {
			cnf["jkt"] = g.jkt
		}
		if g.x5t != "" {
			cnf["x5t#S256"] = g.x5t
		}
		claims["cnf"] = cnf
	}
	return claims
}

// serveRevocation answers by RFC 7009: a token that is not known, or is another client's, is no error to a client
// that wants to be rid of it.
func (s *Server) serveRevocation(w http.ResponseWriter, r *http.Request) {
	form, p := parseForm(w, r)
	var c Registration
	if p == nil {
		c, p = s.authenticate(r, form, new(RecordedRequest))
	}
	if p == nil && !form.Has("token") {
		p = invalidRequest("token is missing")
	}
	if p != nil {
		p.write(w)
		return
	}
	if g, why := s.lookup(form.Get("token")); why == "" && g.clientID == c.ID {
		s.Revoke(form.Get("token"))
	}
	w.WriteHeader(http.StatusOK)
}
