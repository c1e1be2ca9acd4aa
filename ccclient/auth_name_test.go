package ccclient_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

func TestMethodIsHadByItsName(t *testing.T) {
	secret := ccclient.SecretString(longSecret)
	key := ccclient.KeyFile(keys + "p256.sec1.pem")
	for name, parameter := range map[string]string{
		"client_secret_basic": "", "client_secret_basic_unencoded": "", "client_secret_post": "client_secret",
		"client_secret_jwt": "client_assertion", "private_key_jwt": "client_assertion",
		"tls_client_auth": "client_id", "self_signed_tls_client_auth": "client_id",
	} {
		auth, err := ccclient.AuthByName(name, secret, key, ccclient.AssertionOptions{KeyID: "k1"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := authenticated(t, auth, asIssuer)
		known := fmt.Sprint(auth) == name || fmt.Sprint(auth) == strings.TrimPrefix(name, "self_signed_")
		proven := c.Form.Has(parameter) || parameter == "" && c.Header.Get("Authorization") != ""
		if !known || !proven {
			t.Errorf("%s: %v with %v", name, auth, c)
		}
		if parameter == "client_assertion" {
			if header := joseHeader(c.Form.Get(parameter)); header["kid"] != "k1" {
				t.Errorf("%s: the options are lost: %v", name, header)
			}
		}
	}
	if _, err := ccclient.AuthByName("tls_client_auth", nil, nil, ccclient.AssertionOptions{}); err != nil {
		t.Errorf("what is not needed is asked for: %v", err)
	}
}

func TestMethodThatCannotBeHadByNameSaysWhatIsMissing(t *testing.T) {
	secret := ccclient.SecretString(longSecret)
	key := ccclient.KeyFile(keys + "p256.sec1.pem")
	for _, tc := range []struct {
		name string
		s    ccclient.Secret
		k    ccclient.KeySource
		o    ccclient.AssertionOptions
		want string
	}{
		{name: "client_secret_basic", k: key, want: "client_secret_basic needs a Secret"},
		{name: "client_secret_jwt", k: key, want: "client_secret_jwt needs a Secret"},
		{name: "private_key_jwt", s: secret, want: "private_key_jwt needs a KeySource"},
		{name: "private_key_jwt", k: key, o: ccclient.AssertionOptions{Lifetime: 60},
			want: "private_key_jwt: AssertionOptions.Lifetime"},
		{name: "client_secret_jwt", s: secret, o: ccclient.AssertionOptions{Algorithm: "RS256"},
			want: "client_secret_jwt: AssertionOptions.Algorithm"},
		{name: "none", s: secret, k: key, want: `unknown authentication method "none": use client_secret_basic, `},
		{name: "Client_Secret_Basic", s: secret, want: "self_signed_tls_client_auth"},
		{name: "", s: secret, want: "no authentication method is named: use client_secret_basic, "},
	} {
		auth, err := ccclient.AuthByName(tc.name, tc.s, tc.k, tc.o)
		if auth != nil || err == nil || !strings.Contains(err.Error(), tc.want) ||
			!strings.HasPrefix(err.Error(), "ccclient: ") {
			t.Errorf("%q: %v, %v; want an error about %q", tc.name, auth, err, tc.want)
		}
	}
}
