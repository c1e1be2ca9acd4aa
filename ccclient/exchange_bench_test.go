package ccclient_test

import (
	"crypto"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

// What a signed assertion adds to a token request is the difference between
// the two methods; it should be the signature's cost and 20 µs at most.
func BenchmarkTokenRequest(b *testing.B) {
	const answer = `{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600}`
	header := http.Header{"Content-Type": {"application/json"}}
	server := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(strings.NewReader(answer)),
			Request: r}, nil
	})
	fetch := func(auth ccclient.Auth) func(b *testing.B) {
		return func(b *testing.B) {
			c, err := ccclient.New(ccclient.Config{TokenURL: tokenURL, ClientID: "client", Auth: auth,
				HTTPClient: &http.Client{Transport: server}})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Refresh(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("ClientSecretPost", fetch(ccclient.ClientSecretPost(ccclient.SecretString(longSecret))))
	for _, k := range []struct {
		alg, file string
		hash      crypto.Hash
	}{{"ES256", "p256.sec1.pem", crypto.SHA256}, {"EdDSA", "ed25519.pem", 0},
		{"RS256", "rsa2048.pkcs8.pem", crypto.SHA256}} {
		key := testKey(b, k.file)
		b.Run("Signature/"+k.alg, func(b *testing.B) {
			digest := make([]byte, 32)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign(rand.Reader, digest, k.hash); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("PrivateKeyJWT/"+k.alg, fetch(ccclient.PrivateKeyJWT(key, ccclient.AssertionOptions{KeyID: "k1"})))
	}
}
