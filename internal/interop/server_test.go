package interop_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ccclient/go-ccclient/ccclient"
)

// lifetime is that of every token here: long enough to be spent and revoked on
// a busy machine, short enough to be waited for.
const lifetime = 6 * time.Second

// Every special character that has made somebody's Basic authentication fail.
const (
	specialID     = "svc: 100%+a & b=c/d~e"
	specialSecret = "s3: %41+b & c=d/e~f 100% and 32 bytes"
	plainSecret   = "an-ordinary-secret-of-more-than-32-bytes"
)

// methods are the rows of the table; each server says of each how it is
// configured there, or why it cannot be.
var methods = []string{
	"client_secret_basic",
	"client_secret_basic, special characters",
	"client_secret_post",
	"client_secret_post, special characters",
	"client_secret_jwt",
	"private_key_jwt RS256",
	"private_key_jwt PS256",
	"private_key_jwt ES256",
	"private_key_jwt EdDSA",
	"private_key_jwt Ed25519",
	"private_key_jwt, opaque signer",
	"client assertion made elsewhere",
	"tls_client_auth, bound token",
	"tls_client_auth, token not bound",
	"self_signed_tls_client_auth, bound",
	"private_key_jwt, certificate-bound",
	"DPoP ES256",
	"DPoP EdDSA",
	"DPoP PS256",
	"DPoP ES256, nonces required",
	"DPoP, private_key_jwt, nonces required",
	"resource indicator, JWT access token",
}

// A server is an authorization server and the API that trusts it.
type server struct {
	name     string
	tokenURL string
	issuer   string
	mtls     string // the token endpoint that asks for a certificate, if there is one
	unasked  string // one over TLS that does not, if there is one
	api      string // where tokens are spent, unless the cell says otherwise
	revoke   func(token string) error
	rejected func(*http.Response) bool // how the API says that a token is dead; nil: as RFC 6750 says
	cells    map[string]cell           // by method
}

// revokeAt gives what revokes a token by a POST of it.
func revokeAt(url string) func(token string) error {
	return func(token string) error {
		resp, err := http.Post(url, "text/plain", strings.NewReader(token))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			text, _ := io.ReadAll(resp.Body)
			return fmt.Errorf("revocation: %s: %s", resp.Status, text)
		}
		return nil
	}
}

// A cell is one way to use one server.
type cell struct {
	config ccclient.Config
	api    string
	why    string // not empty: what the server lacks
	note   string // to be printed beside "ok"
}

// lacks says why the methods that begin so, and that have no cell yet, cannot be
// used at s.
func (s *server) lacks(why string, prefixes ...string) {
	for _, method := range methods {
		_, known := s.cells[method]
		begins := func(prefix string) bool { return strings.HasPrefix(method, prefix) }
		if !known && slices.ContainsFunc(prefixes, begins) {
			s.cells[method] = cell{why: why}
		}
	}
}

// An opaqueSigner hides its key, as one in a KMS is hidden.
type opaqueSigner struct{ key crypto.Signer }

func (s opaqueSigner) Public() crypto.PublicKey { return s.key.Public() }

func (s opaqueSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(random, digest, opts)
}

// assertion is a source of client assertions that the library has no part in,
// as a platform's token service is one.
func assertion(clientID string, key crypto.Signer, audience string) ccclient.Secret {
	return func(context.Context) (string, error) {
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: clientID}},
			(&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			return "", err
		}
		claims, err := json.Marshal(map[string]any{
			"iss": clientID,
			"sub": clientID,
			"aud": audience,
			"jti": rand.Text(),
			"iat": time.Now().Unix(),
			"exp": time.Now().Add(time.Minute).Unix(),
		})
		if err != nil {
			return "", err
		}
		signed, err := signer.Sign(claims)
		if err != nil {
			return "", err
		}
		return signed.CompactSerialize()
	}
}

func randomSecret() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}
