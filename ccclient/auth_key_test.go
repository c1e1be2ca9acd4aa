package ccclient_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

// keys is where the private keys for tests lie.
const keys = "../internal/privatekey/testdata/keys/"

func keyFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(keys, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// jwk returns one of testdata with a name and an algorithm, which may be empty.
func jwk(t testing.TB, file, id, algorithm string) string {
	t.Helper()
	members := fmt.Sprintf(`{"kid":%q,"alg":%q,`, id, algorithm)
	return strings.Replace(string(keyFile(t, file)), "{", members, 1)
}

func TestKeyIsParsedWithWhatStandsBesideIt(t *testing.T) {
	key, err := ccclient.ParseKey([]byte(jwk(t, "rfc7515-a2.jwk.json", "k1", "PS256")))
	if key.Signer == nil || key.ID != "k1" || key.Algorithm != "PS256" || key.Certificate != nil || err != nil {
		t.Errorf("JWK: %q, %q, %v", key.ID, key.Algorithm, err)
	}
	key, err = ccclient.ParseKey([]byte("canary"))
	if key != (ccclient.Key{}) || err == nil || !strings.HasPrefix(err.Error(), "ccclient: private key: ") ||
		strings.Contains(err.Error(), "canary") {
		t.Errorf("no key: %v", err)
	}
}

func TestKeyThatRotatedSignsTheNextAssertion(t *testing.T) {
	key := ccclient.Key{Signer: testKey(t, "p256.sec1.pem"), ID: "old"}
	auth := ccclient.PrivateKeyJWTFrom(func(context.Context) (ccclient.Key, error) { return key, nil },
		ccclient.AssertionOptions{Audience: "urn:as"})
	if header, _ := opened(t, authenticated(t, auth, asIssuer), key.Signer.Public(), "ES256"); header["kid"] != "old" {
		t.Error(header)
	}
	key = ccclient.Key{Signer: testKey(t, "rsa2048.pkcs1.pem"), ID: "new", Algorithm: "PS256"}
	key.Certificate = certificateOf(t, key.Signer)
	header, claims := opened(t, authenticated(t, auth, asIssuer), key.Signer.Public(), "PS256")
	if header["kid"] != "new" || header["x5t#S256"] == nil || claims["aud"] != "urn:as" {
		t.Error(header, claims)
	}
}

func TestOptionsGoBeforeWhatTheKeySaysOfItself(t *testing.T) {
	key := ccclient.Key{Signer: testKey(t, "rsa2048.pkcs1.pem"), ID: "own", Algorithm: "PS256"}
	key.Certificate = certificateOf(t, key.Signer)
	mine := certificateOf(t, key.Signer) // another one of the same key
	auth := ccclient.PrivateKeyJWTFrom(sourceOf(key),
		ccclient.AssertionOptions{KeyID: "mine", Algorithm: "RS512", Certificate: mine})
	header, _ := opened(t, authenticated(t, auth, asIssuer), key.Signer.Public(), "RS512")
	own, _ := opened(t, authenticated(t, ccclient.PrivateKeyJWTFrom(sourceOf(key), ccclient.AssertionOptions{}),
		asIssuer), key.Signer.Public(), "PS256")
	if header["kid"] != "mine" || header["x5t#S256"] == nil || header["x5t#S256"] == own["x5t#S256"] ||
		own["kid"] != "own" {
		t.Errorf("%v beside the key's own %v", header, own)
	}
}

func TestKeyIsParsedWhenItsTextHasChanged(t *testing.T) {
	text := jwk(t, "rfc8037-a1.jwk.json", "old", "EdDSA")
	source := ccclient.KeyFrom(func(context.Context) (string, error) { return text, nil })
	old, err := source(t.Context())
	if err != nil || old.ID != "old" || old.Algorithm != "EdDSA" {
		t.Fatalf("%q, %q, %v", old.ID, old.Algorithm, err)
	}
	text = jwk(t, "rfc7515-a3.jwk.json", "new", "")
	key, err := source(t.Context())
	if err != nil || key.ID != "new" || key.Algorithm != "" || key.Signer == old.Signer {
		t.Fatalf("%q, %q, %v", key.ID, key.Algorithm, err)
	}
	if again, _ := source(t.Context()); again != key {
		t.Error("the same text was parsed again")
	}
	text = "canary"
	if _, err := source(t.Context()); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("rubbish: %v", err)
	}
	down := errors.New("the vault is down")
	sealed := ccclient.KeyFrom(func(context.Context) (string, error) { return "", down })
	if _, err := sealed(t.Context()); !errors.Is(err, down) {
		t.Error(err)
	}
	if ccclient.KeyFrom(nil) != nil {
		t.Error("a source made of no Secret, of which New would not hear")
	}
}

func TestKeyFileIsReadAgainWhenItIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	source := ccclient.KeyFile(path)
	for _, name := range []string{"p256.sec1.pem", "ed25519.pem"} {
		if err := os.WriteFile(path, keyFile(t, name), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := source(t.Context())
		if err != nil || fmt.Sprint(key.Signer.Public()) != fmt.Sprint(testKey(t, name).Public()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := source(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "key file") {
		t.Errorf("a key of a file that is gone: %v", err)
	}
}

func TestNothingOfAKeyIsPrintedButItsID(t *testing.T) {
	signer := testKey(t, "rfc8037-a1.jwk.json").(ed25519.PrivateKey)
	key := ccclient.Key{Signer: signer, ID: "k-1", Algorithm: "EdDSA", Certificate: certificateOf(t, signer)}
	for _, v := range []any{key, &key} {
		printed := everyPrint(t, v)
		for _, forbidden := range []string{strings.Trim(fmt.Sprint([]byte(signer[:6])), "[]"),
			fmt.Sprintf("%x", []byte(signer[:6])), "EdDSA", "test only"} {
			if strings.Contains(printed, forbidden) {
				t.Errorf("%T prints %q: %s", v, forbidden, printed)
			}
		}
		if fmt.Sprintf("%v %+v %#v %s %x", v, v, v, v, v) != "k-1 k-1 k-1 k-1 k-1" {
			t.Errorf("%T prints %v", v, v)
		}
	}
}
