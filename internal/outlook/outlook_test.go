package outlook_test

import (
	"testing"

	"github.com/ccclient/go-ccclient/internal/outlook"
)

func TestOutlookIsThatOfTheStatusBeforeThatOfTheCode(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   outlook.Outlook
	}{
		{0, "", outlook.Unclear},
		{200, "", outlook.Unclear},
		{200, "invalid_auth", outlook.Unclear},
		{302, "", outlook.Settled},
		{400, "", outlook.Settled},
		{400, "quota", outlook.Settled},
		{400, "invalid_scope", outlook.Settled},
		{400, "server_error", outlook.Unclear},
		{400, "use_dpop_nonce", outlook.Unclear},
		{400, "temporarily_unavailable", outlook.Passing},
		{401, "invalid_dpop_proof", outlook.Unclear},
		{404, "", outlook.Settled},
		{408, "", outlook.Passing},
		{425, "", outlook.Passing},
		{429, "invalid_request", outlook.Passing},
		{500, "", outlook.Passing},
		{500, "server_error", outlook.Passing},
		{500, "invalid_client", outlook.Settled},
		{501, "", outlook.Passing},
		{502, "invalid_client", outlook.Passing},
		{503, "invalid_client", outlook.Passing},
		{504, "", outlook.Passing},
	} {
		if got := outlook.Of(test.status, test.code); got != test.want {
			t.Errorf("%d %s: %d, want %d", test.status, test.code, got, test.want)
		}
	}
}
