package ccclient

import (
	"strings"
	"testing"
)

// FuzzEnvironment holds what the environment may say to three rules: nothing panics, no error repeats the secret, and a
// Config without a fault is one that New takes.
func FuzzEnvironment(f *testing.F) {
	const secret = "canary-0123456789"
	f.Add("T_", "T_ISSUER=https://as.example.com\x00T_CLIENT_ID=x\x00T_SCOPES=a b")
	f.Add("", "TOKEN_URL=http://127.0.0.1/\x00CLIENT_ID=x\x00ENDPOINT_PARAMS=a=%26&b=c+d\x00PATH=/bin")
	f.Add("T_", "T_TOKEN_URL=https://as/\x00T_CLIENT_ID=x\x00T_RESOURCES=urn:a b:c\x00T_ALLOWED_HOSTS=*.x [::1]:8\x00T_SCOPE=")
	f.Add("T_", "T_ISSUER=https://as/a//\x00T_CLIENT_ID=x\x00T_AUTH_METHOD=client_secret_jwt\x00T_KEY_ID=\xff\x00T_INSECURE_HTTP=1")
	f.Add("T_", "T_ISSUER=https://as:x\x00T_CLIENT_ID=x\x00T_AUDIENCE=y\x00T_ENDPOINT_PARAMS=grant_type=x&audience=z")
	f.Fuzz(func(t *testing.T, prefix, variables string) {
		var environ []string
		for v := range strings.SplitSeq(variables, "\x00") {
			if name, _, _ := strings.Cut(v, "="); !strings.HasSuffix(name, "_FILE") { // which may name anything
				environ = append(environ, v)
			}
		}
		environ = append(environ, prefix+"CLIENT_SECRET="+secret)
		cfg, err := configFromEnv(prefix, environ)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the secret is in %v", err)
			}
			return
		}
		client, err := New(cfg)
		if err != nil {
			t.Fatalf("New does not take what the environment says: %v", err)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
}
