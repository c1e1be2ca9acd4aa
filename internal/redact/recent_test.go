package redact_test

import (
	"testing"

	"github.com/ccclient/go-ccclient/internal/redact"
)

func TestNamesOfSecretsAreKnown(t *testing.T) {
	for _, name := range []string{
		"password", "Passwd", "user_pwd", "passphrase", "passcode", "pass", "PIN", "user_pin", "otp", "mfa_code",
		"client_secret", "SecretAccessKey", "api-key", "X-Api-Key", "apikey", "privateKey", "X-Vault-Token",
		"subject_token",
		"client_assertion", "credential", "aws_credentials", "jwt", "saml2", "signature", "sig", "Cookie",
		"Proxy-Authorization", "session_id", "code_verifier", "ticket",
	} {
		if !redact.SecretName(name) {
			t.Errorf("%s holds no secret", name)
		}
	}
	for _, name := range []string{
		"scope", "audience", "resource", "grant_type", "token_type", "subject_token_type", "client_assertion_type",
		"token_format", "tenant", "account_id", "authorization_details", "username", "client_id", "X-Request-Id", "",
	} {
		if redact.SecretName(name) {
			t.Errorf("%s holds a secret", name)
		}
	}
}
