package cctest

import (
	"net/http"
	"slices"
	"strings"
)

// serveIntrospection is RFC 7662. Any client may ask about any token.
func (s *Server) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	form, p := parseForm(w, r)
	if p == nil {
		_, p = s.authenticate(r, form, new(TokenRequest))
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

// claims are what the server tells of a token, by the names that RFC 7662 and
// RFC 9068 share.
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
	return claims
}

// serveRevocation is RFC 7009: a token that is not known, or is another
// client's, is no error to a client that wants to be rid of it.
func (s *Server) serveRevocation(w http.ResponseWriter, r *http.Request) {
	form, p := parseForm(w, r)
	var c Client
	if p == nil {
		c, p = s.authenticate(r, form, new(TokenRequest))
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

// serveMetadata is RFC 8414, and OpenID Connect Discovery as far as a client
// of this grant can tell.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request, tenant string) {
	s.count(&s.stats.MetadataRequests)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	base := origin(r) + tenant
	issuer := base
	if s.o.Issuer != "" {
		issuer = s.o.Issuer
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                issuer,
		"token_endpoint":                        base + "/token",
		"introspection_endpoint":                base + "/introspect",
		"revocation_endpoint":                   base + "/revoke",
		"grant_types_supported":                 s.o.GrantTypes,
		"token_endpoint_auth_methods_supported": s.methods(),
	})
}

// methods are those that at least one client can use.
func (s *Server) methods() []string {
	var methods []string
	for _, m := range []string{ClientSecretBasic, ClientSecretPost, ClientSecretJWT, PrivateKeyJWT, TLSClientAuth, SelfSignedTLSClientAuth} {
		if slices.ContainsFunc(s.o.Clients, func(c Client) bool { return c.may(m) }) {
			methods = append(methods, m)
		}
	}
	return methods
}
