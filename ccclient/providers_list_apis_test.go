package ccclient_test

import (
	"net/http"
	"net/url"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// What stands in for the APIs of providers_configs_apis_test.go.

var atlas = provider{
	tokenURL: "https://cloud.mongodb.com/api/oauth/token",
	api:      "https://cloud.mongodb.com/api/atlas/",
	client:   registered("mdb_sa_id_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	refusals: map[string]refusal{
		"too many tokens": {403, `{"error":"access_denied","error_description":"Access Token limit reached. Please use the existing Access Token or create a new Service Account."}`,
			ccclient.AccessDenied, "Access Token limit reached.", false},
	},
	calls: func(h http.Header) bool { return h.Get("Accept") == "application/vnd.atlas.2025-03-12+json" },
}

var bitbucket = provider{
	tokenURL: "https://bitbucket.org/site/oauth2/access_token",
	api:      "https://api.bitbucket.org/2.0/",
	client:   registered("CONSUMER_KEY", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime: 2 * time.Hour,
		TokenResponse: members(map[string]any{
			"token_type": "bearer", "scope": nil, "scopes": "repository account", "refresh_token": "of-no-use", "state": "client_credentials",
		}),
	},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error_description":"Invalid OAuth client credentials","error":"unauthorized_client"}`,
			ccclient.UnauthorizedClient, "Invalid OAuth client credentials", false},
	},
}

var confluent = provider{
	tokenURL: "https://api.confluent.cloud/sts/v1/oauth2/token",
	api:      "https://api.confluent.cloud/cmk/",
	client: cctest.Registration{
		ID: "pool-ID", AuthMethods: []string{cctest.PrivateKeyJWT},
		AssertionIssuer: "https://identity.example.com", AssertionSubject: "service",
	},
	server: cctest.Options{
		Issuer: "confluent", Lifetime: 15 * time.Minute,
		GrantTypes: []string{"urn:ietf:params:oauth:grant-type:token-exchange"},
		TokenResponse: members(map[string]any{
			"issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "scope": nil,
		}),
	},
	demands: func(_ http.Header, form url.Values) string {
		if form.Get("identity_pool_id") != "pool-ID" ||
			form.Get("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt" ||
			form.Get("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token" {
			return "invalid_request"
		}
		return ""
	},
}

var crowdStrike = provider{
	tokenURL: "https://api.us-2.crowdstrike.com/oauth2/token",
	api:      "https://api.us-2.crowdstrike.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   simpleSecret,
	success:  http.StatusCreated,
	server: cctest.Options{
		Lifetime:      1799 * time.Second,
		TokenResponse: members(map[string]any{"token_type": "bearer", "scope": nil}),
	},
	refusals: map[string]refusal{
		"invalid_client": {403, `{"meta":{"query_time":0.1,"powered_by":"csam","trace_id":"0"},"errors":[{"code":403,"message":"access denied, authorization failed"}]}`,
			"403", "access denied, authorization failed", false},
	},
	rejects: `{"meta":{"query_time":0.1,"trace_id":"0"},"errors":[{"code":401,"message":"access denied, invalid bearer token"}]}`,
	bare:    true,
}

var databricks = provider{
	tokenURL: "https://WORKSPACE.cloud.databricks.com/oidc/v1/token",
	api:      "https://WORKSPACE.cloud.databricks.com/api/",
	client:   registered("SERVICE_PRINCIPAL_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server:   cctest.Options{Scopes: []string{"all-apis"}},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"Client authentication failed"}`,
			ccclient.InvalidClient, "Client authentication failed", true},
	},
}

var fedEx = provider{
	tokenURL: "https://apis.fedex.com/oauth/token",
	api:      "https://apis.fedex.com/track/",
	client:   registered("API_KEY", cctest.ClientSecretPost),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime:      3599 * time.Second,
		TokenResponse: members(map[string]any{"token_type": "bearer", "scope": "CXS"}),
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"transactionId":"0","errors":[{"code":"NOT.AUTHORIZED.ERROR","message":"The given client credentials were not valid. Please modify your request and try again."}]}`,
			"NOT.AUTHORIZED.ERROR", "The given client credentials were not valid.", true},
	},
	rejects: `{"transactionId":"0","errors":[{"code":"NOT.AUTHORIZED.ERROR","message":"Access token expired."}]}`,
	bare:    true,
}

const netSuiteTokenURL = "https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token"

var netSuite = provider{
	tokenURL: netSuiteTokenURL,
	api:      "https://ACCOUNT_ID.suitetalk.api.netsuite.com/services/rest/record/",
	client:   registered("CLIENT_ID", cctest.PrivateKeyJWT),
	keyID:    "CERTIFICATE_ID",
	server: cctest.Options{
		Issuer: netSuiteTokenURL, SigningAlgs: []string{"PS256", "PS384", "PS512", "ES256", "ES384", "ES512"},
		TokenResponse: members(map[string]any{"expires_in": "3600", "scope": nil}),
	},
	demands: func(_ http.Header, form url.Values) string {
		h, claims := joseHeader(form.Get("client_assertion")), jwtClaims(form.Get("client_assertion"))
		if h["typ"] != "JWT" || h["kid"] != "CERTIFICATE_ID" || claims["scope"] == nil {
			return "invalid_client"
		}
		return ""
	},
}

var serviceNow = provider{
	tokenURL: "https://INSTANCE.service-now.com/oauth_token.do",
	api:      "https://INSTANCE.service-now.com/api/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime:      1799 * time.Second,
		TokenResponse: members(map[string]any{"scope": "useraccount"}),
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error_description":"access_denied","error":"server_error"}`, ccclient.ServerError, "access_denied", false},
	},
	rejects: `{"error":{"message":"User is not authenticated","detail":"Required to provide Auth information"},"status":"failure"}`,
}

var snowflake = provider{
	tokenURL: "https://DOMAIN.okta.com/oauth2/AUTHORIZATION_SERVER_ID/v1/token",
	api:      "https://ACCOUNT.snowflakecomputing.com/api/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server:   cctest.Options{Scopes: []string{"session:role:ROLE"}},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"The client secret supplied for a confidential client is invalid."}`,
			ccclient.InvalidClient, "The client secret supplied", true},
	},
	rejects: `{"code":"390318","message":"OAuth access token expired."}`,
	bare:    true,
}

var spotify = provider{
	tokenURL: "https://accounts.spotify.com/api/token",
	api:      "https://api.spotify.com/v1/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server:   cctest.Options{TokenResponse: members(map[string]any{"scope": nil})},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_client","error_description":"Invalid client secret"}`, ccclient.InvalidClient, "Invalid client secret", true},
	},
	rejects: `{"error":{"status":401,"message":"The access token expired"}}`,
}

var tailscale = provider{
	tokenURL: "https://api.tailscale.com/api/v2/oauth/token",
	api:      "https://api.tailscale.com/api/v2/tailnet/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   simpleSecret,
	server:   cctest.Options{Scopes: []string{"devices:core:read", "dns:read"}},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"message":"API token invalid"}`, "", "API token invalid", true},
	},
	rejects: `{"message":"API token invalid"}`,
	bare:    true,
}
