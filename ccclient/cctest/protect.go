package cctest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Protect returns a protected resource around h: only requests with a good token reach it. Others get the challenges
// of RFC 6750, section 3: no error for a request without a token, invalid_token for one that is unknown, expired,
// revoked, or bound to a key (RFC 9449) or certificate (RFC 8705) that the sender does not show. Certificates are
// read from the request's TLS state, so the listener must ask for them.
func (s *Server) Protect(h http.Handler) http.Handler { return s.ProtectScopes(h) }

// ProtectScopes is Protect for a resource that asks for scopes: a token without them gets 403 and insufficient_scope.
func (s *Server) ProtectScopes(h http.Handler, scopes ...string) http.Handler {
	scopes = slices.Clone(scopes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.isZero(w) {
			return
		}
		s.count(&s.stats.ResourceRequests)
		c := s.check(r, scopes)
		if r.Header.Get("DPoP") != "" {
			s.giveNonce(w, &s.resourceNonces)
		}
		if c == nil {
			h.ServeHTTP(w, r)
			return
		}
		s.count(&s.stats.ResourceRejected)
		c.write(w, s.allowed(signingAlgs))
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

func (c *challenge) because(status int, code, description string) *challenge {
	c.status, c.code, c.description = status, code, description
	return c
}

func (c *challenge) write(w http.ResponseWriter, algs []string) {
	var b strings.Builder
	b.WriteString(c.scheme + ` realm="cctest"`)
	for _, p := range [][2]string{{"error", c.code}, {"error_description", c.description}, {"scope", c.scope}} {
		if p[1] != "" {
			fmt.Fprintf(&b, `, %s=%q`, p[0], p[1])
		}
	}
	if c.scheme == "DPoP" { // RFC 9449, section 7.1
		fmt.Fprintf(&b, `, algs=%q`, strings.Join(algs, " "))
	}
	w.Header().Set("WWW-Authenticate", b.String())
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(c.status)
}

// check returns the refusal of a request, nil for one that may pass.
func (s *Server) check(r *http.Request, scopes []string) *challenge {
	c := &challenge{status: http.StatusUnauthorized, scheme: "Bearer"}
	authorization := r.Header.Values("Authorization")
	if len(authorization) == 0 {
		return c
	}
	if len(authorization) > 1 {
		return c.because(http.StatusBadRequest, "invalid_request", "more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	token = strings.TrimLeft(token, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
	case strings.EqualFold(scheme, "DPoP"):
		c.scheme = "DPoP"
	default:
		return c // another scheme is as good as no authentication
	}
	g, why := s.lookup(token)
	if why != "" {
		return c.because(http.StatusUnauthorized, "invalid_token", why)
	}
	if code, why := s.checkBinding(r, token, g, c.scheme); why != "" {
		return c.because(http.StatusUnauthorized, code, why)
	}
	for _, scope := range scopes {
		if !slices.Contains(g.scopes, scope) {
			c.scope = strings.Join(scopes, " ")
			return c.because(http.StatusForbidden, "insufficient_scope", "the token lacks a scope")
		}
	}
	return nil
}

// checkBinding demands of the sender what the token is bound to: a key (RFC 9449, section 7) or a certificate (RFC
// 8705, section 3).
func (s *Server) checkBinding(r *http.Request, token string, g *grant, scheme string) (code, why string) {
	if scheme != g.tokenType() { // RFC 9449, section 7.2: no downgrade
		return "invalid_token", "the token is to be used as " + g.tokenType()
	}
	if g.x5t != "" {
		if shown := peerCertificate(r); shown == nil || certificateID(shown.Raw) != g.x5t {
			return "invalid_token", "the token is bound to another certificate"
		}
	}
	if g.jkt == "" {
		return "", ""
	}
	jkt, refused := s.checkProof(r, token, &s.resourceNonces)
	switch {
	case refused != nil:
		return refused.code, refused.description
	case jkt == "":
		return "invalid_dpop_proof", "there is no DPoP proof"
	case jkt != g.jkt:
		return "invalid_token", "the token is bound to another key"
	}
	return "", ""
}
