package cctest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
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
	return s.protect(h, func(g *grant, c *challenge) *challenge {
		for _, scope := range scopes {
			if !slices.Contains(g.scopes, scope) {
				c.scope = strings.Join(scopes, " ")
				return c.because(http.StatusForbidden, "insufficient_scope", "the token lacks a scope")
			}
		}
		return nil
	})
}

// ProtectClaims is Protect for a resource that wants tokens which were asked for with claims, a JSON object: those that
// were not, or with other members, get 401 and Microsoft Entra's claims challenge, insufficient_claims. It panics if
// claims is no JSON object.
func (s *Server) ProtectClaims(h http.Handler, claims string) http.Handler {
	var wanted map[string]any
	if err := json.Unmarshal([]byte(claims), &wanted); err != nil {
		panic("cctest: ProtectClaims: " + err.Error())
	}
	return s.protect(h, func(g *grant, c *challenge) *challenge {
		var got map[string]any
		if err := json.Unmarshal([]byte(g.wanted), &got); err == nil && includes(got, wanted) {
			return nil
		}
		c.claims = base64.StdEncoding.EncodeToString([]byte(claims))
		return c.because(http.StatusUnauthorized, "insufficient_claims", "the token was asked for without these claims")
	})
}

// includes reports whether got has all members of wanted, and those of the objects among them.
func includes(got, wanted map[string]any) bool {
	for name, want := range wanted {
		inner, isObject := want.(map[string]any)
		has, _ := got[name].(map[string]any)
		if isObject && has != nil && includes(has, inner) {
			continue
		}
		if value, ok := got[name]; !ok || !reflect.DeepEqual(value, want) {
			return false
		}
	}
	return true
}

// protect returns a resource around h, for good tokens of which enough, given an empty challenge, returns nil.
func (s *Server) protect(h http.Handler, enough func(*grant, *challenge) *challenge) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.isZero(w) {
			return
		}
		s.count(&s.stats.ResourceRequests)
		c := s.check(r, enough)
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
	claims      string // in base64
}

func (c *challenge) because(status int, code, description string) *challenge {
	c.status, c.code, c.description = status, code, description
	return c
}

func (c *challenge) write(w http.ResponseWriter, algs []string) {
	var b strings.Builder
	b.WriteString(c.scheme + ` realm="cctest"`)
	for _, p := range [][2]string{
		{"error", c.code}, {"error_description", c.description}, {"scope", c.scope}, {"claims", c.claims},
	} {
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
func (s *Server) check(r *http.Request, enough func(*grant, *challenge) *challenge) *challenge {
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
	return enough(g, c)
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
