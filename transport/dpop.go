package transport

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/internal/jws"
)

// DPoP makes the proofs that bind tokens to a key (RFC 9449) and keeps the nonces that servers ask for in them. Made
// by [NewDPoP], it is safe for concurrent use if the key is. The token endpoint and every [Transport] that spends its
// tokens share one: the key must be the same, and nonces are kept apart by origin anyway.
type DPoP struct {
	thumbprint string
	signer     atomic.Pointer[jws.Signer]
	newSigner  func(algorithm string) (*jws.Signer, error) // holds the key
	algorithms []string                                    // that fit the key, the first preferred
	nonces     *nonces
}

// NewDPoP returns a DPoP with key, which may be RSA of at least 2048 bits, ECDSA over P-256, P-384 or P-521, Ed25519,
// or whatever signs for one of these, such as a key in a KMS. The algorithm is RS256, that of the curve, or EdDSA,
// unless [DPoP.Negotiate] finds out better.
func NewDPoP(key crypto.Signer) (*DPoP, error) {
	pub, err := jws.Public(key)
	if err != nil {
		return nil, faultf("DPoP key: %w", err)
	}
	algorithms, err := jws.Algorithms(pub)
	if err != nil {
		return nil, faultf("DPoP key: %w", err)
	}
	jwk := jose.JSONWebKey{Key: pub} // the public half alone, and nothing but what its kind requires
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, faultf("DPoP key: %w", err)
	}
	d := &DPoP{
		thumbprint: base64.RawURLEncoding.EncodeToString(thumbprint),
		newSigner: func(algorithm string) (*jws.Signer, error) {
			return jws.NewSigner(key, algorithm, map[string]any{"typ": "dpop+jwt", "jwk": jwk})
		},
		algorithms: algorithms,
		nonces:     new(nonces),
	}
	signer, err := d.newSigner(algorithms[0])
	if err != nil {
		return nil, faultf("DPoP key: %w", err)
	}
	d.signer.Store(signer)
	return d, nil
}

// Thumbprint returns the JWK thumbprint of the public key, SHA-256 in base64url (RFC 7638): what "cnf" of a bound
// token has as "jkt", and what belongs into the key of a cache of bound tokens.
//
// It is empty for a DPoP that NewDPoP has not made.
func (d *DPoP) Thumbprint() string {
	if d == nil {
		return ""
	}
	return d.thumbprint
}

// Negotiate chooses the first algorithm of the key that is in supported, which is "dpop_signing_alg_values_supported"
// of a server's metadata. An empty list, a server that does not say, changes nothing; no match is an error.
func (d *DPoP) Negotiate(supported []string) error {
	if d == nil || d.newSigner == nil {
		return errZeroDPoP
	}
	if len(supported) == 0 {
		return nil
	}
	for _, algorithm := range d.algorithms {
		if slices.Contains(supported, algorithm) {
			signer, err := d.newSigner(algorithm)
			if err != nil {
				return faultf("DPoP key: %w", err)
			}
			d.signer.Store(signer)
			return nil
		}
	}
	return faultf("the DPoP key signs with %s, the server supports %.200q",
		strings.Join(d.algorithms, ", "), strings.Join(supported, ", "))
}

// Sign sets the one DPoP header of r to a fresh proof: for r's method and URL, for accessToken unless that is empty
// (as it is at the token endpoint), and with the latest nonce of r's origin. Each attempt at a request needs its own.
// The header map of r is modified.
func (d *DPoP) Sign(r *http.Request, accessToken string) error {
	if d == nil {
		return errZeroDPoP
	}
	return d.sign(r, tokenHash(accessToken), "")
}

// sign is Sign for the token with that hash, with a nonce; empty: the latest.
func (d *DPoP) sign(r *http.Request, hash, nonce string) error {
	signer := d.signer.Load()
	if signer == nil {
		return errZeroDPoP
	}
	if r.URL == nil || r.URL.Host == "" {
		return faultf("a DPoP proof is for a URL with a host, and the request has none")
	}
	origin, path, err := target(r)
	if err != nil {
		return err
	}
	if nonce == "" {
		nonce = d.nonces.get(origin)
	}
	proof, err := signer.Sign(claims(r.Method, origin+path, hash, nonce))
	if err != nil {
		return faultf("DPoP proof: %w", err)
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	deleteField(r.Header, "DPoP") // under any key: not all are put there by Header.Set
	r.Header["Dpop"] = []string{proof}
	return nil
}

// Learn keeps the nonce that resp carries, if it carries one, for the origin of resp.Request, in place of the one
// before (RFC 9449, section 8.2: from any response, not only from those that refuse). It reports whether it did. A
// token endpoint that refused with use_dpop_nonce deserves a second request, with a fresh proof, exactly then.
func (d *DPoP) Learn(resp *http.Response) bool {
	if d == nil || d.nonces == nil || resp == nil || resp.Request == nil || resp.Request.URL == nil {
		return false
	}
	return d.nonces.learn(origin(resp.Request), resp.Header)
}

// Format prints the thumbprint of the key, for every verb.
func (d *DPoP) Format(f fmt.State, _ rune) { io.WriteString(f, d.text()) }

// MarshalText returns what Format prints, for encoding/json and log/slog.
func (d *DPoP) MarshalText() ([]byte, error) { return []byte(d.text()), nil }

func (d *DPoP) text() string { return "transport.DPoP(" + d.Thumbprint() + ")" }

var errZeroDPoP = faultf("a DPoP is made by NewDPoP")

// tokenHash returns the "ath" of a token: RFC 9449, section 4.2. There is none for no token.
func tokenHash(accessToken string) string {
	if accessToken == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// claims returns the payload of a proof: RFC 9449, section 4.2.
func claims(method, uri, hash, nonce string) []byte {
	b := make([]byte, 0, 512)
	b = append(b, `{"jti":"`...)
	b = append(b, rand.Text()...) // 130 random bits; 96 are asked for
	b = append(b, `","htm":`...)
	b = appendString(b, cmp.Or(method, http.MethodGet))
	b = append(b, `,"htu":`...)
	b = appendString(b, uri)
	b = append(b, `,"iat":`...)
	b = strconv.AppendInt(b, time.Now().Unix(), 10)
	if hash != "" {
		b = append(b, `,"ath":"`...)
		b = append(b, hash...)
		b = append(b, '"')
	}
	if nonce != "" {
		b = append(b, `,"nonce":`...)
		b = appendString(b, nonce)
	}
	return append(b, '}')
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // never of a string
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
