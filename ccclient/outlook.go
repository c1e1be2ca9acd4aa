package ccclient

import "net/http"

// An outlook is what another attempt may bring. The zero outlook of an [Error] is that of its status and code.
type outlook int

const (
	_         outlook = iota
	unclear           // there is no knowing: it is not attempted again soon, and may do better later
	passing           // the same request may do better soon
	settled           // the same request cannot do better without a change
	nonceOnly         // it may do better at once, with the DPoP nonce that came
)

// outlookOf returns the outlook of a request that was answered so.
func outlookOf(status int, code ErrorCode) outlook {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return passing // whatever the code: quota errors come as invalid_request too
	}
	switch code {
	case InvalidRequest, InvalidClient, InvalidGrant, UnauthorizedClient, UnsupportedGrantType, InvalidScope,
		AccessDenied, InvalidTarget, InvalidAuthorizationDetails:
		return settled // also with a 500, which some servers send for an unknown client
	case TemporarilyUnavailable:
		return passing
	case ServerError, UseDPoPNonce, InvalidDPoPProof:
		if status < 500 {
			return unclear
		}
	}
	switch {
	case status >= 500:
		return passing
	case status >= 300:
		return settled
	}
	return unclear
}
