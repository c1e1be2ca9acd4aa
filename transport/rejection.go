package transport

import (
	"net/http"
	"strings"

	"github.com/ccclient/go-ccclient/internal/challenge"
	"github.com/ccclient/go-ccclient/internal/hosts"
)

// A Rejection is a response that did not like the token of a request, or wanted one that has more, or did not like the
// proof that came with it, and what became of the request.
type Rejection struct {
	Host       string // that was asked, without the port
	Port       int    // that was asked; that of the scheme where the URL has none
	StatusCode int
	Error      string // the code in a Bearer or DPoP challenge, if it is a registered one; else empty
	Proof      bool   // it is the DPoP proof that was refused, for want of a nonce or as invalid; the token may be good
	Healed     bool   // the request was sent again, and that answer was no Rejection
}

// A watch tells Transport.OnRejection what became of the answers to one request.
type watch struct {
	t       *Transport
	req     *http.Request
	pending Rejection // of which it is not known yet whether it is healed; without a StatusCode there is none
}

// answered says that resp has come.
func (w *watch) answered(resp *http.Response) {
	if w.t.OnRejection == nil || resp.StatusCode < 400 && w.t.Rejected == nil && w.pending.StatusCode == 0 {
		return // as nearly all are
	}
	latest := w.t.rejection(w.req, resp)
	w.pending.Healed = latest.StatusCode == 0
	w.end()
	w.pending = latest
}

// end says that there is no further answer.
func (w *watch) end() {
	if w.pending.StatusCode != 0 {
		w.t.OnRejection(w.req.Context(), w.pending)
	}
}

// rejection returns what resp, an answer to req, rejects; zero if it rejects nothing.
func (t *Transport) rejection(req *http.Request, resp *http.Response) (r Rejection) {
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		r.Error = challengeError(resp.Header)
		r.Proof = t.DPoP != nil && proofRefused(resp)
	}
	if !r.Proof && r.Error == "" && !t.rejected(resp) {
		return Rejection{}
	}
	r.Host, r.Port = hosts.Split(req.URL)
	r.StatusCode = resp.StatusCode
	return r
}

// challengeError returns the first registered error code of a Bearer or DPoP challenge.
func challengeError(h http.Header) string {
	for _, c := range challenge.Parse(h) {
		if !strings.EqualFold(c.Scheme, "Bearer") && !strings.EqualFold(c.Scheme, "DPoP") {
			continue
		}
		switch e := c.Params["error"]; e {
		case "invalid_request", "invalid_token", "insufficient_scope", // RFC 6750, section 3.1
			"use_dpop_nonce", "invalid_dpop_proof", // RFC 9449, sections 7.1 and 9
			"insufficient_user_authentication", // RFC 9470, section 3
			"insufficient_claims":              // Microsoft Entra's claims challenge
			return e
		}
	}
	return ""
}
