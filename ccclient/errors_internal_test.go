package ccclient

import "testing"

func TestEveryErrorCodeIsRegistered(t *testing.T) {
	codes := []ErrorCode{
		InvalidRequest, InvalidClient, InvalidGrant, UnauthorizedClient, UnsupportedGrantType, InvalidScope,
		AccessDenied, ServerError, TemporarilyUnavailable, InvalidTarget, InvalidAuthorizationDetails, UseDPoPNonce,
		InvalidDPoPProof,
	}
	for _, code := range codes {
		if !code.registered() {
			t.Errorf("%s", code)
		}
	}
	for _, code := range []ErrorCode{"", "INVALID_CLIENT", "invalid_token"} {
		if code.registered() {
			t.Errorf("%q is registered", string(code))
		}
	}
}
