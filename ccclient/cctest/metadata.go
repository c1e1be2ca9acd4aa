package cctest

import (
	"net/http"
	"slices"
)

// serveMetadata answers by RFC 8414, and OpenID Connect Discovery as far as a client of this grant can tell. tenant
// is the issuer's path.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request, tenant string) {
	s.count(&s.stats.MetadataRequests)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	base := s.mainOrigin(r) + tenant
	issuer := base
	if s.o.Issuer != "" {
		issuer = s.o.Issuer
	}
	methods := s.methods()
	members := map[string]any{
		"issuer":                                issuer,
		"token_endpoint":                        base + "/token",
		"introspection_endpoint":                base + "/introspect",
		"revocation_endpoint":                   base + "/revoke",
		"grant_types_supported":                 slices.Clone(s.o.GrantTypes),
		"response_types_supported":              []string{},
		"token_endpoint_auth_methods_supported": methods,
		"dpop_signing_alg_values_supported":     s.allowed(signingAlgs),
	}
	if s.o.Scopes != nil {
		members["scopes_supported"] = slices.Clone(s.o.Scopes)
	}
	if s.o.JWTAccessTokens {
		members["jwks_uri"] = base + "/jwks"
	}
	var algs []string
	if slices.Contains(methods, PrivateKeyJWT) {
		algs = append(algs, s.allowed(signingAlgs)...)
	}
	if slices.Contains(methods, ClientSecretJWT) {
		algs = append(algs, s.allowed(macAlgs)...)
	}
	if algs != nil {
		members["token_endpoint_auth_signing_alg_values_supported"] = algs
	}
	if slices.ContainsFunc(s.o.Clients, func(c Registration) bool { return c.CertificateBound }) {
		members["tls_client_certificate_bound_access_tokens"] = true
	}
	if _, alias := s.urls(); alias != "" { // RFC 8705, section 5
		members["mtls_endpoint_aliases"] = map[string]string{
			"token_endpoint":         alias + tenant + "/token",
			"introspection_endpoint": alias + tenant + "/introspect",
			"revocation_endpoint":    alias + tenant + "/revoke",
		}
	}
	if s.o.Metadata != nil {
		s.o.Metadata(members)
	}
	writeJSON(w, http.StatusOK, members)
}

// methods returns those that at least one client can use.
func (s *Server) methods() []string {
	var methods []string
	for _, m := range []string{ClientSecretBasic, ClientSecretPost, ClientSecretJWT, PrivateKeyJWT, TLSClientAuth,
		SelfSignedTLSClientAuth, SPIFFEJWT} {
		if slices.ContainsFunc(s.o.Clients, func(c Registration) bool { return c.may(m) }) {
			methods = append(methods, m)
		}
	}
	return methods
}

// allowed returns those of the algorithms that the server takes.
func (s *Server) allowed(algs []string) []string {
	return slices.DeleteFunc(slices.Clone(algs), func(alg string) bool { return !s.allows(alg) })
}
