package cctest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Protect makes a protected resource of h: only requests with a good token
// reach it. Others get the challenges of RFC 6750, section 3: no error for a
// request without a token, invalid_token for one that is unknown, expired,
// revoked, or used otherwise than it may be.
func (s *Server) Protect(h http.Handler) http.Handler { return s.ProtectScopes(h) }

// ProtectScopes is Protect for a resource that asks for scopes: a token
// without them gets 403 and insufficient_scope.
func (s *Server) ProtectScopes(h http.Handler, scopes ...string) http.Handler {
	scopes = slices.Clone(scopes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.count(&s.stats.ResourceRequests)
		c := s.check(r, scopes)
		if c == nil {
			h.ServeHTTP(w, r)
			return
		}
		s.count(&s.stats.ResourceRejected)
		c.write(w)
	})
}

// A challenge is the resource's refusal (RFC 6750, section 3).
type challenge struct {
	status      int
	scheme      string
	code        string
	description string
	scope       string
}

func (c *challenge) write(w http.ResponseWriter) {
	var b strings.Builder
	b.WriteString(c.scheme + ` realm="cctest"`)
	for _, p := range [][2]string{{"error", c.code}, {"error_description", c.description}, {"scope", c.scope}} {
		if p[1] != "" {
			fmt.Fprintf(&b, `, %s=%q`, p[0], p[1])
		}
	}
	w.Header().Set("WWW-Authenticate", b.String())
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(c.status)
}

// check is nil for a request that may pass.
func (s *Server) check(r *http.Request, scopes []string) *challenge {
	c := &challenge{status: http.StatusUnauthorized, scheme: "Bearer"}
	authorization := r.Header.Values("Authorization")
	if len(authorization) == 0 {
		return c
	}
	if len(authorization) > 1 {
		c.status, c.code, c.description = http.StatusBadRequest, "invalid_request", "more than one Authorization header"
		return c
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return c // another scheme is as good as no authentication
	}
	g, why := s.lookup(strings.TrimLeft(token, " "))
	if why != "" {
		c.code, c.description = "invalid_token", why
		return c
	}
	for _, scope := range scopes {
		if !slices.Contains(g.scopes, scope) {
			c.status, c.code, c.description = http.StatusForbidden, "insufficient_scope", "the token lacks a scope"
			c.scope = strings.Join(scopes, " ")
			return c
		}
	}
	return nil
}
