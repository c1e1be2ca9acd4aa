package ccclient_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient"
)

const (
	tokenURL  = "https://as.example.com/token"
	asIssuer  = "https://as.example.com"
	jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// authenticated returns the credentials with which auth proves the client.
func authenticated(t testing.TB, auth ccclient.Auth, issuer string) ccclient.Credentials {
	t.Helper()
	c, err := auth.Authenticate(t.Context(), request(issuer))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func request(issuer string) ccclient.Request {
	return ccclient.Request{
		ClientID: "client", TokenURL: tokenURL, Issuer: issuer, Form: url.Values{"grant_type": {"client_credentials"}},
	}
}

// opened returns the header and the claims of c's assertion, whose signature go-jose has verified.
func opened(t testing.TB, c ccclient.Credentials, key any, algorithm string) (header, claims map[string]any) {
	t.Helper()
	assertion := c.Form.Get("client_assertion")
	parsed, err := jose.ParseSignedCompact(assertion, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := parsed.Verify(key)
	if err != nil {
		t.Fatal(err)
	}
	encoded, _, _ := strings.Cut(assertion, ".")
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(raw, &header), json.Unmarshal(payload, &claims)); err != nil {
		t.Fatal(err)
	}
	return header, claims
}

// opaque is a key as a KMS holds it: it can sign, and nothing else.
type opaque struct{ key crypto.Signer }

func (o opaque) Public() crypto.PublicKey { return o.key.Public() }

func (o opaque) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return o.key.Sign(random, digest, opts)
}

func testKey(t testing.TB, name string) crypto.Signer {
	t.Helper()
	key, err := ccclient.ParseKey(keyFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return key.Signer
}

// certificateOf makes a self-signed certificate of the key.
func certificateOf(t testing.TB, key crypto.Signer) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "test only"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestAssertionHoldsWhatTheRFCsAskAndNoMore(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("s", 64)
	for name, tc := range map[string]struct {
		auth      ccclient.Auth
		verify    any
		algorithm string
	}{
		"RSA": {ccclient.PrivateKeyJWT(testKey(t, "rsa2048.pkcs8.pem"), ccclient.AssertionOptions{}),
			testKey(t, "rsa2048.pkcs8.pem").Public(), "RS256"},
		"PS256": {ccclient.PrivateKeyJWT(testKey(t, "rsa2048.pkcs8.pem"), ccclient.AssertionOptions{Algorithm: "PS256"}),
			testKey(t, "rsa2048.pkcs8.pem").Public(), "PS256"},
		"P-256": {ccclient.PrivateKeyJWT(testKey(t, "p256.sec1.pem"), ccclient.AssertionOptions{}),
			testKey(t, "p256.sec1.pem").Public(), "ES256"},
		"P-384": {ccclient.PrivateKeyJWT(testKey(t, "p384.pkcs8.pem"), ccclient.AssertionOptions{}),
			testKey(t, "p384.pkcs8.pem").Public(), "ES384"},
		"P-521": {ccclient.PrivateKeyJWT(testKey(t, "p521.pkcs8.pem"), ccclient.AssertionOptions{}),
			testKey(t, "p521.pkcs8.pem").Public(), "ES512"},
		"Ed25519": {ccclient.PrivateKeyJWT(ed, ccclient.AssertionOptions{}), ed.Public(), "EdDSA"},
		"KMS":     {ccclient.PrivateKeyJWT(opaque{ed}, ccclient.AssertionOptions{}), ed.Public(), "EdDSA"},
		"source": {ccclient.PrivateKeyJWTFrom(ccclient.KeyFile(keys+"p256.sec1.pem"), ccclient.AssertionOptions{}),
			testKey(t, "p256.sec1.pem").Public(), "ES256"},
		"HS256": {ccclient.ClientSecretJWT(ccclient.SecretString(secret), ccclient.AssertionOptions{}), []byte(secret),
			"HS256"},
		"HS384": {ccclient.ClientSecretJWT(ccclient.SecretString(secret), ccclient.AssertionOptions{Algorithm: "HS384"}),
			[]byte(secret), "HS384"},
		"HS512": {ccclient.ClientSecretJWT(ccclient.SecretString(secret), ccclient.AssertionOptions{Algorithm: "HS512"}),
			[]byte(secret), "HS512"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(1500 * time.Millisecond) // not on a whole second
				c := authenticated(t, tc.auth, asIssuer)
				header, claims := opened(t, c, tc.verify, tc.algorithm)

				if len(c.Header) != 0 || len(c.Form) != 3 || c.Form.Get("client_id") != "client" ||
					c.Form.Get("client_assertion_type") != jwtBearer {
					t.Errorf("the credentials are %v and %v", c.Form, c.Header)
				}
				if !maps.Equal(header, map[string]any{"alg": tc.algorithm, "typ": "client-authentication+jwt"}) {
					t.Errorf("header %v", header)
				}
				jti, _ := claims["jti"].(string)
				if len(jti) < 22 { // 128 bits in base64
					t.Errorf("jti %q", jti)
				}
				delete(claims, "jti")
				now := float64(time.Now().Unix())
				if !maps.Equal(claims, map[string]any{"iss": "client", "sub": "client", "aud": asIssuer, "iat": now,
					"exp": now + 60}) {
					t.Errorf("claims %v", claims)
				}

				_, again := opened(t, authenticated(t, tc.auth, asIssuer), tc.verify, tc.algorithm)
				if again["jti"] == jti {
					t.Error("the jti came twice")
				}
			})
		})
	}
}

func TestEd25519CanBeCalledByItsNewName(t *testing.T) {
	key := testKey(t, "ed25519.pem")
	c := authenticated(t, ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{Algorithm: "Ed25519"}), "")
	parts := strings.Split(c.Form.Get("client_assertion"), ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	if !bytes.Contains(header, []byte(`"alg":"Ed25519"`)) {
		t.Errorf("header %s", header)
	}
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte(parts[0]+"."+parts[1]), signature) {
		t.Error("the signature does not verify")
	}
}

func TestAssertionOptionsShapeTheAssertion(t *testing.T) {
	key := testKey(t, "p256.sec1.pem")
	cert := certificateOf(t, key)
	sum := sha256.Sum256(cert.Raw)
	for name, tc := range map[string]struct {
		o      ccclient.AssertionOptions
		issuer string
		header map[string]any
		aud    string
		life   float64
	}{
		"known issuer": {ccclient.AssertionOptions{}, asIssuer, map[string]any{"typ": "client-authentication+jwt"},
			asIssuer, 60},
		"unknown issuer": {ccclient.AssertionOptions{}, "", map[string]any{"typ": "JWT"}, tokenURL, 60},
		"all options": {ccclient.AssertionOptions{
			KeyID: "k/1", Algorithm: "ES256", Audience: "urn:as", Type: "special", Lifetime: 5 * time.Minute, Certificate: cert,
		}, asIssuer, map[string]any{"typ": "special", "kid": "k/1",
			"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}, "urn:as", 300},
	} {
		header, claims := opened(t, authenticated(t, ccclient.PrivateKeyJWT(key, tc.o), tc.issuer), key.Public(), "ES256")
		tc.header["alg"] = "ES256"
		if !maps.Equal(header, tc.header) {
			t.Errorf("%s: header %v, want %v", name, header, tc.header)
		}
		if claims["aud"] != tc.aud || claims["exp"].(float64)-claims["iat"].(float64) != tc.life {
			t.Errorf("%s: claims %v", name, claims)
		}
	}
}

// The header is kept from one request to the next, but not for one of another
// kind.
func TestOneAuthServesRequestsWithAndWithoutAnIssuer(t *testing.T) {
	key := testKey(t, "p256.sec1.pem")
	auth := ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{})
	for _, issuer := range []string{"", asIssuer, asIssuer, ""} {
		want := "JWT"
		if issuer != "" {
			want = "client-authentication+jwt"
		}
		if header, _ := opened(t, authenticated(t, auth, issuer), key.Public(), "ES256"); header["typ"] != want {
			t.Errorf("typ %v with issuer %q", header["typ"], issuer)
		}
	}
}

func TestAssertionsThatCannotBeMadeAreErrorsThatSayWhy(t *testing.T) {
	rsaKey, ecKey := testKey(t, "rsa2048.pkcs8.pem"), testKey(t, "p256.sec1.pem")
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type o = ccclient.AssertionOptions
	long := ccclient.SecretString(strings.Repeat("canary", 8))
	down := errors.New("the KMS is down")
	failing := func(context.Context) (ccclient.Key, error) { return ccclient.Key{}, down }
	for name, tc := range map[string]struct {
		auth ccclient.Auth
		want string
	}{
		"nil key":           {ccclient.PrivateKeyJWT(nil, o{}), "no key"},
		"typed nil key":     {ccclient.PrivateKeyJWT((*ecdsa.PrivateKey)(nil), o{}), "no key"},
		"unsupported curve": {ccclient.PrivateKeyJWT(p224, o{}), "P-224"},
		"none": {ccclient.PrivateKeyJWT(ecKey, o{Algorithm: "none"}),
			`AssertionOptions.Algorithm: "none" does not fit`},
		"HS256 with a key":          {ccclient.PrivateKeyJWT(rsaKey, o{Algorithm: "HS256"}), "RS256, PS256"},
		"another curve's algorithm": {ccclient.PrivateKeyJWT(ecKey, o{Algorithm: "ES384"}), "can do ES256"},
		"another's certificate": {ccclient.PrivateKeyJWT(ecKey, o{Certificate: certificateOf(t, rsaKey)}),
			"belongs to another key"},
		"empty certificate": {ccclient.PrivateKeyJWT(ecKey, o{Certificate: &x509.Certificate{}}), "Raw is empty"},
		"negative lifetime": {ccclient.PrivateKeyJWT(ecKey, o{Lifetime: -time.Minute}),
			"AssertionOptions.Lifetime: -1m0s"},
		"a lifetime of 60": {ccclient.PrivateKeyJWT(ecKey, o{Lifetime: 60}), "less than a second"},
		"nil source":       {ccclient.PrivateKeyJWTFrom(nil, o{}), "no KeySource"},
		"source of nil":    {ccclient.PrivateKeyJWTFrom(sourceOf(ccclient.Key{}), o{}), "no key"},
		"source of a misfit": {ccclient.PrivateKeyJWTFrom(sourceOf(ccclient.Key{Signer: ecKey, Algorithm: "RS256"}),
			o{}), "does not fit"},
		"misfit for the source": {ccclient.PrivateKeyJWTFrom(sourceOf(ccclient.Key{Signer: ecKey}),
			o{Algorithm: "RS256"}), "does not fit"},
		"source of two halves": {ccclient.PrivateKeyJWTFrom(sourceOf(ccclient.Key{Signer: ecKey,
			Certificate: certificateOf(t, rsaKey)}), o{}), "belongs to another key"},
		"source, lifetime of 60": {ccclient.PrivateKeyJWTFrom(sourceOf(ccclient.Key{Signer: ecKey}), o{Lifetime: 60}),
			"less than a second"},
		"failing source": {ccclient.PrivateKeyJWTFrom(failing, o{}), "the KMS is down"},
		"nil secret":     {ccclient.ClientSecretJWT(nil, o{}), "no Secret"},
		"short secret": {ccclient.ClientSecretJWT(ccclient.SecretString("canary"), o{}),
			"shorter than the 32 bytes that HS256 needs"},
		"short for HS512": {ccclient.ClientSecretJWT(long, o{Algorithm: "HS512"}),
			"shorter than the 64 bytes that HS512 needs"},
		"a key's algorithm": {ccclient.ClientSecretJWT(long, o{Algorithm: "RS256"}), "HS256, HS384, HS512"},
		"certificate of a secret": {ccclient.ClientSecretJWT(long, o{Certificate: certificateOf(t, ecKey)}),
			"a secret has none"},
		"assertion of one part":   {ccclient.ClientAssertion(ccclient.SecretString("canary")), "not a JWT"},
		"assertion of four parts": {ccclient.ClientAssertion(ccclient.SecretString("canary.a.b.c")), "not a JWT"},
		"assertion with a gap":    {ccclient.ClientAssertion(ccclient.SecretString("canary..c")), "not a JWT"},
		"assertion not base64url": {ccclient.ClientAssertion(ccclient.SecretString("canary.a+b=.c")), "not a JWT"},
		"nil assertion":           {ccclient.ClientAssertion(nil), "no Secret"},
		"nil SVID":                {ccclient.SPIFFEAssertion(nil), "no Secret"},
	} {
		c, err := tc.auth.Authenticate(t.Context(), request(asIssuer))
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v, want one about %q", name, err, tc.want)
		}
		if len(c.Form) != 0 {
			t.Errorf("%s: half authenticated: %q", name, slices.Collect(maps.Keys(c.Form)))
		}
	}
	if _, err := ccclient.PrivateKeyJWTFrom(failing, o{}).Authenticate(t.Context(), request("")); !errors.Is(err, down) {
		t.Errorf("the source's error is lost in %v", err)
	}
}

// sourceOf is a source of one key.
func sourceOf(k ccclient.Key) ccclient.KeySource {
	return func(context.Context) (ccclient.Key, error) { return k, nil }
}

// A key that fails to sign is a failed request, and the key's own error is kept.
func TestKeyThatFailsToSignIsAnError(t *testing.T) {
	down := errors.New("the HSM is gone")
	_, err := ccclient.PrivateKeyJWT(broken{testKey(t, "p256.sec1.pem"), down}, ccclient.AssertionOptions{}).
		Authenticate(t.Context(), request(""))
	if !errors.Is(err, down) {
		t.Error(err)
	}
}

type broken struct {
	crypto.Signer
	err error
}

func (b broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, b.err
}

func TestReadyAssertionsAreSentAsTheyAre(t *testing.T) {
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
	for kind, make := range map[string]func(ccclient.Secret) ccclient.Auth{
		jwtBearer: ccclient.ClientAssertion,
		"urn:ietf:params:oauth:client-assertion-type:jwt-spiffe": ccclient.SPIFFEAssertion,
	} {
		current := jwt + "\n\n"
		auth := make(func(context.Context) (string, error) { return current, nil })
		c := authenticated(t, auth, asIssuer)
		if c.Form.Get("client_assertion") != jwt || c.Form.Get("client_assertion_type") != kind ||
			c.Form.Get("client_id") != "client" || len(c.Form) != 3 || len(c.Header) != 0 {
			t.Errorf("%v, %v", c.Form, c.Header)
		}
		current = strings.ToUpper(jwt)
		if c := authenticated(t, auth, asIssuer); c.Form.Get("client_assertion") != current {
			t.Error("the assertion that rotated is not used")
		}
	}
}

func TestNoVerbPrintsTheKeyOrTheSecretOfAnAuth(t *testing.T) {
	key := testKey(t, "rfc8037-a1.jwk.json").(ed25519.PrivateKey)
	const secret = "canary canary canary canary canary"
	for _, auth := range []ccclient.Auth{
		ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{}),
		ccclient.PrivateKeyJWTFrom(ccclient.KeyFile(keys+"rfc8037-a1.jwk.json"), ccclient.AssertionOptions{}),
		ccclient.ClientSecretJWT(ccclient.SecretString(secret), ccclient.AssertionOptions{}),
	} {
		c := authenticated(t, auth, asIssuer)
		printed := everyPrint(t, auth) + everyPrint(t, c)
		for _, forbidden := range []string{"canary", fmt.Sprintf("%x", "canary"),
			strings.Trim(fmt.Sprint([]byte(key[:6])), "[]"), fmt.Sprintf("%x", []byte(key[:6])),
			c.Form.Get("client_assertion")} {
			if strings.Contains(printed, forbidden) {
				t.Errorf("%s prints %q", auth, forbidden)
			}
		}
	}
}

func FuzzAssertionOptions(f *testing.F) {
	f.Add("client", "https://as.example.com", "kid", "HS256", "", "", int64(0))
	f.Add("a b", "", "", "", "urn:as", "JWT", int64(time.Hour))
	f.Add("\xff\"\\", "<&>", "\u2028", "none", "\x00", "../..", int64(-1))
	key := testKey(f, "rfc8037-a1.jwk.json")
	secret := strings.Repeat("s", 64)
	f.Fuzz(func(t *testing.T, id, issuer, kid, algorithm, audience, typ string, lifetime int64) {
		o := ccclient.AssertionOptions{KeyID: kid, Algorithm: algorithm, Audience: audience, Type: typ,
			Lifetime: time.Duration(lifetime)}
		for _, tc := range []struct {
			auth   ccclient.Auth
			verify any
			names  []string
		}{
			{ccclient.PrivateKeyJWT(key, o), key.Public(), []string{"", "EdDSA", "Ed25519"}},
			{ccclient.ClientSecretJWT(ccclient.SecretString(secret), o), []byte(secret),
				[]string{"", "HS256", "HS384", "HS512"}},
		} {
			r := request(issuer)
			r.ClientID = id
			fits := slices.Contains(tc.names, algorithm) && (lifetime == 0 || lifetime >= int64(time.Second))
			c, err := tc.auth.Authenticate(t.Context(), r)
			if (err == nil) != fits {
				t.Fatalf("%+v: %v", o, err)
			}
			if !fits || algorithm == "Ed25519" { // which go-jose does not know
				continue
			}
			want := algorithm
			if want == "" {
				want = map[int]string{3: "EdDSA", 4: "HS256"}[len(tc.names)]
			}
			header, claims := opened(t, c, tc.verify, want)
			// JSON has no place for what is not UTF-8.
			if got, _ := header["kid"].(string); got != strings.ToValidUTF8(kid, "\uFFFD") &&
				strings.ToValidUTF8(kid, "") == kid {
				t.Errorf("kid %q, want %q", got, kid)
			}
			if strings.ToValidUTF8(id, "") == id && (claims["sub"] != id || claims["iss"] != id) {
				t.Errorf("claims %v, want the client %q", claims, id)
			}
		}
	})
}

// The difference of each pair is what a signed assertion costs beside its
// signature.
func BenchmarkPrivateKeyJWT(b *testing.B) {
	for name, hash := range map[string]crypto.Hash{"p256.sec1.pem": crypto.SHA256, "ed25519.pem": 0,
		"rsa2048.pkcs8.pem": crypto.SHA256} {
		key := testKey(b, name)
		b.Run(name+"/signature", func(b *testing.B) {
			digest := make([]byte, 32)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign(rand.Reader, digest, hash); err != nil {
					b.Fatal(err)
				}
			}
		})
		for kind, auth := range map[string]ccclient.Auth{
			"assertion": ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{KeyID: "k1"}),
			"source":    ccclient.PrivateKeyJWTFrom(sourceOf(ccclient.Key{Signer: key, ID: "k1"}), ccclient.AssertionOptions{}),
		} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				r := request(asIssuer)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := auth.Authenticate(b.Context(), r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
