package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/internal/jws"
)

// opaque is a key that, as one in a KMS, can do nothing but sign.
type opaque struct{ crypto.Signer }

func ec(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var rsa2048 = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func TestEveryAlgorithmOfEveryKeyIsVerifiedByAnotherLibrary(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		key  crypto.Signer
		want []string
	}{
		{"RSA", rsa2048(), []string{"RS256", "PS256", "RS384", "PS384", "RS512", "PS512"}},
		{"P-256", ec(t, elliptic.P256()), []string{"ES256"}},
		{"P-384", ec(t, elliptic.P384()), []string{"ES384"}},
		{"P-521", ec(t, elliptic.P521()), []string{"ES512"}},
		{"Ed25519", ed, []string{"EdDSA", "Ed25519"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			algorithms, err := jws.Algorithms(tc.key.Public())
			if err != nil || !slices.Equal(algorithms, tc.want) {
				t.Fatalf("Algorithms = %v, %v; want %v", algorithms, err, tc.want)
			}
			for _, alg := range algorithms {
				signer, err := jws.NewSigner(opaque{tc.key}, alg, map[string]any{"typ": "test", "alg": "none"})
				if err != nil {
					t.Fatal(err)
				}
				for range 8 { // ECDSA integers with leading zeros come by chance.
					compact, err := signer.Sign([]byte(`{"a":"b"}`))
					if err != nil {
						t.Fatal(err)
					}
					verify(t, compact, alg, tc.key.Public())
				}
			}
		})
	}
}

func verify(t *testing.T, compact, alg string, pub any) {
	t.Helper()
	if alg == "Ed25519" { // RFC 9864 gives EdDSA over this curve a name of its own; go-jose knows the older one.
		parts := strings.Split(compact, ".")
		sig := decode(t, parts[2])
		if !ed25519.Verify(pub.(ed25519.PublicKey), []byte(parts[0]+"."+parts[1]), sig) {
			t.Fatal("signature does not verify")
		}
		return
	}
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := parsed.Verify(pub)
	if err != nil {
		t.Fatal(err)
	}
	if string(payload) != `{"a":"b"}` {
		t.Fatalf("payload = %s", payload)
	}
	if typ := parsed.Signatures[0].Protected.ExtraHeaders["typ"]; typ != "test" {
		t.Fatalf("typ = %v", typ)
	}
}

func TestEveryHMACIsVerifiedByAnotherLibrary(t *testing.T) {
	secret := strings.Repeat("canary", 11)
	for _, alg := range jws.HMACAlgorithms() {
		signer, err := jws.NewHMACSigner(secret, alg, map[string]any{"typ": "test", "alg": "none"})
		if err != nil {
			t.Fatal(err)
		}
		compact, err := signer.Sign([]byte(`{"a":"b"}`))
		if err != nil {
			t.Fatal(err)
		}
		verify(t, compact, alg, []byte(secret))
		if printed := fmt.Sprintf("%v %+v %#v", signer, *signer, signer); strings.Contains(printed, "canary") {
			t.Errorf("printed as %s", printed)
		}
	}
}

func TestUnfitSecretsAreErrorsThatSayWhy(t *testing.T) {
	for _, tc := range []struct{ secret, algorithm, want string }{
		{strings.Repeat("canary", 5), "", "shorter than the 32 bytes that HS256 needs"},
		{strings.Repeat("canary", 7), "HS384", "shorter than the 48 bytes that HS384 needs"},
		{strings.Repeat("canary", 10), "HS512", "shorter than the 64 bytes that HS512 needs"},
		{strings.Repeat("canary", 20), "RS256", "can do HS256, HS384, HS512"},
		{strings.Repeat("canary", 20), "none", `"none" does not fit`},
	} {
		_, err := jws.NewHMACSigner(tc.secret, tc.algorithm, nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v; want %q in it", tc.algorithm, err, tc.want)
		}
	}
}

func TestFirstAlgorithmIsTheDefault(t *testing.T) {
	signer, err := jws.NewSigner(rsa2048(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if signer.Algorithm() != "RS256" {
		t.Errorf("Algorithm = %s", signer.Algorithm())
	}
	if signer, err = jws.NewHMACSigner(strings.Repeat("s", 32), "", nil); err != nil || signer.Algorithm() != "HS256" {
		t.Errorf("for a secret: %v, %v", signer, err)
	}
}

func TestUnfitKeysAreErrorsThatSayWhy(t *testing.T) {
	weak := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}, D: big.NewInt(3)}
	off := ec(t, elliptic.P256())
	off.X = new(big.Int).Add(off.X, big.NewInt(1))
	//lint:ignore SA1019 Half-filled on purpose.
	pointless := &ecdsa.PrivateKey{D: big.NewInt(1)}
	for _, tc := range []struct {
		name string
		key  crypto.Signer
		want string
	}{
		{"nil", nil, "no key"},
		{"typed nil", (*ecdsa.PrivateKey)(nil), "nil *ecdsa.PrivateKey"},
		{"typed nil Ed25519", (*ed25519.PrivateKey)(nil), "nil *ed25519.PrivateKey"},
		{"empty ECDSA", &ecdsa.PrivateKey{}, "private part"},
		{"empty RSA", &rsa.PrivateKey{}, "private part"},
		{"ECDSA without a point", pointless, "empty ECDSA key"},
		{"RSA without a modulus", &rsa.PrivateKey{D: big.NewInt(1)}, "empty RSA key"},
		{"short Ed25519", ed25519.PrivateKey("short"), "5 bytes"},
		{"short RSA", weak, "1024 bits, at least 2048"},
		{"P-224", ec(t, elliptic.P224()), "P-224 is not supported"},
		{"off the curve", off, "not a point"},
		{"another kind", foreign{}, "string is not supported"},
		{"no public key", opaque{silent{}}, "no public key"},
	} {
		_, err := jws.NewSigner(tc.key, "", nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q in it", tc.name, err, tc.want)
		}
	}
}

type foreign struct{ crypto.Signer }

func (foreign) Public() crypto.PublicKey { return "a string" }

type silent struct{ crypto.Signer }

func (silent) Public() crypto.PublicKey { return nil }

func TestAlgorithmOfAnotherKeyIsAnError(t *testing.T) {
	for _, alg := range []string{"none", "HS256", "RS256", "ES384", "E"} {
		_, err := jws.NewSigner(ec(t, elliptic.P256()), alg, nil)
		if err == nil || !strings.Contains(err.Error(), "can do ES256") {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// liar is a signer whose signatures are whatever it was told.
type liar struct {
	crypto.Signer
	sig []byte
	err error
}

func (l liar) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return l.sig, l.err }

func TestSignerThatMisbehavesIsAnError(t *testing.T) {
	key := ec(t, elliptic.P256())
	other := ec(t, elliptic.P521())
	long, err := other.Sign(rand.Reader, make([]byte, 32), crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("the KMS is down")
	for name, l := range map[string]liar{
		"error":         {key, nil, down},
		"empty":         {key, nil, nil},
		"garbage":       {key, []byte("garbage"), nil},
		"another curve": {key, long, nil},
		"negative":      {key, []byte{0x30, 6, 2, 1, 0xff, 2, 1, 1}, nil},
		"trailing":      {key, []byte{0x30, 6, 2, 1, 1, 2, 1, 1, 0}, nil},
	} {
		signer, err := jws.NewSigner(l, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = signer.Sign(nil)
		if err == nil || name == "error" && !errors.Is(err, down) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNothingOfTheKeyIsPrinted(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jws.NewSigner(key, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		printed := fmt.Sprintf(verb, signer) + fmt.Sprintf(verb, *signer)
		for _, part := range []string{fmt.Sprint([]byte(key[:8])), strings.Trim(fmt.Sprint([]byte(key[:8])), "[]"), fmt.Sprintf("%x", []byte(key[:8]))} {
			if strings.Contains(printed, part) {
				t.Errorf("%s prints the key", verb)
			}
		}
	}
}

func TestHeaderThatIsNotJSONIsAnError(t *testing.T) {
	if _, err := jws.NewSigner(ec(t, elliptic.P256()), "", map[string]any{"typ": func() {}}); err == nil {
		t.Error("no error")
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	out, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func BenchmarkSign(b *testing.B) {
	key := ec(b, elliptic.P256())
	hash := make([]byte, 32)
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := key.Sign(rand.Reader, hash, crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compact", func(b *testing.B) {
		signer, err := jws.NewSigner(key, "", map[string]any{"typ": "test"})
		if err != nil {
			b.Fatal(err)
		}
		payload := make([]byte, 300)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := signer.Sign(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}
