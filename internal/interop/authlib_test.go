package interop_test

import (
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// startAuthlib serves Authlib.
func startAuthlib() (*server, func(), error) {
	client := func(id, method, secret string, key any) map[string]any {
		return map[string]any{"id": id, "method": method, "secret": secret, "jwk": key}
	}
	var urls struct{ Token, API, Revoke string }
	p, err := startPython("authlib_server.py", map[string]any{
		"lifetime": int(lifetime / time.Second),
		"clients": []map[string]any{
			client("basic", "client_secret_basic", plainSecret, nil),
			client(specialID, "client_secret_basic", specialSecret, nil),
			client("post", "client_secret_post", plainSecret, nil),
			client(specialID+" post", "client_secret_post", specialSecret, nil),
			client("jwt", "assertion", plainSecret, nil),
			client("rs256", "assertion", "", jwk(rsaKey, "rs256")),
			client("es256", "assertion", "", jwk(ecKey, "es256")),
		},
	}, &urls)
	if err != nil {
		return nil, nil, err
	}
	s := &server{tokenURL: urls.Token, api: urls.API, revoke: revokeAt(urls.Revoke)}
	with := func(id string, auth ccclient.Auth) cell {
		return cell{config: ccclient.Config{TokenURL: s.tokenURL, ClientID: id, Auth: auth, Scopes: []string{"read"}}}
	}
	plain, special := ccclient.SecretString(plainSecret), ccclient.SecretString(specialSecret)
	none := ccclient.AssertionOptions{}
	s.cells = map[string]cell{
		"client_secret_basic":                     with("basic", ccclient.ClientSecretBasic(plain)),
		"client_secret_basic, special characters": with(specialID, ccclient.ClientSecretBasic(special)),
		"client_secret_post":                      with("post", ccclient.ClientSecretPost(plain)),
		"client_secret_post, special characters":  with(specialID+" post", ccclient.ClientSecretPost(special)),
		"client_secret_jwt":                       with("jwt", ccclient.ClientSecretJWT(plain, none)),
		"private_key_jwt RS256":                   with("rs256", ccclient.PrivateKeyJWT(rsaKey, none)),
		"private_key_jwt ES256":                   with("es256", ccclient.PrivateKeyJWT(ecKey, none)),
		"private_key_jwt, opaque signer":          with("es256", ccclient.PrivateKeyJWT(opaqueSigner{ecKey}, none)),
		"client assertion made elsewhere":         with("es256", ccclient.ClientAssertion(assertion("es256", ecKey, s.tokenURL))),
	}
	s.lacks("no mTLS", "tls_client_auth", "self_signed_tls_client_auth")
	s.lacks("only joserfc's recommended algorithms", "private_key_jwt PS256", "private_key_jwt Ed")
	s.lacks("no bound tokens", "private_key_jwt, certificate-bound", "DPoP")
	s.lacks("no RFC 8707", "resource indicator")
	return s, func() { p.stop() }, nil
}
