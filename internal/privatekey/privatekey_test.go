package privatekey_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/internal/jws"
	"github.com/ccclient/go-ccclient/internal/privatekey"
)

func keyFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "keys", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestPrivateKeysAreReadInEveryForm(t *testing.T) {
	for name, want := range map[string]func(crypto.Signer) bool{
		"rsa2048.pkcs1.pem":   isRSA,
		"rsa2048.pkcs8.pem":   isRSA,
		"rsa2048.bundle.pem":  isRSA,
		"p256.sec1.pem":       isECDSA("P-256"),
		"p384.pkcs8.pem":      isECDSA("P-384"),
		"p521.pkcs8.pem":      isECDSA("P-521"),
		"ed25519.pem":         isEd25519,
		"rfc7515-a2.jwk.json": isRSA,
		"rfc7515-a3.jwk.json": isECDSA("P-256"),
		"rfc7515-a4.jwk.json": isECDSA("P-521"),
		"rfc8037-a1.jwk.json": isEd25519,
	} {
		data := keyFile(t, name)
		for form, data := range map[string][]byte{
			"":          data,
			" in CRLF":  bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")),
			" with BOM": append([]byte("\xef\xbb\xbf\n"), data...),
			" indented": append([]byte("note: for tests\n\n"), data...),
		} {
			if strings.HasSuffix(name, ".json") && form == " indented" {
				continue
			}
			key, err := privatekey.Parse(data)
			if err != nil || !want(key.Signer) || key.ID != "" || key.Algorithm != "" {
				t.Errorf("%s%s: %T, %q, %q, %v", name, form, key.Signer, key.ID, key.Algorithm, err)
			}
		}
	}
}

func isRSA(k crypto.Signer) bool { _, ok := k.(*rsa.PrivateKey); return ok }

func isEd25519(k crypto.Signer) bool { _, ok := k.(ed25519.PrivateKey); return ok }

func isECDSA(curve string) func(crypto.Signer) bool {
	return func(k crypto.Signer) bool {
		e, ok := k.(*ecdsa.PrivateKey)
		return ok && e.Curve.Params().Name == curve
	}
}

// The keys that were read make the signatures and thumbprints of the RFCs.
func TestParsedKeysAreThoseOfTheRFCs(t *testing.T) {
	key, err := privatekey.Parse(keyFile(t, "rfc7515-a2.jwk.json"))
	if err != nil {
		t.Fatal(err)
	}
	const signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	digest := sha256.Sum256([]byte(signed))
	signature, err := key.Signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	const a2 = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	if got := base64.RawURLEncoding.EncodeToString(signature); got != a2 {
		t.Errorf("RFC 7515, A.2.2: %s", got)
	}
	key, err = privatekey.Parse(keyFile(t, "rfc8037-a1.jwk.json"))
	if err != nil {
		t.Fatal(err)
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key.Signer.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.RawURLEncoding.EncodeToString(thumbprint); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("RFC 8037, A.3: %s", got)
	}
}

func TestJWKSaysItsNameAndAlgorithm(t *testing.T) {
	jwk := with(t, "rfc7515-a2.jwk.json", "kid", "k1", "alg", "PS256", "use", "sig")
	for _, data := range []string{jwk, `{"keys":[` + jwk + `]}`} {
		key, err := privatekey.Parse([]byte(data))
		if key.ID != "k1" || key.Algorithm != "PS256" || err != nil {
			t.Errorf("%q, %q, %v", key.ID, key.Algorithm, err)
		}
	}
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

func TestErrorsSayWhatTheDataIsInstead(t *testing.T) {
	file := func(name string) string { return string(keyFile(t, name)) }
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	ed := file("rfc8037-a1.jwk.json")
	const other = "7LkBt4jj8AbEwYk9RMJQ_tmKU5ot9wGEFSTDYSS6dfQ" // 32 bytes
	for name, tc := range map[string]struct{ data, want string }{
		"nothing":             {"", "empty"},
		"white space":         {" \n", "empty"},
		"a path":              {"/etc/keys/client.pem", "neither PEM nor JWK"},
		"DER":                 {"\x30\x82\x01\x02\x02\x01\x00", "neither PEM nor JWK"},
		"JSON list":           {"[]", "neither PEM nor JWK"},
		"encrypted PKCS #8":   {file("encrypted.pkcs8.pem"), "openssl pkcs8"},
		"encrypted PKCS #1":   {file("encrypted.pkcs1.pem"), "openssl pkcs8"},
		"certificate":         {file("certificate.pem"), "a certificate, not a private key"},
		"public key":          {file("public.pem"), "a public key, not a private one"},
		"certificate request": {file("request.pem"), "a certificate request"},
		"parameters":          {block("DH PARAMETERS", nil), "without a private key"},
		"two keys":            {file("two.pem"), "several private keys"},
		"OpenSSH":             {file("openssh.pem"), "ssh-keygen -p"},
		"DSA":                 {block("DSA PRIVATE KEY", []byte{1}), `"DSA PRIVATE KEY" is not supported`},
		"RSA 1024":            {file("rsa1024.pem"), "1024 bits"},
		"RSA 512":             {file("rsa512.pem"), "RSA key"},
		"P-224":               {file("p224.pem"), "P-224 is not supported"},
		"secp256k1 PKCS #8":   {file("secp256k1.pkcs8.pem"), "on the curve 1.3.132.0.10"},
		"secp256k1 SEC 1":     {file("secp256k1.sec1.pem"), "on the curve 1.3.132.0.10"},
		"nameless curve":      {file("explicit.pkcs8.pem"), "whose curve has no name"},
		"nameless curve, old": {file("explicit.sec1.pem"), "whose curve has no name"},
		"X25519":              {file("x25519.pem"), "cannot sign"},
		"Ed448":               {file("ed448.pem"), "algorithm 1.3.101.113"},
		"line breaks lost":    {strings.ReplaceAll(file("ed25519.pem"), "\n", `\n`), "line breaks lost"},
		"cut short":           {file("p384.pkcs8.pem")[:200], "cut short"},
		"damaged PKCS #8":     {block("PRIVATE KEY", []byte("damaged")), "not a PKCS #8 key"},
		"damaged PKCS #1":     {block("RSA PRIVATE KEY", []byte("damaged")), "not a PKCS #1 key"},
		"damaged SEC 1":       {block("EC PRIVATE KEY", []byte("damaged")), "not a SEC 1 key"},
		"damaged inside":      {block("PRIVATE KEY", damaged(t, "p384.pkcs8.pem")), "damaged: not an ECDSA key"},
		"damaged Ed25519":     {block("PRIVATE KEY", damaged(t, "ed25519.pem")), "damaged: not an Ed25519 key"},
		"damaged RSA":         {block("PRIVATE KEY", damaged(t, "rsa2048.pkcs8.pem")), "damaged, or too weak: not an RSA key"},

		"JWK cut short":      {ed[:60], "not a JWK"},
		"JSON":               {`{"type":"service_account"}`, `no "kty"`},
		"JWE":                {`{"ciphertext":"x","protected":"y"}`, "encrypted JWK"},
		"symmetric":          {`{"kty":"oct","k":"canary"}`, "use ClientSecretJWT"},
		"unknown type":       {`{"kty":"AKP","priv":"canary"}`, `type "AKP"`},
		"public RSA JWK":     {with(t, "rfc7515-a2.jwk.json", "d", ""), "a public key"},
		"public EC JWK":      {with(t, "rfc7515-a3.jwk.json", "d", ""), "a public key"},
		"public OKP JWK":     {with(t, "rfc8037-a1.jwk.json", "d", ""), "a public key"},
		"key for encryption": {with(t, "rfc7515-a3.jwk.json", "use", "enc"), `"use": "enc"`},
		"RSA without primes": {with(t, "rfc7515-a2.jwk.json", "p", "", "q", ""), "without its primes"},
		"secp256k1 JWK":      {with(t, "rfc7515-a3.jwk.json", "crv", "secp256k1"), `curve "secp256k1"`},
		"X25519 JWK":         {with(t, "rfc8037-a1.jwk.json", "crv", "X25519"), `curve "X25519"`},
		"Ed25519 halves":     {with(t, "rfc8037-a1.jwk.json", "d", other), "not a JWK"},
		"EC halves":          {with(t, "rfc7515-a3.jwk.json", "d", other), "halves differ"},
		"RSA halves":         {with(t, "rfc7515-a2.jwk.json", "d", other), "not a JWK"},
		"null private part":  {strings.Replace(ed, `"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"`, "null", 1), "damaged"},
		"empty set":          {`{"keys":[]}`, "of 0 keys"},
		"set of two":         {`{"keys":[` + ed + `,` + ed + `]}`, "of 2 keys"},
		"set of rubbish":     {`{"keys":["canary"]}`, "not a JWK Set"},
	} {
		key, err := privatekey.Parse([]byte(tc.data))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, tc.want)
			continue
		}
		if key != (privatekey.Key{}) {
			t.Errorf("%s: a key beside the error", name)
		}
		if leak := leaked(err.Error(), tc.data); leak != "" {
			t.Errorf("%s: %q repeats %q", name, err, leak)
		}
	}
}

// damaged returns the DER of a key of testdata with its last bytes cut off and
// the length of what holds them left: the outside reads, the inside does not.
func damaged(t *testing.T, name string) []byte {
	t.Helper()
	block, _ := pem.Decode(keyFile(t, name))
	der := bytes.Clone(block.Bytes)
	for i := len(der) - 16; i < len(der); i++ {
		der[i] ^= 0xff
	}
	if name == "ed25519.pem" {
		der[len(der)-33]++ // the length of the inner octet string
	}
	if name == "p384.pkcs8.pem" {
		der[bytes.Index(der, []byte{0x04, 0x30})+1]-- // the length of the scalar
	}
	return der
}

var chunk = regexp.MustCompile(`[A-Za-z0-9+/_-]{12,}`)

// leaked returns what of data's long runs of base64 is in text.
func leaked(text, data string) string {
	if strings.Contains(text, "canary") {
		return "canary"
	}
	for _, run := range chunk.FindAllString(data, -1) {
		for i := 0; i+12 <= len(run); i++ {
			if part := run[i : i+12]; strings.Contains(text, part) && !strings.Contains("service_account", part) {
				return part
			}
		}
	}
	return ""
}

func TestCertificateBesideItsKeyIsReturned(t *testing.T) {
	key := keyFile(t, "ed25519.pem")
	parsed, err := privatekey.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	own, rsa := certificate(t, parsed.Signer), keyFile(t, "certificate.pem")
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("broken")})
	other := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("not looked at")})
	block, _ := pem.Decode(own)
	jwk, err := json.Marshal(jose.JSONWebKey{Key: parsed.Signer, Certificates: []*x509.Certificate{parseCertificate(t, block.Bytes)}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		data [][]byte
		want bool
	}{
		"alone":                    {[][]byte{key}, false},
		"before it":                {[][]byte{own, key}, true},
		"after it":                 {[][]byte{key, own}, true},
		"with its issuer's before": {[][]byte{rsa, own, key}, true},
		"another's":                {[][]byte{key, rsa}, false},
		"a broken one":             {[][]byte{broken, key, own}, true},
		"a broken one alone":       {[][]byte{broken, key, other}, false},
		"JWK":                      {[][]byte{jwk}, true},
		"JWK Set":                  {[][]byte{[]byte(`{"keys":[`), jwk, []byte(`]}`)}, true},
	} {
		got, err := privatekey.Parse(bytes.Join(tc.data, []byte("\n")))
		if err != nil || (got.Certificate != nil) != tc.want {
			t.Errorf("%s: certificate %v, %v", name, got.Certificate != nil, err)
		} else if tc.want && !bytes.Equal(got.Certificate.Raw, block.Bytes) {
			t.Errorf("%s: another certificate", name)
		}
	}
	foreignJWK := bytes.Replace(jwk, []byte(base64.StdEncoding.EncodeToString(block.Bytes)),
		[]byte(base64.StdEncoding.EncodeToString(decode(t, rsa))), 1)
	if got, err := privatekey.Parse(foreignJWK); err == nil || got != (privatekey.Key{}) {
		t.Error("a JWK with another key's certificate was taken")
	}
}

// certificate returns a self-signed certificate of key in PEM.
func certificate(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func parseCertificate(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func decode(t *testing.T, data []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("no PEM")
	}
	return block.Bytes
}

func FuzzParse(f *testing.F) {
	names, err := filepath.Glob("testdata/keys/*")
	if err != nil || len(names) < 20 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		f.Add(keyFile(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := privatekey.Parse(data)
		if (err == nil) != (key.Signer != nil) {
			t.Fatalf("%T, %v", key.Signer, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		if err != nil {
			return
		}
		if _, err := jws.Public(key.Signer); err != nil {
			t.Errorf("a key that cannot sign: %v", err)
		}
		if cert := key.Certificate; cert != nil && !key.Signer.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) {
			t.Error("the certificate of another key")
		}
	})
}
