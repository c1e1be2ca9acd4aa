package cctest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	form, p := parseForm(w, r)
	id, f, delay := s.arrive(r, form)
	if !pause(r.Context(), delay) {
		// The client is gone, or the server closes.
		(&problem{status: http.StatusServiceUnavailable, code: "temporarily_unavailable",
			description: "the request has ended"}).write(w)
		return
	}
	req := s.request(id)
	var g *grant
	if p == nil {
		// Also for a request that is to fail: its assertion and its proof count as used, as if an answer had been
		// lost on the way.
		g, p = s.decide(r, form, &req)
	}
	if f != nil {
		req.Status, req.Error = f.status, f.code()
		s.answered(id, req)
		f.write(w)
		return
	}
	if r.Header.Get("DPoP") != "" {
		s.giveNonce(w, &s.tokenNonces)
	}
	if p != nil {
		req.Status, req.Error = p.status, p.code
		s.answered(id, req)
		p.write(w)
		return
	}
	members := s.response(g, req)
	req.Status = http.StatusOK
	s.answered(id, req)
	writeJSON(w, http.StatusOK, members)
}

// decide returns what the client is to get, by RFC 6749, section 4.4. What it learns of the request it notes in req.
func (s *Server) decide(r *http.Request, form url.Values, req *RecordedRequest) (*grant, *problem) {
	client, p := s.authenticate(r, form, req)
	if p != nil {
		return nil, p
	}
	switch grantType := form.Get("grant_type"); {
	case grantType == "":
		return nil, invalidRequest("grant_type is missing")
	case !slices.Contains(s.o.GrantTypes, grantType):
		return nil, &problem{status: http.StatusBadRequest, code: "unsupported_grant_type",
			description: "this server knows " + strings.Join(s.o.GrantTypes, ", ")}
	}
	g := &grant{clientID: client.ID, issuer: s.issuer(r), wanted: form.Get("claims")}
	if g.scopes, p = s.grantScopes(client, form.Get("scope")); p != nil {
		return nil, p
	}
	if g.audience, p = audience(form); p != nil {
		return nil, p
	}
	if p = s.bind(r, client, g); p != nil {
		return nil, p
	}
	req.DPoPKey = g.jkt
	return g, nil
}

// bind ties the token to what the client showed that it has: RFC 8705, section 3, and RFC 9449, section 5.
func (s *Server) bind(r *http.Request, c Registration, g *grant) *problem {
	if c.CertificateBound {
		shown := peerCertificate(r)
		if shown == nil {
			return invalidRequest("this client's tokens are bound to a certificate, and there is none")
		}
		g.x5t = certificateID(shown.Raw)
	}
	jkt, refused := s.checkProof(r, "", &s.tokenNonces)
	if refused == nil && jkt == "" && c.RequireDPoP {
		refused = &proofError{"invalid_dpop_proof", "this client must send a DPoP proof"}
	}
	if refused != nil {
		return &problem{status: http.StatusBadRequest, code: refused.code, description: refused.description}
	}
	g.jkt = jkt
	return nil
}

// response issues the token, and returns what the client is told of it.
func (s *Server) response(g *grant, req RecordedRequest) map[string]any {
	token, remaining := s.issue(g)
	members := map[string]any{
		"access_token": token,
		"token_type":   g.tokenType(),
		"expires_in":   wholeSeconds(remaining),
	}
	if len(g.scopes) > 0 {
		members["scope"] = strings.Join(g.scopes, " ")
	}
	if s.o.TokenResponse != nil {
		s.o.TokenResponse(req.clone(), members)
		if other, ok := members["access_token"].(string); ok && other != token {
			s.rename(token, other)
		}
	}
	return members
}

// wholeSeconds rounds down, but not to zero, which would mean something else to many clients.
func wholeSeconds(d time.Duration) int64 {
	if 0 < d && d < time.Second {
		return 1
	}
	return int64(d / time.Second)
}

// grantScopes returns the scopes that the client gets, by RFC 6749, section 3.3.
func (s *Server) grantScopes(c Registration, asked string) ([]string, *problem) {
	if asked == "" {
		return slices.Clone(c.Scopes), nil
	}
	var scopes []string
	for scope := range strings.SplitSeq(asked, " ") {
		if !validScope(scope) {
			return nil, &problem{status: http.StatusBadRequest, code: "invalid_scope",
				description: "the scope is malformed"}
		}
		for _, known := range [][]string{s.o.Scopes, c.Scopes} {
			if known != nil && !slices.Contains(known, scope) {
				return nil, &problem{status: http.StatusBadRequest, code: "invalid_scope",
					description: fmt.Sprintf("scope %s is not for this client", scope)}
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

// audience returns whom the token is for: RFC 8707's resources, and the audience parameter that several providers
// know.
func audience(form url.Values) ([]string, *problem) {
	for _, resource := range form["resource"] {
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			return nil, &problem{status: http.StatusBadRequest, code: "invalid_target",
				description: "a resource must be an absolute URI without a fragment"}
		}
	}
	return slices.Concat(form["resource"], form["audience"]), nil
}
