package ccclient

import (
	"context"
	"crypto"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
)

func parsed(t *testing.T, name string) crypto.Signer {
	t.Helper()
	data, err := os.ReadFile("../internal/privatekey/testdata/keys/" + name)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return key
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
		{PrivateKeyJWT(rsa, AssertionOptions{}), "ES256 EdDSA", `lists the signature algorithms "ES256 EdDSA", but this key can do RS256, PS256`},
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
			r := &Request{ClientID: "client", TokenURL: "https://as/token", Form: url.Values{}, Header: http.Header{}, algorithms: strings.Fields(listed)}
			err := tc.auth.Authenticate(t.Context(), r)
			if listed != tc.listed {
				continue
			}
			if strings.Contains(tc.want, " ") {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%v where %q is listed: %v, want an error about %q", tc.auth, tc.listed, err, tc.want)
				}
				continue
			}
			if got := headerAlgorithm(t, r); err != nil || got != tc.want {
				t.Errorf("%v where %q is listed: %s, %v, want %s", tc.auth, tc.listed, got, err, tc.want)
			}
		}
	}
}

func headerAlgorithm(t *testing.T, r *Request) string {
	t.Helper()
	header, _, _ := strings.Cut(r.Form.Get("client_assertion"), ".")
	decoded, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(decoded), `"alg":"`)
	algorithm, _, _ := strings.Cut(rest, `"`)
	return algorithm
}

func TestKeySourceThatRotatedIsNoticed(t *testing.T) {
	key, o := parsed(t, "p256.sec1.pem"), AssertionOptions{KeyID: "k1"}
	var fault error
	auth := PrivateKeyJWTFrom(func(context.Context) (crypto.Signer, AssertionOptions, error) { return key, o, fault })
	r := &Request{ClientID: "client", TokenURL: "https://as/token", Form: url.Values{}, Header: http.Header{}}
	if err := auth.Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	rotated := func() bool { return r.method.rotated(t.Context(), r.fingerprint) }
	if rotated() {
		t.Error("nothing has changed")
	}
	o.KeyID = "k2"
	if !rotated() {
		t.Error("a new key id went unnoticed")
	}
	key, o.KeyID = parsed(t, "ed25519.pem"), "k1"
	if !rotated() {
		t.Error("a new key went unnoticed")
	}
	if fault = os.ErrNotExist; rotated() {
		t.Error("a source that fails counts as rotated")
	}
	if fault, key = nil, nil; rotated() {
		t.Error("a source that gives no key counts as rotated")
	}
}

func TestSecretOfASignedAssertionThatRotatedIsNoticed(t *testing.T) {
	secret := strings.Repeat("a", 32)
	auth := ClientSecretJWT(func(context.Context) (string, error) { return secret, nil }, AssertionOptions{})
	r := &Request{ClientID: "client", TokenURL: "https://as/token", Form: url.Values{}, Header: http.Header{}}
	if err := auth.Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r.method.rotated(t.Context(), r.fingerprint) {
		t.Error("nothing has changed")
	}
	secret = strings.Repeat("b", 32)
	if !r.method.rotated(t.Context(), r.fingerprint) {
		t.Error("a new secret went unnoticed")
	}
}

func TestMethodsAreNamedAndIdentifiedForTheCacheKey(t *testing.T) {
	key := parsed(t, "p256.sec1.pem")
	s := SecretString(strings.Repeat("s", 64))
	for _, tc := range []struct {
		auth     Auth
		name     string
		identity []string
	}{
		{PrivateKeyJWT(key, AssertionOptions{KeyID: "k1"}), "private_key_jwt", []string{"", "k1", ""}},
		{PrivateKeyJWT(key, AssertionOptions{Algorithm: "ES256"}), "private_key_jwt", []string{"ES256", "", ""}},
		{PrivateKeyJWTFrom(ParsedKey(s, AssertionOptions{})), "private_key_jwt", nil},
		{ClientSecretJWT(s, AssertionOptions{KeyID: "k1"}), "client_secret_jwt", []string{"", "k1", ""}},
		{ClientAssertion(s), "private_key_jwt", nil},
		{SPIFFEAssertion(s), "spiffe_jwt", nil},
	} {
		m := tc.auth.(*method)
		if m.name != tc.name || !slices.Equal(m.identity, tc.identity) || m.fault != nil {
			t.Errorf("%s, %q, %v, want %s, %q", m.name, m.identity, m.fault, tc.name, tc.identity)
		}
	}
	if m := PrivateKeyJWT(nil, AssertionOptions{}).(*method); m.fault == nil {
		t.Error("New would not hear of the fault")
	}
}
