package interop_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

// TestRefusalsAreNamedAndExplained asks for what real servers refuse. Each error
// has the server's code, says in words what to look at, and holds no secret.
func TestRefusalsAreNamedAndExplained(t *testing.T) {
	need(t, oidcProvider, authlib, djangoServer, oauth2Server)
	oidc := oidcProvider
	const wrongSecret = "canary: 100% wrong & of 32 bytes or more"
	wrong := ccclient.SecretString(wrongSecret)
	newline := ccclient.SecretString(plainSecret + "\n")
	plain, special := ccclient.SecretString(plainSecret), ccclient.SecretString(specialSecret)
	noColon := strings.ReplaceAll(specialID, ":", ";")

	tests := []struct {
		name   string
		server *server
		config ccclient.Config
		code   ccclient.ErrorCode
		status int
		say    []string
	}{
		{
			"a wrong secret by Basic", oidc,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretBasic(wrong)},
			ccclient.InvalidClient, 401, []string{"client_secret_basic", "ClientSecretPost"},
		}, {
			"a wrong secret by post", oidc,
			ccclient.Config{ClientID: "post", Auth: ccclient.ClientSecretPost(wrong)},
			ccclient.InvalidClient, 401, []string{"client_secret_post", "ClientSecretBasic"},
		}, {
			"a wrong secret under an assertion", oidc,
			ccclient.Config{ClientID: "jwt", Auth: ccclient.ClientSecretJWT(wrong, ccclient.AssertionOptions{})},
			ccclient.InvalidClient, 401, []string{"client_secret_jwt"},
		}, {
			"a wrong secret at fosite", fositeServer,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretBasic(wrong)},
			ccclient.InvalidClient, 401, []string{"client_secret_basic"},
		}, {
			"an unknown client", oidc,
			ccclient.Config{ClientID: "nobody", Auth: ccclient.ClientSecretBasic(wrong)},
			ccclient.InvalidClient, 401, []string{"ClientID"},
		}, {
			"the method of another client", oidc,
			ccclient.Config{ClientID: "es256", Auth: ccclient.ClientSecretBasic(wrong)},
			ccclient.InvalidClient, 401, []string{"client_secret_basic"},
		}, {
			"another client's key", oidc,
			ccclient.Config{ClientID: "rs256", Auth: ccclient.PrivateKeyJWT(dpopRSAKey, ccclient.AssertionOptions{})},
			ccclient.InvalidClient, 401, []string{"private_key_jwt"},
		}, {
			"special characters that are not encoded", oidc,
			ccclient.Config{ClientID: noColon, Auth: ccclient.ClientSecretBasicUnencoded(special)},
			ccclient.InvalidRequest, 400, []string{"not properly encoded"},
		}, {
			"a scope that the client may not have", oidc,
			ccclient.Config{
				ClientID: "reader", Auth: ccclient.ClientSecretBasic(plain), Scopes: []string{"read", "write"},
			},
			ccclient.InvalidScope, 400, []string{"write"},
		}, {
			"a scope that the client may not have, at fosite", fositeServer,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain), Scopes: []string{"write"}},
			ccclient.InvalidScope, 400, []string{"write"},
		}, {
			"an unknown resource", oidc,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain), Resources: []string{"https://other.example.com/"}},
			ccclient.InvalidTarget, 400, nil,
		}, {
			"no proof where tokens have to be bound", oidc,
			ccclient.Config{ClientID: "dpop", Auth: ccclient.ClientSecretBasic(plain)},
			ccclient.InvalidGrant, 400, nil,
		}, {
			"no proof where tokens have to be bound, as the metadata hint", oidc,
			ccclient.Config{Issuer: oidc.issuer, ClientID: "dpop", Auth: ccclient.ClientSecretBasic(plain)},
			ccclient.InvalidGrant, 400, []string{"set DPoPKey"},
		}, {
			"another algorithm than the client's", oidc,
			ccclient.Config{ClientID: "ps256", Auth: ccclient.PrivateKeyJWT(rsaKey, ccclient.AssertionOptions{})},
			ccclient.InvalidClient, 401, []string{"AssertionOptions.Algorithm"},
		}, {
			"no token endpoint at oidc-provider", oidc,
			ccclient.Config{
				TokenURL: oidc.tokenURL + "s", ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain),
			},
			"", 404, []string{"check TokenURL"},
		}, {
			"a wrong secret at Authlib", authlib,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretBasic(wrong)},
			ccclient.InvalidClient, 401, []string{"check ClientID and the secret"},
		}, {
			"a secret with a newline at Authlib", authlib,
			ccclient.Config{ClientID: "post", Auth: ccclient.ClientSecretPost(newline)},
			ccclient.InvalidClient, 401, []string{"the secret ends in white space"},
		}, {
			"an algorithm that Authlib does not take", authlib,
			ccclient.Config{
				ClientID: "rs256", Auth: ccclient.PrivateKeyJWT(rsaKey, ccclient.AssertionOptions{Algorithm: "PS256"}),
			},
			ccclient.InvalidClient, 400, []string{"set AssertionOptions.Algorithm"},
		}, {
			"a scope that Authlib does not know", authlib,
			ccclient.Config{
				ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain), Scopes: []string{"write"},
			},
			ccclient.InvalidScope, 400, []string{"write"},
		}, {
			"no token endpoint at Authlib", authlib,
			ccclient.Config{
				TokenURL: authlib.tokenURL + "s", ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain),
			},
			"", 404, []string{"check TokenURL"},
		}, {
			"the API at Authlib", authlib,
			ccclient.Config{TokenURL: authlib.api, ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain)},
			"", 401, []string{"check TokenURL"},
		}, {
			"a wrong secret at django-oauth-toolkit", djangoServer,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretBasic(wrong)},
			ccclient.InvalidClient, 401, []string{"check ClientID and the secret"},
		}, {
			"a secret with a newline at django-oauth-toolkit", djangoServer,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretPost(newline)},
			ccclient.InvalidClient, 401, []string{"the secret ends in white space"},
		}, {
			"a path of the API at django-oauth-toolkit", djangoServer,
			ccclient.Config{TokenURL: djangoServer.api, ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain)},
			"", 403, []string{"check TokenURL"},
		}, {
			"another grant's client at node-oauth2-server", oauth2Server,
			ccclient.Config{ClientID: "password", Auth: ccclient.ClientSecretBasic(plain)},
			ccclient.UnauthorizedClient, 400, []string{`allow grant_type "client_credentials"`},
		}, {
			"a wrong secret at node-oauth2-server", oauth2Server,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretBasic(wrong)},
			ccclient.InvalidClient, 401, []string{"check ClientID and the secret"},
		}, {
			"a secret that node-oauth2-server does not decode", oauth2Server,
			ccclient.Config{ClientID: noColon, Auth: ccclient.ClientSecretBasic(special)},
			ccclient.InvalidClient, 401, []string{"ClientSecretBasicUnencoded if the server does not form-decode"},
		}, {
			"a secret with a newline at node-oauth2-server", oauth2Server,
			ccclient.Config{ClientID: "basic", Auth: ccclient.ClientSecretPost(newline)},
			ccclient.InvalidRequest, 400, []string{"the secret ends in white space"},
		}, {
			"no token endpoint at node-oauth2-server", oauth2Server,
			ccclient.Config{
				TokenURL: oauth2Server.tokenURL + "s", ClientID: "basic", Auth: ccclient.ClientSecretBasic(plain),
			},
			"", 404, []string{"check TokenURL"},
		}, {
			"an issuer without metadata", authlib,
			ccclient.Config{
				Issuer: strings.TrimSuffix(authlib.tokenURL, "/token"), ClientID: "basic",
				Auth: ccclient.ClientSecretBasic(plain),
			},
			"", 0, []string{"set TokenURL in place of Issuer"},
		}, {
			"a token endpoint as the issuer", djangoServer,
			ccclient.Config{
				Issuer: strings.TrimSuffix(djangoServer.tokenURL, "/"), ClientID: "basic",
				Auth: ccclient.ClientSecretBasic(plain),
			},
			"", 0, []string{"looks like a token endpoint, which goes into TokenURL"},
		}, {
			"no certificate at oidc-provider", oidc,
			ccclient.Config{
				TokenURL: oidc.mtls, ClientID: "pki", Auth: ccclient.TLSClientAuth(), TLS: clientTLS(selfSigned),
			},
			ccclient.InvalidClient, 401, []string{"check ClientID, and that the server knows the certificate in Config.TLS"},
		}, {
			"a certificate where none was asked for", oidc,
			ccclient.Config{
				TokenURL: oidc.unasked, ClientID: "pki", Auth: ccclient.TLSClientAuth(), TLS: clientTLS(clientCert),
			},
			ccclient.InvalidClient, 401, []string{"none was asked for in the TLS handshake"},
		}, {
			"plain HTTP to oidc-provider's port for TLS", oidc,
			ccclient.Config{
				TokenURL: strings.Replace(oidc.mtls, "https:", "http:", 1), ClientID: "basic",
				Auth: ccclient.ClientSecretBasic(plain),
			},
			"", 0, []string{"use https in TokenURL"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.config.TokenURL == "" && tt.config.Issuer == "" {
				tt.config.TokenURL = tt.server.tokenURL
			}
			client, err := ccclient.New(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()

			_, err = client.Token(t.Context())
			e, ok := errors.AsType[*ccclient.Error](err)
			if !ok || tt.code != "" && !errors.Is(err, tt.code) || e.StatusCode != tt.status {
				t.Fatalf("got %v, want %s with status %d", err, tt.code, tt.status)
			}
			if e.Attempts > 1 && e.StatusCode != 0 {
				t.Errorf("%d attempts at what no attempt can change", e.Attempts)
			}
			for _, word := range tt.say {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not name %q", err, word)
				}
			}
			for _, secret := range []string{wrongSecret, plainSecret, specialSecret} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
					t.Errorf("the error holds the secret")
				}
			}
		})
	}
}

// TestMethodThatTheServerDoesNotListIsNamed: oauth2-mock-server's metadata lists
// the method none and no other.
func TestMethodThatTheServerDoesNotListIsNamed(t *testing.T) {
	need(t, mockServer)
	client, err := ccclient.New(ccclient.Config{
		Issuer:   mockServer.issuer,
		ClientID: "basic",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(plainSecret)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), "none") || !strings.Contains(err.Error(), "client_secret_basic") {
		t.Errorf("got %v, want an error that names the method used and those listed", err)
	}
}
