// Package outlook says what another attempt may bring after a request that failed.
package outlook

import "net/http"

// An Outlook is what another attempt may bring. The zero Outlook is that nothing is known, but for what an answer says:
// see [Of].
type Outlook int

const (
	Unclear   Outlook = iota + 1 // there is no knowing: it is not attempted again soon, and may do better later
	Passing                      // the same request may do better soon
	Settled                      // the same request cannot do better without a change
	NonceOnly                    // it may do better at once, with the DPoP nonce that came
)

// Of returns the outlook of a request that was answered with this status and OAuth error code, either of which may be
// missing.
func Of(status int, code string) Outlook {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return Passing // whatever the code: quota errors come as invalid_request too
	}
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
		"invalid_scope", "access_denied", "invalid_target", "invalid_authorization_details":
		return Settled // also with a 500, which some servers send for an unknown client
	case "temporarily_unavailable":
		return Passing
	case "server_error", "use_dpop_nonce", "invalid_dpop_proof":
		if status < 500 {
			return Unclear
		}
	}
	switch {
	case status >= 500:
		return Passing
	case status >= 300:
		return Settled
	}
	return Unclear
}
