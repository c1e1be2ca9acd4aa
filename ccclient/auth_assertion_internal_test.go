package ccclient

import (
	"context"
	"crypto"
	"encoding/base64"
	"os"
	"strings"
	"testing"
)

func parsed(t *testing.T, name string) crypto.Signer {
	t.Helper()
	data, err := os.ReadFile("../internal/privatekey/testdata/keys/" + name)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return key.Signer
}

func TestServersListChoosesTheAlgorithmThatTheOptionsLeaveOpen(t *testing.T) {
	rsa, ec, ed := parsed(t, "rsa2048.pkcs8.pem"), parsed(t, "p256.sec1.pem"), parsed(t, "ed25519.pem")
	hs := func(o AssertionOptions) Auth { return ClientSecretJWT(SecretString(strings.Repeat("s", 64)), o) }
	for _, tc := range []struct {
		auth   Auth
		listed string
		want   string // in the header; or, with a space in it, in the error
	}{
		{PrivateKeyJWT(rsa, AssertionOptions{}), "", "RS256"},
		{PrivateKeyJWT(rsa, AssertionOptions{}), "PS256 RS256", "RS256"},
		{PrivateKeyJWT(rsa, AssertionOptions{}), "ES256 PS256", "PS256"},
		{PrivateKeyJWT(rsa, AssertionOptions{}), "RS512", "RS512"},
		{PrivateKeyJWT(rsa, AssertionOptions{}), "ES256 EdDSA",
			`lists the signature algorithms "ES256 EdDSA", but this key can do RS256, PS256`},
		{PrivateKeyJWT(rsa, AssertionOptions{Algorithm: "RS384"}), "RS256", "RS384"},
		{PrivateKeyJWT(ec, AssertionOptions{}), "RS256", "can do ES256"},
		{PrivateKeyJWT(ed, AssertionOptions{}), "EdDSA Ed25519", "EdDSA"},
		{PrivateKeyJWT(ed, AssertionOptions{}), "Ed25519", "Ed25519"},
		{hs(AssertionOptions{}), "RS256 HS256", "HS256"},
		{hs(AssertionOptions{}), "HS512", "HS512"},
		{hs(AssertionOptions{}), "RS256", "can do HS256"},
	} {
		// Twice: what is kept from one request must not answer for another.
		for _, listed := range []string{"", tc.listed} {
			c, err := tc.auth.Authenticate(t.Context(), Request{ClientID: "client", TokenURL: "https://as/token",
				Algorithms: strings.Fields(listed)})
			if listed != tc.listed {
				continue
			}
			if strings.Contains(tc.want, " ") {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v where %q is listed: %v, want an error about %q", tc.auth, tc.listed, err, tc.want)
				}
				continue
			}
			if got := headerAlgorithm(t, c); err != nil || got != tc.want {
				t.Errorf("%v where %q is listed: %s, %v, want %s", tc.auth, tc.listed, got, err, tc.want)
			}
		}
	}
}

func headerAlgorithm(t *testing.T, c Credentials) string {
	t.Helper()
	header, _, _ := strings.Cut(c.Form.Get("client_assertion"), ".")
	decoded, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(decoded), `"alg":"`)
	algorithm, _, _ := strings.Cut(rest, `"`)
	return algorithm
}

func TestKeySourceThatRotatedIsNoticed(t *testing.T) {
	key := Key{Signer: parsed(t, "p256.sec1.pem"), ID: "k1"}
	var fault error
	auth := PrivateKeyJWTFrom(func(context.Context) (Key, error) { return key, fault }, AssertionOptions{})
	c, err := auth.Authenticate(t.Context(), Request{ClientID: "client", TokenURL: "https://as/token"})
	if err != nil {
		t.Fatal(err)
	}
	if c.method.rotated(t.Context(), c.used) {
		t.Error("nothing has changed")
	}
	key.ID = "k2"
	if !c.method.rotated(t.Context(), c.used) {
		t.Error("a new key id went unnoticed")
	}
	key = Key{Signer: parsed(t, "ed25519.pem"), ID: "k1"}
	if !c.method.rotated(t.Context(), c.used) {
		t.Error("a new key went unnoticed")
	}
	if fault = os.ErrNotExist; c.method.rotated(t.Context(), c.used) {
		t.Error("a source that fails counts as rotated")
	}
	if fault, key = nil, (Key{}); c.method.rotated(t.Context(), c.used) {
		t.Error("a source that has no key counts as rotated")
	}
}

func TestSecretOfASignedAssertionThatRotatedIsNoticed(t *testing.T) {
	secret := strings.Repeat("a", 32)
	auth := ClientSecretJWT(func(context.Context) (string, error) { return secret, nil }, AssertionOptions{})
	c, err := auth.Authenticate(t.Context(), Request{ClientID: "client", TokenURL: "https://as/token"})
	if err != nil {
		t.Fatal(err)
	}
	if c.method.rotated(t.Context(), c.used) {
		t.Error("nothing has changed")
	}
	secret = strings.Repeat("b", 32)
	if !c.method.rotated(t.Context(), c.used) {
		t.Error("a new secret went unnoticed")
	}
}
