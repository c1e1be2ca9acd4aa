package ccclient

import "testing"

func TestEveryErrorCodeIsRegistered(t *testing.T) {
	codes := []ErrorCode{
		InvalidRequest, InvalidClient, InvalidGrant, UnauthorizedClient, UnsupportedGrantType, InvalidScope, AccessDenied,
		ServerError, TemporarilyUnavailable, InvalidTarget, InvalidAuthorizationDetails, UseDPoPNonce, InvalidDPoPProof,
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

func TestOutlookIsThatOfTheStatusBeforeThatOfTheCode(t *testing.T) {
	for _, test := range []struct {
		status int
		code   ErrorCode
		want   outlook
	}{
		{0, "", unclear},
		{200, "", unclear},
		{200, "invalid_auth", unclear},
		{302, "", settled},
		{400, "", settled},
		{400, "quota", settled},
		{400, InvalidScope, settled},
		{400, ServerError, unclear},
		{400, UseDPoPNonce, unclear},
		{400, TemporarilyUnavailable, passing},
		{401, InvalidDPoPProof, unclear},
		{404, "", settled},
		{408, "", passing},
		{425, "", passing},
		{429, InvalidRequest, passing},
		{500, "", passing},
		{500, ServerError, passing},
		{500, InvalidClient, settled},
		{501, "", passing},
		{502, InvalidClient, passing},
		{503, InvalidClient, passing},
		{504, "", passing},
	} {
		if got := outlookOf(test.status, test.code); got != test.want {
			t.Errorf("%d %s: %d, want %d", test.status, test.code, got, test.want)
		}
	}
}
