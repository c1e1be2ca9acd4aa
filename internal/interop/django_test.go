package interop_test

import (
	"net/http"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
)

// startDjango serves django-oauth-toolkit, whose API answers a dead token with an
// empty 403.
func startDjango() (*server, func(), error) {
	var urls struct{ Token, API, Revoke string }
	p, err := startPython("django_server.py", map[string]any{
		"lifetime": int(lifetime / time.Second),
		"clients": []map[string]string{
			{"id": "basic", "secret": plainSecret},
			{"id": specialID, "secret": specialSecret},
		},
	}, &urls)
	if err != nil {
		return nil, nil, err
	}
	s := &server{tokenURL: urls.Token, api: urls.API, revoke: revokeAt(urls.Revoke)}
	s.rejected = func(resp *http.Response) bool { // as docs/providers.md has it
		return transport.DefaultRejected(resp) || resp.StatusCode == http.StatusForbidden && resp.ContentLength == 0
	}
	with := func(id string, auth ccclient.Auth) cell {
		return cell{config: ccclient.Config{TokenURL: s.tokenURL, ClientID: id, Auth: auth, Scopes: []string{"read"}}}
	}
	plain, special := ccclient.SecretString(plainSecret), ccclient.SecretString(specialSecret)
	s.cells = map[string]cell{
		"client_secret_basic":                     with("basic", ccclient.ClientSecretBasic(plain)),
		"client_secret_basic, special characters": with(specialID, ccclient.ClientSecretBasic(special)),
		"client_secret_post":                      with("basic", ccclient.ClientSecretPost(plain)),
		"client_secret_post, special characters":  with(specialID, ccclient.ClientSecretPost(special)),
	}
	s.lacks("no mTLS", "tls_client_auth", "self_signed_tls_client_auth")
	s.lacks("no assertions", "client_secret_jwt", "private_key_jwt", "client assertion")
	s.lacks("no bound tokens", "DPoP")
	s.lacks("no JWT access tokens", "resource indicator")
	return s, func() { p.stop() }, nil
}
