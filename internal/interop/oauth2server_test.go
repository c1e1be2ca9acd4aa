package interop_test

import (
	"net/http"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// startOAuth2Server serves @node-oauth/oauth2-server, which does not decode Basic
// credentials, and whose API says no more of a dead token than 401.
func startOAuth2Server() (*server, func(), error) {
	id := strings.ReplaceAll(specialID, ":", ";")
	var urls struct{ Token, API, Revoke string }
	p, err := startNode("oauth2server.mjs", map[string]any{
		"lifetime": int(lifetime / time.Second),
		"clients": []map[string]any{
			{"id": "basic", "secret": plainSecret},
			{"id": id, "secret": specialSecret},
			{"id": "password", "secret": plainSecret, "grants": []string{"password"}},
		},
	}, &urls)
	if err != nil {
		return nil, nil, err
	}
	s := &server{tokenURL: urls.Token, api: urls.API, revoke: revokeAt(urls.Revoke)}
	s.rejected = func(resp *http.Response) bool { return resp.StatusCode == http.StatusUnauthorized }
	with := func(id string, auth ccclient.Auth, note string) cell {
		config := ccclient.Config{TokenURL: s.tokenURL, ClientID: id, Auth: auth, Scopes: []string{"read"}}
		return cell{config: config, note: note}
	}
	plain, special := ccclient.SecretString(plainSecret), ccclient.SecretString(specialSecret)
	s.cells = map[string]cell{
		"client_secret_basic":                     with("basic", ccclient.ClientSecretBasic(plain), ""),
		"client_secret_basic, special characters": with(id, ccclient.ClientSecretBasicUnencoded(special), "unencoded"),
		"client_secret_post":                      with("basic", ccclient.ClientSecretPost(plain), ""),
		"client_secret_post, special characters":  with(id, ccclient.ClientSecretPost(special), ""),
	}
	s.lacks("no mTLS", "tls_client_auth", "self_signed_tls_client_auth")
	s.lacks("no assertions", "client_secret_jwt", "private_key_jwt", "client assertion")
	s.lacks("no bound tokens", "DPoP")
	s.lacks("no RFC 8707", "resource indicator")
	return s, func() { p.stop() }, nil
}
