package ccclient_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ccclient/go-ccclient/ccclient"
)

// APIs with a token endpoint of their own, or with one that has to be told of them: see providers_configs_test.go.

func useAtlas() string {
	cfg := ccclient.Config{
		TokenURL: "https://cloud.mongodb.com/api/oauth/token",
		ClientID: "mdb_sa_id_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	client, base := atlas.open(cfg)
	defer base.Close()

	req, _ := http.NewRequest("GET", "https://cloud.mongodb.com/api/atlas/v2/groups", nil)
	req.Header.Set("Accept", "application/vnd.atlas.2025-03-12+json")

	base.spend(&http.Client{Transport: client.Transport(base)}, req)
	return `POST https://cloud.mongodb.com/api/oauth/token
  client_secret_basic
  grant_type=client_credentials
GET https://cloud.mongodb.com/api/atlas/v2/groups
  Authorization: Bearer`
}

func useBitbucket() string {
	cfg := ccclient.Config{
		TokenURL: "https://bitbucket.org/site/oauth2/access_token",
		ClientID: "CONSUMER_KEY",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	bitbucket.run(cfg, "https://api.bitbucket.org/2.0/repositories/WORKSPACE")
	return `POST https://bitbucket.org/site/oauth2/access_token
  client_secret_basic
  grant_type=client_credentials
GET https://api.bitbucket.org/2.0/repositories/WORKSPACE
  Authorization: Bearer`
}

func useConfluent() string {
	identity := confluent.identity() // *ccclient.Client of the identity provider that the pool trusts
	defer identity.Close()

	cfg := ccclient.Config{
		TokenURL: "https://api.confluent.cloud/sts/v1/oauth2/token",
		ClientID: "pool-ID",
		Auth: ccclient.AuthFunc(func(ctx context.Context, _ ccclient.Request) (ccclient.Credentials, error) {
			token, err := identity.AccessToken(ctx)
			return ccclient.Credentials{Form: url.Values{"subject_token": {token}}}, err
		}),
		EndpointParams: url.Values{
			"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
			"identity_pool_id":     {"pool-ID"},
			"subject_token_type":   {"urn:ietf:params:oauth:token-type:jwt"},
			"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		},
	}
	confluent.run(cfg, "https://api.confluent.cloud/cmk/v2/clusters")
	return `POST https://api.confluent.cloud/sts/v1/oauth2/token
  subject_token, RS256 of type JWT for [confluent]
  grant_type=urn:ietf:params:oauth:grant-type:token-exchange
  identity_pool_id=pool-ID
  requested_token_type=urn:ietf:params:oauth:token-type:access_token
  subject_token_type=urn:ietf:params:oauth:token-type:jwt
GET https://api.confluent.cloud/cmk/v2/clusters
  Authorization: Bearer`
}

func useCrowdStrike() string {
	cfg := ccclient.Config{
		TokenURL: "https://api.us-2.crowdstrike.com/oauth2/token", // of your cloud
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	crowdStrike.run(cfg, "https://api.us-2.crowdstrike.com/devices/queries/devices/v1")
	return `POST https://api.us-2.crowdstrike.com/oauth2/token
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://api.us-2.crowdstrike.com/devices/queries/devices/v1
  Authorization: Bearer`
}

func useDatabricks() string {
	cfg := ccclient.Config{
		TokenURL: "https://WORKSPACE.cloud.databricks.com/oidc/v1/token",
		ClientID: "SERVICE_PRINCIPAL_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"all-apis"},
	}
	databricks.run(cfg, "https://WORKSPACE.cloud.databricks.com/api/2.2/jobs/list")
	return `POST https://WORKSPACE.cloud.databricks.com/oidc/v1/token
  client_secret_basic
  grant_type=client_credentials
  scope=all-apis
GET https://WORKSPACE.cloud.databricks.com/api/2.2/jobs/list
  Authorization: Bearer`
}

func useFedEx() string {
	cfg := ccclient.Config{
		TokenURL: "https://apis.fedex.com/oauth/token",
		ClientID: "API_KEY",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	fedEx.run(cfg, "https://apis.fedex.com/track/v1/trackingnumbers")
	return `POST https://apis.fedex.com/oauth/token
  client_secret_post
  client_id=API_KEY
  grant_type=client_credentials
GET https://apis.fedex.com/track/v1/trackingnumbers
  Authorization: Bearer`
}

// netSuiteAssertion signs the assertion that NetSuite wants: what is asked for is a claim, not a parameter.
var netSuiteAssertion ccclient.Secret = func(ctx context.Context) (string, error) {
	key, err := ccclient.KeyFrom(ccclient.SecretEnv("PRIVATE_KEY"))(ctx)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.PS256,
		Key:       jose.JSONWebKey{Key: key.Signer, KeyID: "CERTIFICATE_ID"},
	}, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(signer).Claims(map[string]any{
		"iss": "CLIENT_ID", "sub": "CLIENT_ID", "jti": rand.Text(),
		"aud":   "https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token",
		"scope": []string{"rest_webservices"},
		"iat":   now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}).Serialize()
}

func useNetSuite() string {
	cfg := ccclient.Config{
		TokenURL: "https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientAssertion(netSuiteAssertion),
	}
	netSuite.run(cfg, "https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/record/v1/customer")
	return `POST https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token
  private_key_jwt, PS256 of type JWT for https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/record/v1/customer
  Authorization: Bearer`
}

func useServiceNow() string {
	cfg := ccclient.Config{
		TokenURL: "https://INSTANCE.service-now.com/oauth_token.do",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	serviceNow.run(cfg, "https://INSTANCE.service-now.com/api/now/table/incident")
	return `POST https://INSTANCE.service-now.com/oauth_token.do
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://INSTANCE.service-now.com/api/now/table/incident
  Authorization: Bearer`
}

func useSnowflake() string {
	cfg := ccclient.Config{
		TokenURL: "https://DOMAIN.okta.com/oauth2/AUTHORIZATION_SERVER_ID/v1/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"session:role:ROLE"},
	}
	snowflake.run(cfg, "https://ACCOUNT.snowflakecomputing.com/api/v2/databases")
	return `POST https://DOMAIN.okta.com/oauth2/AUTHORIZATION_SERVER_ID/v1/token
  client_secret_basic
  grant_type=client_credentials
  scope=session:role:ROLE
GET https://ACCOUNT.snowflakecomputing.com/api/v2/databases
  Authorization: Bearer`
}

func useSpotify() string {
	cfg := ccclient.Config{
		TokenURL: "https://accounts.spotify.com/api/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	spotify.run(cfg, "https://api.spotify.com/v1/artists/ARTIST_ID")
	return `POST https://accounts.spotify.com/api/token
  client_secret_basic
  grant_type=client_credentials
GET https://api.spotify.com/v1/artists/ARTIST_ID
  Authorization: Bearer`
}

func useTailscale() string {
	cfg := ccclient.Config{
		TokenURL: "https://api.tailscale.com/api/v2/oauth/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"devices:core:read"}, // fewer than the client has
	}
	tailscale.run(cfg, "https://api.tailscale.com/api/v2/tailnet/-/devices")
	return `POST https://api.tailscale.com/api/v2/oauth/token
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=devices:core:read
GET https://api.tailscale.com/api/v2/tailnet/-/devices
  Authorization: Bearer`
}
