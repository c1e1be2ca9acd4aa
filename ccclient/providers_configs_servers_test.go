package ccclient_test

import (
	"github.com/ccclient/go-ccclient/ccclient"
)

// Servers that one runs, or has run for one: see providers_configs_test.go.

func useADFS() string {
	cfg := ccclient.Config{
		Issuer:    "https://adfs.example.com/adfs",
		ClientID:  "CLIENT_ID",
		Auth:      ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		Resources: []string{"https://api.example.com/"}, // the identifier of the web API
	}
	adfs.run(cfg, "https://api.example.com/things")
	return `POST https://adfs.example.com/adfs/oauth2/token/
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
  resource=https://api.example.com/
GET https://api.example.com/things
  Authorization: Bearer`
}

func useAuthentik() string {
	cfg := ccclient.Config{
		Issuer:   "https://authentik.example.com/application/o/APPLICATION/",
		ClientID: "CLIENT_ID",
		// The secret is the base64 of SERVICE_ACCOUNT:APP_PASSWORD.
		Auth:   ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes: []string{"profile"},
	}
	authentik.run(cfg, "https://api.example.com/things")
	return `POST https://authentik.example.com/application/o/token/
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=profile
GET https://api.example.com/things
  Authorization: Bearer`
}

func useDuende() string {
	cfg := ccclient.Config{
		Issuer:   "https://identity.example.com",
		ClientID: "CLIENT_ID",
		Auth: ccclient.PrivateKeyJWTFrom(ccclient.KeyFrom(ccclient.SecretEnv("PRIVATE_KEY")), ccclient.AssertionOptions{
			KeyID: "KEY_ID",
		}),
		Scopes: []string{"api1"},
	}
	duende.run(cfg, "https://api.example.com/things")
	return `POST https://identity.example.com/connect/token
  private_key_jwt, RS256 of type client-authentication+jwt for https://identity.example.com
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=api1
GET https://api.example.com/things
  Authorization: Bearer`
}

func useHydra() string {
	cfg := ccclient.Config{
		Issuer:   "https://hydra.example.com",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"read"},
		Audience: "https://api.example.com/",
	}
	hydra.run(cfg, "https://api.example.com/things")
	return `POST https://hydra.example.com/oauth2/token
  client_secret_basic
  audience=https://api.example.com/
  grant_type=client_credentials
  scope=read
GET https://api.example.com/things
  Authorization: Bearer`
}

func useZitadel() string {
	cfg := ccclient.Config{
		Issuer:   "https://INSTANCE.zitadel.cloud",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"openid", "urn:zitadel:iam:org:project:id:PROJECT_ID:aud"},
	}
	zitadel.run(cfg, "https://api.example.com/things")
	return `POST https://INSTANCE.zitadel.cloud/oauth/v2/token
  client_secret_basic
  grant_type=client_credentials
  scope=openid urn:zitadel:iam:org:project:id:PROJECT_ID:aud
GET https://api.example.com/things
  Authorization: Bearer`
}
