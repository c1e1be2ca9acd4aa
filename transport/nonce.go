package transport

import (
	"net/http"
	"strings"
	"sync"

	"github.com/ccclient/go-ccclient/internal/challenge"
)

const (
	maxNonce        = 2 << 10 // bytes; it comes back to the server in a header, whose size servers limit
	maxNonceOrigins = 1 << 10
)

// nonces holds the latest nonce of each origin. Nonces of different servers are never mixed: RFC 9449, section 8.1.
type nonces struct {
	mu sync.Mutex // guards of
	of map[string]string
}

func (n *nonces) get(origin string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.of[origin]
}

// learn keeps the nonce in h, if there is a lawful one, as the latest of the origin. It reports whether there was one.
func (n *nonces) learn(origin string, h http.Header) bool {
	nonce := h.Get("DPoP-Nonce")
	if !validNonce(nonce) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = make(map[string]string)
	}
	if _, known := n.of[origin]; !known && len(n.of) >= maxNonceOrigins {
		for other := range n.of { // Any will do: the loss of a nonce costs its server one more refusal.
			delete(n.of, other)
			break
		}
	}
	n.of[origin] = strings.Clone(nonce) // not the rest of the response's headers with it
	return true
}

// validNonce checks for nonce = 1*NQCHAR: RFC 9449, section 8.1.
func validNonce(s string) bool {
	if s == "" || len(s) > maxNonce {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// proofRefused reports whether it is the proof that resp refuses, and not the token: for want of a nonce (RFC 9449,
// section 9), or as invalid, which a nonce that comes along may mend, since it stands in for the client's clock.
func proofRefused(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, c := range challenge.Parse(resp.Header) {
		if e := c.Params["error"]; strings.EqualFold(c.Scheme, "DPoP") &&
			(e == "use_dpop_nonce" || e == "invalid_dpop_proof") {
			return true
		}
	}
	return false
}
