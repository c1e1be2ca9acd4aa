package ccclient_test

import (
	"context"
	"encoding/json"
	"errors"
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

// with returns a JWK of testdata with members replaced; an empty one is removed.
func with(t testing.TB, name string, members ...string) string {
	t.Helper()
	var jwk map[string]string
	if err := json.Unmarshal(keyFile(t, name), &jwk); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(members); i += 2 {
		jwk[members[i]] = members[i+1]
		if members[i+1] == "" {
			delete(jwk, members[i])
		}
	}
	data, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestKeyIsParsedWithWhatAJWKSaysOfIt(t *testing.T) {
	key, o, err := ccclient.ParsePrivateKey([]byte(with(t, "rfc7515-a2.jwk.json", "kid", "k1", "alg", "PS256")))
	if want := (ccclient.AssertionOptions{KeyID: "k1", Algorithm: "PS256"}); key == nil || o != want || err != nil {
		t.Errorf("%T, %+v, %v", key, o, err)
	}
	key, o, err = ccclient.ParsePrivateKey([]byte("canary"))
	if key != nil || o != (ccclient.AssertionOptions{}) || err == nil || !strings.HasPrefix(err.Error(), "ccclient: private key: ") {
		t.Errorf("%T, %+v, %v", key, o, err)
	}
}

func TestParsedKeyIsReadEachTimeAndFillsInWhatTheJWKSays(t *testing.T) {
	text := with(t, "rfc8037-a1.jwk.json", "kid", "old", "alg", "EdDSA")
	source := ccclient.ParsedKey(func(context.Context) (string, error) { return text, nil },
		ccclient.AssertionOptions{Audience: "https://as.example.com"})
	old, o, err := source(t.Context())
	if err != nil || o.KeyID != "old" || o.Algorithm != "EdDSA" || o.Audience != "https://as.example.com" {
		t.Fatalf("%+v, %v", o, err)
	}
	text = with(t, "rfc7515-a3.jwk.json", "kid", "new")
	key, o, err := source(t.Context())
	if err != nil || o.KeyID != "new" || o.Algorithm != "" || key == old {
		t.Fatalf("%+v, %v", o, err)
	}
	if again, _, _ := source(t.Context()); again != key {
		t.Error("the same text was parsed again")
	}
	text = "canary"
	if _, _, err := source(t.Context()); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("rubbish: %v", err)
	}

	fixed := ccclient.ParsedKey(ccclient.SecretString(with(t, "rfc8037-a1.jwk.json", "kid", "own", "alg", "EdDSA")),
		ccclient.AssertionOptions{KeyID: "mine", Algorithm: "Ed25519"})
	if _, o, err := fixed(t.Context()); err != nil || o.KeyID != "mine" || o.Algorithm != "Ed25519" {
		t.Errorf("the JWK's word went before the caller's: %+v, %v", o, err)
	}
	down := errors.New("the vault is down")
	failing := ccclient.ParsedKey(func(context.Context) (string, error) { return "", down }, ccclient.AssertionOptions{})
	if _, _, err := failing(t.Context()); !errors.Is(err, down) {
		t.Error(err)
	}
	if _, _, err := ccclient.ParsedKey(nil, ccclient.AssertionOptions{})(t.Context()); err == nil {
		t.Error("a nil Secret gave a key")
	}
}
