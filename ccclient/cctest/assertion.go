package cctest

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The assertion types of RFC 7523, section 2.2, and of the SPIFFE client authentication draft.
const (
	typeJWT    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	typeSPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
)

// How old an assertion may be, and how far ahead it may expire.
const (
	assertionAge  = 5 * time.Minute
	assertionLife = time.Hour
)

// assertion authenticates by a JWT (RFC 7521, 7523 and rfc7523bis; SPIFFE).
func (s *Server) assertion(r *http.Request, form url.Values, req *RecordedRequest) (Registration, *problem) {
	j, err := parseSigned(form.Get("client_assertion"))
	if err != nil {
		return Registration{}, invalidClient("client_assertion: " + err.Error())
	}
	var method string
	switch kind := form.Get("client_assertion_type"); {
	case kind == typeSPIFFE:
		method = SPIFFEJWT
	case kind != typeJWT:
		return Registration{}, invalidClient("client_assertion_type is missing or not known")
	case slices.Contains(macAlgs, j.header.Alg):
		method = ClientSecretJWT
	default:
		method = PrivateKeyJWT
	}
	c, p := s.client(req, s.clientOf(j, method), method)
	if p != nil {
		return Registration{}, p
	}
	if !s.allows(j.header.Alg) || !slices.ContainsFunc(c.keysFor(j, method), j.verified) {
		return Registration{}, invalidClient("no key of the client verifies the assertion")
	}
	req.Claims = j.claims
	why := s.checkAudience(r, j, c)
	if why == "" && c.vouchedFor() {
		why = checkForeignAssertion(j)
	} else if why == "" {
		why = s.checkOwnAssertion(j, c)
	}
	switch {
	case why != "":
		return Registration{}, invalidClient("client_assertion: " + why)
	case form.Has("client_id") && form.Get("client_id") != c.ID:
		return Registration{}, invalidClient("client_id is not the subject of the assertion") // RFC 7521, section 4.2
	}
	return c, nil
}

// clientOf returns the id of the client that an assertion speaks for.
func (s *Server) clientOf(j *signed, method string) string {
	for _, c := range s.o.Clients {
		// A JWT-SVID need not name its issuer, any other assertion must.
		issued := c.AssertionIssuer == j.text("iss")
		if c.AssertionIssuer == "" {
			issued = method == SPIFFEJWT
		}
		if c.vouchedFor() && c.AssertionSubject == j.text("sub") && issued {
			return c.ID
		}
	}
	if c := s.clients[j.text("sub")]; !c.vouchedFor() && j.text("iss") == c.ID {
		return c.ID
	}
	return ""
}

// vouchedFor reports whether somebody else makes the client's assertions.
func (c Registration) vouchedFor() bool { return c.AssertionSubject != "" }

// keysFor returns the keys that may have signed the assertion.
func (c Registration) keysFor(j *signed, method string) []any {
	if method == ClientSecretJWT {
		return []any{[]byte(c.Secret)}
	}
	var keys []any
	for id, key := range c.Keys {
		if id == "" || j.header.KeyID == "" || id == j.header.KeyID {
			keys = append(keys, key)
		}
	}
	return keys
}

// allows reports whether the server takes a signature algorithm.
func (s *Server) allows(alg string) bool {
	return s.o.SigningAlgs == nil || slices.Contains(s.o.SigningAlgs, alg)
}

// checkAudience says what is wrong with the audience, by rfc7523bis: the issuer, as the sole value; and a string in
// what the client makes itself.
func (s *Server) checkAudience(r *http.Request, j *signed, c Registration) string {
	good := []string{s.issuer(r)}
	if s.o.TokenURLAudience {
		good = append(good, origin(r)+r.URL.EscapedPath())
	}
	switch aud := j.claims["aud"].(type) {
	case string:
		if slices.Contains(good, aud) {
			return ""
		}
	case []any:
		if s.o.TokenURLAudience || c.vouchedFor() && len(aud) == 1 {
			for _, v := range aud {
				if v, ok := v.(string); ok && slices.Contains(good, v) {
					return ""
				}
			}
		}
	}
	return fmt.Sprintf("aud is not %s", strings.Join(good, " or "))
}

// checkOwnAssertion says what is wrong with an assertion the client signed for this very request.
func (s *Server) checkOwnAssertion(j *signed, c Registration) string {
	exp, _ := j.date("exp")
	nbf, hasNotBefore := j.date("nbf")
	now := time.Now()
	switch {
	case !slices.Contains([]string{"", "jwt", "client-authentication+jwt"}, strings.ToLower(j.header.Typ)):
		return "typ is for something else"
	case j.header.CertificateID != "" && (c.Certificate == nil ||
		j.header.CertificateID != certificateID(c.Certificate.Raw)):
		return "x5t#S256 names another certificate"
	case !now.Before(exp):
		return "exp is missing or past"
	case exp.Sub(now) > assertionLife:
		return "exp is too far ahead"
	case !j.issuedWithin(assertionAge):
		return "iat is missing, stale or in the future"
	case hasNotBefore && nbf.After(now):
		return "nbf is in the future"
	case j.text("jti") == "":
		return "jti is missing"
	case !s.once("assertion "+c.ID, j.text("jti"), exp.Sub(now)):
		return "jti was used before"
	}
	return ""
}

// checkForeignAssertion says what is wrong with a workload's identity token, which serves for as long as it lives.
func checkForeignAssertion(j *signed) string {
	exp, _ := j.date("exp")
	nbf, hasNotBefore := j.date("nbf")
	now := time.Now()
	switch {
	case !slices.Contains([]string{"", "jwt", "jose"}, strings.ToLower(j.header.Typ)):
		return "typ is for something else"
	case !now.Before(exp):
		return "exp is missing or past"
	case hasNotBefore && nbf.After(now.Add(clockSkew)):
		return "nbf is in the future"
	}
	return ""
}

// certificateID returns the x5t#S256 of a certificate (RFC 7515, section 4.1.8).
func certificateID(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
