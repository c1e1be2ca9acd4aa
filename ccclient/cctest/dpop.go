package cctest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	proofAge    = time.Minute // how old a proof may be
	noncePeriod = time.Minute // after which a server has a new nonce
)

// A proofError says why a proof was refused: by a code of RFC 9449, and why.
type proofError struct{ code, description string }

// checkProof follows RFC 9449, section 4.3, and returns the thumbprint of the key that made the one proof of the
// request; empty: there is no proof. With an accessToken the proof must be for it.
//
// A jti counts as used as soon as its signature is good, whatever else is wrong: every attempt needs a proof of its
// own.
func (s *Server) checkProof(r *http.Request, accessToken string, n *nonces) (jkt string, _ *proofError) {
	proofs := r.Header.Values("DPoP")
	if len(proofs) == 0 {
		return "", nil
	}
	bad := func(description string) (string, *proofError) {
		return "", &proofError{"invalid_dpop_proof", description}
	}
	if len(proofs) > 1 {
		return bad("more than one DPoP header")
	}
	j, err := parseSigned(proofs[0])
	if err != nil {
		return bad(err.Error())
	}
	var key jose.JSONWebKey
	switch {
	case j.header.Typ != "dpop+jwt":
		return bad("typ is not dpop+jwt")
	case j.header.JWK == nil || key.UnmarshalJSON(j.header.JWK) != nil:
		return bad("there is no jwk that can be read")
	case !key.IsPublic():
		return bad("jwk is not a public key")
	case !s.allows(j.header.Alg) || !j.verified(key.Key):
		return bad("the jwk does not verify the signature")
	}
	jkt = thumbprint(key)
	nonce := j.text("nonce")
	switch {
	case j.text("jti") == "":
		return bad("jti is missing")
	case !s.once("proof "+jkt, j.text("jti"), proofAge+clockSkew):
		return bad("jti was used before")
	case j.text("htm") != r.Method:
		return bad("htm is not " + r.Method)
	case !sameURL(j.text("htu"), origin(r)+r.URL.EscapedPath()):
		return bad("htu is not the URL of this request without query and fragment")
	case s.o.DPoPNonce && !s.knownNonce(n, nonce):
		return "", &proofError{"use_dpop_nonce", "the proof must have the server's nonce"}
	case !j.issuedWithin(proofAge):
		return bad("iat is missing, stale or in the future")
	}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		if j.text("ath") != base64.RawURLEncoding.EncodeToString(sum[:]) {
			return bad("ath is not the hash of the access token")
		}
	} else if _, has := j.claims["ath"]; has {
		return bad("ath without an access token")
	}
	return jkt, nil
}

// sameURL compares after the normalisation that RFC 9449 recommends; htu has neither query nor fragment.
func sameURL(htu, want string) bool {
	a, errA := url.Parse(htu)
	b, errB := url.Parse(want)
	return errA == nil && errB == nil && !strings.ContainsAny(htu, "?#") && normal(a) == normal(b)
}

func normal(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path
}

// nonces are those that one server gives out: the one of this period, and the one of the period before, which is
// still good. Guarded by Server.mu.
type nonces struct {
	current, previous string
	since             time.Time
}

// nonce returns the one to give out now.
func (s *Server) nonce(n *nonces) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); n.current == "" || now.Sub(n.since) >= noncePeriod {
		n.previous, n.current, n.since = n.current, rand.Text(), now
	}
	return n.current
}

func (s *Server) knownNonce(n *nonces, nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return nonce != "" && slices.Contains([]string{n.current, n.previous}, nonce)
}

// giveNonce puts the current nonce into a response, a success as well as an error (RFC 9449, section 8.2).
func (s *Server) giveNonce(w http.ResponseWriter, n *nonces) {
	if s.o.DPoPNonce {
		w.Header().Set("DPoP-Nonce", s.nonce(n))
	}
}

// RotateDPoPNonces makes all nonces void that were given out so far, by the token endpoint and by the resource. By
// itself the server has a new one each minute, and bears the one before.
func (s *Server) RotateDPoPNonces() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokenNonces, s.resourceNonces = nonces{}, nonces{}
}
