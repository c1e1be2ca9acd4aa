package ccclient_test

import (
	"net/http"
	"net/url"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// What stands in for the servers of providers_configs_servers_test.go.

// endpoint changes cctest's metadata to a server that has its token endpoint elsewhere.
func endpoint(tokenURL string, methods ...string) func(map[string]any) {
	return func(m map[string]any) {
		m["token_endpoint"], m["token_endpoint_auth_methods_supported"] = tokenURL, methods
	}
}

var adfs = provider{
	tokenURL: "https://adfs.example.com/adfs/oauth2/token/",
	metadata: "https://adfs.example.com/adfs/.well-known/openid-configuration",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   difficultSecret,
	server: cctest.Options{
		Issuer: "https://adfs.example.com/adfs",
		Metadata: endpoint("https://adfs.example.com/adfs/oauth2/token/",
			"client_secret_post", "client_secret_basic", "private_key_jwt", "windows_client_authentication"),
		TokenResponse: members(map[string]any{"token_type": "bearer", "scope": nil, "resource": "https://api.example.com/"}),
	},
}

var authentik = provider{
	tokenURL: "https://authentik.example.com/application/o/token/",
	metadata: "https://authentik.example.com/application/o/APPLICATION/.well-known/openid-configuration",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   "U0VSVklDRV9BQ0NPVU5UOkFQUF9QQVNTV09SRA==", // SERVICE_ACCOUNT:APP_PASSWORD
	server: cctest.Options{
		Issuer: "https://authentik.example.com/application/o/APPLICATION/", Lifetime: 5 * time.Minute,
		Metadata:      endpoint("https://authentik.example.com/application/o/token/", "client_secret_post", "client_secret_basic"),
		TokenResponse: members(map[string]any{"id_token": "of.no.use"}),
	},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_grant","error_description":"The provided authorization grant or refresh token is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client"}`,
			ccclient.InvalidGrant, "The provided authorization grant", false},
	},
}

var duende = provider{
	tokenURL: "https://identity.example.com/connect/token",
	metadata: "https://identity.example.com/.well-known/openid-configuration",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.PrivateKeyJWT),
	keyID:    "KEY_ID",
	server: cctest.Options{
		Issuer: "https://identity.example.com", Scopes: []string{"api1"},
		Metadata: endpoint("https://identity.example.com/connect/token", "client_secret_basic", "client_secret_post", "private_key_jwt"),
	},
	demands: func(_ http.Header, form url.Values) string { // StrictClientAssertionAudienceValidation
		if joseHeader(form.Get("client_assertion"))["typ"] != "client-authentication+jwt" {
			return "invalid_client"
		}
		return ""
	},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_client"}`, ccclient.InvalidClient, "", true},
	},
}

var hydra = provider{
	tokenURL: "https://hydra.example.com/oauth2/token",
	metadata: "https://hydra.example.com/.well-known/openid-configuration",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   difficultSecret,
	server: cctest.Options{
		Issuer: "https://hydra.example.com", Lifetime: 3599 * time.Second,
		Metadata: endpoint("https://hydra.example.com/oauth2/token",
			"client_secret_post", "client_secret_basic", "private_key_jwt", "none"),
		TokenResponse: members(map[string]any{"token_type": "bearer"}),
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"Client authentication failed (e.g., unknown client, no client authentication included, or unsupported authentication method)."}`,
			ccclient.InvalidClient, "Client authentication failed", true},
	},
}

var zitadel = provider{
	tokenURL: "https://INSTANCE.zitadel.cloud/oauth/v2/token",
	metadata: "https://INSTANCE.zitadel.cloud/.well-known/openid-configuration",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   difficultSecret,
	server: cctest.Options{
		Issuer: "https://INSTANCE.zitadel.cloud", Lifetime: 43199 * time.Second,
		Metadata: endpoint("https://INSTANCE.zitadel.cloud/oauth/v2/token",
			"none", "client_secret_basic", "client_secret_post", "private_key_jwt"),
	},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_request","error_description":"Errors.User.Machine.Secret.Invalid"}`,
			ccclient.InvalidRequest, "Errors.User.Machine.Secret.Invalid", false},
	},
}
