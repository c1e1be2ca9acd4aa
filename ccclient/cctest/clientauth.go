package cctest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authenticate checks who asks, by the one method that the request uses (RFC 6749, section 2.3).
func (s *Server) authenticate(r *http.Request, form url.Values, req *RecordedRequest) (Registration, *problem) {
	authorization := r.Header.Values("Authorization")
	var used []string
	if len(authorization) > 0 {
		used = append(used, ClientSecretBasic)
	}
	if form.Has("client_secret") {
		used = append(used, ClientSecretPost)
	}
	if form.Has("client_assertion") || form.Has("client_assertion_type") {
		used = append(used, "client_assertion")
	}
	if len(used) > 1 || len(authorization) > 1 {
		return Registration{}, invalidRequest("more than one client authentication: " + strings.Join(used, ", "))
	}
	switch {
	case len(used) == 0 && peerCertificate(r) != nil && form.Has("client_id"):
		return s.certificate(r, form, req)
	case len(used) == 0:
		return Registration{}, invalidClient("no client authentication")
	case used[0] == ClientSecretBasic:
		return s.basic(authorization[0], form, req)
	case used[0] == ClientSecretPost:
		return s.post(form, req)
	default:
		return s.assertion(r, form, req)
	}
}

// client returns a registered client. An unknown one and a wrong secret get the same answer.
func (s *Server) client(req *RecordedRequest, id, method string) (Registration, *problem) {
	req.ClientID, req.AuthMethod = id, method
	c, ok := s.clients[id]
	switch {
	case !ok:
		return Registration{}, invalidClient("client authentication did not succeed")
	case !c.may(method):
		return Registration{}, invalidClient("the client is not registered for " + method)
	}
	return c, nil
}

// may reports whether the client can use the method.
func (c Registration) may(method string) bool {
	if c.AuthMethods != nil {
		return slices.Contains(c.AuthMethods, method)
	}
	switch method {
	case ClientSecretBasic, ClientSecretPost, ClientSecretJWT:
		return c.Secret != ""
	case PrivateKeyJWT:
		return len(c.Keys) > 0
	case SPIFFEJWT:
		return len(c.Keys) > 0 && strings.HasPrefix(c.AssertionSubject, "spiffe://")
	case TLSClientAuth:
		return c.TLSSubjectDN != "" || c.TLSSAN != ""
	case SelfSignedTLSClientAuth:
		return c.Certificate != nil
	}
	return false
}

func (s *Server) post(form url.Values, req *RecordedRequest) (Registration, *problem) {
	c, p := s.client(req, form.Get("client_id"), ClientSecretPost)
	if p == nil && !same(form.Get("client_secret"), c.Secret) {
		p = invalidClient("client authentication did not succeed")
	}
	return c, p
}

// basic is RFC 6749, section 2.3.1: the id and the secret are form-encoded, then joined and base64-encoded. A client
// for which it is said so sends them as they are.
func (s *Server) basic(authorization string, form url.Values, req *RecordedRequest) (Registration, *problem) {
	scheme, encoded, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Registration{}, invalidClient("the scheme of client authentication must be Basic")
	}
	req.AuthMethod = ClientSecretBasic
	pair, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return Registration{}, invalidClient("the Basic credentials are not base64")
	}
	rawID, rawSecret, ok := strings.Cut(string(pair), ":")
	if !ok {
		return Registration{}, invalidClient("the Basic credentials have no colon")
	}
	c, p := s.basicEncoded(rawID, rawSecret, req)
	if p != nil {
		noted := *req
		if raw, none := s.basicUnencoded(rawID, rawSecret, req); none == nil {
			c, p = raw, nil
		} else {
			*req = noted
		}
	}
	if p == nil && form.Has("client_id") && form.Get("client_id") != c.ID {
		p = invalidRequest("client_id is not the one of the Authorization header")
	}
	return c, p
}

func (s *Server) basicEncoded(rawID, rawSecret string, req *RecordedRequest) (Registration, *problem) {
	id, errID := url.QueryUnescape(rawID)
	secret, errSecret := url.QueryUnescape(rawSecret)
	if errID != nil || errSecret != nil {
		return Registration{}, invalidClient("the Basic credentials are not form-encoded")
	}
	c, p := s.client(req, id, ClientSecretBasic)
	if p == nil && !same(secret, c.Secret) {
		p = invalidClient("client authentication did not succeed")
	}
	return c, p
}

func (s *Server) basicUnencoded(id, secret string, req *RecordedRequest) (Registration, *problem) {
	c, p := s.client(req, id, ClientSecretBasicUnencoded)
	if p == nil && !same(secret, c.Secret) {
		p = invalidClient("client authentication did not succeed")
	}
	return c, p
}

// same compares in constant time, whatever the lengths. No secret is no match.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && b != ""
}
