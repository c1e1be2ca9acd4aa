package ccclient_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// The providers, as far as their documentation (docs/providers.md has the
// links) tells what they want and what they answer. Tokens and names are of no
// use.

// members adds to a token response, or takes away what is nil.
func members(changes map[string]any) func(cctest.RecordedRequest, map[string]any) {
	return func(_ cctest.RecordedRequest, m map[string]any) {
		for name, v := range changes {
			if m[name] = v; v == nil {
				delete(m, name)
			}
		}
	}
}

func registered(id string, methods ...string) cctest.Registration {
	return cctest.Registration{ID: id, AuthMethods: methods}
}

const entraTokenURL = "https://login.microsoftonline.com/TENANT_ID/oauth2/v2.0/token"

var entraID = provider{
	tokenURL: entraTokenURL,
	api:      "https://graph.microsoft.com/",
	client:   registered("CLIENT_ID", cctest.PrivateKeyJWT),
	server: cctest.Options{
		Issuer: entraTokenURL, SigningAlgs: []string{"PS256"}, Lifetime: 3599 * time.Second,
		TokenResponse: members(map[string]any{"ext_expires_in": 3599, "scope": nil}),
	},
	demands: func(_ http.Header, form url.Values) string {
		if h := joseHeader(form.Get("client_assertion")); h["x5t#S256"] == nil {
			return "invalid_client"
		}
		if !strings.HasSuffix(form.Get("scope"), "/.default") {
			return "invalid_scope"
		}
		return ""
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application.","error_codes":[700027],"timestamp":"2026-01-09 02:02:12Z","trace_id":"0","correlation_id":"0","error_uri":"https://login.microsoftonline.com/error?code=700027"}`,
			ccclient.InvalidClient, "AADSTS700027: ", true},
		"invalid_scope": {400, `{"error":"invalid_scope","error_description":"AADSTS70011: The provided value for the input parameter 'scope' is not valid.","error_codes":[70011]}`,
			ccclient.InvalidScope, "AADSTS70011: ", false},
	},
	rejects: `{"error":{"code":"InvalidAuthenticationToken","message":"Access token has expired or is not yet valid."}}`,
}

var auth0 = provider{
	tokenURL: "https://TENANT.auth0.com/oauth/token",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   difficultSecret,
	server:   cctest.Options{Lifetime: 24 * time.Hour},
	demands: func(_ http.Header, form url.Values) string {
		if !form.Has("audience") {
			return "invalid_target"
		}
		return ""
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"access_denied","error_description":"Unauthorized"}`, ccclient.AccessDenied, "Unauthorized", false},
		"invalid_target": {403, `{"error":"access_denied","error_description":"No audience parameter was provided, and no default audience has been configured"}`,
			ccclient.AccessDenied, "No audience parameter", false},
	},
}

var okta = provider{
	tokenURL: "https://DOMAIN.okta.com/oauth2/v1/token",
	api:      "https://DOMAIN.okta.com/api/",
	client:   cctest.Registration{ID: "CLIENT_ID", AuthMethods: []string{cctest.PrivateKeyJWT}, RequireDPoP: true},
	keyID:    "KEY_ID",
	server:   cctest.Options{Issuer: "https://DOMAIN.okta.com/oauth2/v1/token", DPoPNonce: true},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"Client Credentials requests to the Org Authorization Server must use the private_key_jwt token_endpoint_auth_method."}`,
			ccclient.InvalidClient, "Client Credentials requests", true},
		"use_dpop_nonce": {400, `{"error":"use_dpop_nonce","error_description":"Authorization server requires nonce in DPoP proof."}`,
			ccclient.UseDPoPNonce, "Authorization server requires nonce", false},
		"own shape": {403, `{"errorCode":"E0000006","errorSummary":"You do not have permission to perform the requested action","errorLink":"E0000006","errorId":"0","errorCauses":[]}`,
			"E0000006", "You do not have permission", false},
	},
}

// realm changes cctest's metadata to what Keycloak has in it.
func realm(m map[string]any) {
	m["token_endpoint"] = m["issuer"].(string) + "/protocol/openid-connect/token"
	m["token_endpoint_auth_methods_supported"] = []string{
		"private_key_jwt", "client_secret_basic", "client_secret_post", "tls_client_auth", "client_secret_jwt",
	}
	m["grant_types_supported"] = []string{"authorization_code", "client_credentials", "refresh_token"}
}

var keycloak = provider{
	tokenURL: "https://keycloak.example.com/realms/REALM/protocol/openid-connect/token",
	metadata: "https://keycloak.example.com/realms/REALM/.well-known/openid-configuration",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   difficultSecret,
	server: cctest.Options{
		Issuer: "https://keycloak.example.com/realms/REALM", Metadata: realm, Lifetime: 5 * time.Minute,
		TokenResponse: members(map[string]any{
			"refresh_expires_in": 0, "not-before-policy": 0, "scope": "email profile",
		}),
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}`,
			ccclient.UnauthorizedClient, "Invalid client or", false},
	},
}

var cognito = provider{
	tokenURL: "https://DOMAIN.auth.REGION.amazoncognito.com/oauth2/token",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server:   cctest.Options{Scopes: []string{"RESOURCE_SERVER/read"}},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_client"}`, ccclient.InvalidClient, "", true},
		"invalid_scope":  {400, `{"error":"invalid_scope"}`, ccclient.InvalidScope, "", false},
	},
}

var salesforce = provider{
	tokenURL: "https://DOMAIN.my.salesforce.com/services/oauth2/token",
	api:      "https://DOMAIN.my.salesforce.com/services/data/",
	client:   registered("CONSUMER_KEY", cctest.ClientSecretPost),
	secret:   difficultSecret,
	server: cctest.Options{TokenResponse: members(map[string]any{
		"expires_in": nil, "issued_at": "1767225600000", "signature": "AAAA=", "scope": "api",
		"instance_url": "https://DOMAIN.my.salesforce.com", "id": "https://login.salesforce.com/id/00D/005",
	})},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_client","error_description":"invalid client credentials"}`, ccclient.InvalidClient, "invalid client credentials", true},
		"another id":     {400, `{"error":"invalid_client_id","error_description":"client identifier invalid"}`, "invalid_client_id", "client identifier invalid", false},
	},
	rejects: `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`,
	bare:    true,
}

var zoom = provider{
	tokenURL: "https://zoom.us/oauth/token",
	api:      "https://api.zoom.us/v2/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server: cctest.Options{
		GrantTypes:    []string{"account_credentials"},
		TokenResponse: members(map[string]any{"token_type": "bearer", "scope": "user:read:admin", "api_url": "https://api.zoom.us"}),
	},
	demands: func(_ http.Header, form url.Values) string {
		if !form.Has("account_id") {
			return "invalid_request"
		}
		return ""
	},
	refusals: map[string]refusal{
		"invalid_client":         {400, `{"reason":"Invalid client_id or client_secret","error":"invalid_client"}`, ccclient.InvalidClient, "Invalid client_id or client_secret", true},
		"invalid_request":        {400, `{"reason":"Account does not exist","error":"invalid_request"}`, ccclient.InvalidRequest, "Account does not exist", false},
		"unsupported_grant_type": {400, `{"reason":"unsupported grant type","error":"unsupported_grant_type"}`, ccclient.UnsupportedGrantType, "unsupported grant type", false},
	},
	rejects: `{"code":124,"message":"Invalid access token."}`,
	bare:    true,
}

var payPal = provider{
	tokenURL: "https://api-m.paypal.com/v1/oauth2/token",
	api:      "https://api-m.paypal.com/v2/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime: 31668 * time.Second,
		TokenResponse: members(map[string]any{
			"scope":  "https://uri.paypal.com/services/invoicing https://uri.paypal.com/services/disputes/read-buyer",
			"app_id": "APP-00", "nonce": "2026-01-01T00:00:00ZOfNoUse",
		}),
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"Client Authentication failed"}`, ccclient.InvalidClient, "Client Authentication failed", true},
	},
	rejects: `{"error":"invalid_token","error_description":"Token signature verification failed"}`,
	bare:    true,
}

var shopify = provider{
	tokenURL: "https://SHOP.myshopify.com/admin/oauth/access_token",
	api:      "https://SHOP.myshopify.com/admin/api/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   difficultSecret,
	server: cctest.Options{
		Lifetime:      86399 * time.Second,
		TokenResponse: members(map[string]any{"token_type": nil, "scope": "write_orders,read_customers"}),
	},
	refusals: map[string]refusal{
		"not installed": {400, `<!DOCTYPE html><html><head><title>400 - Oauth error app_not_installed</title></head><body>The application is not installed on this shop.</body></html>`,
			"", "400 - Oauth error app_not_installed", false},
	},
	rejects: `{"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}`,
	bare:    true,
	header:  "X-Shopify-Access-Token",
}

var apigee = provider{
	tokenURL: "https://api.example.com/oauth/token",
	api:      "https://api.example.com/",
	client:   registered("API_KEY", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server: cctest.Options{TokenResponse: members(map[string]any{
		"token_type": "BearerToken", "expires_in": "3599", "issued_at": "1767225600000", "status": "approved", "client_id": "API_KEY",
		"application_name": "ce1e94a2", "api_product_list": "[PremiumWeatherAPI]", "scope": "READ", "refresh_count": "0",
	})},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"ErrorCode":"invalid_client","Error":"ClientId is Invalid"}`, ccclient.InvalidClient, "ClientId is Invalid", true},
		"quota": {429, `{"fault":{"faultstring":"Rate limit quota violation.","detail":{"errorcode":"policies.ratelimit.QuotaViolation"}}}`,
			"policies.ratelimit.QuotaViolation", "Rate limit quota violation.", false},
	},
	rejects: `{"fault":{"faultstring":"Access Token expired","detail":{"errorcode":"keymanagement.service.access_token_expired"}}}`,
}

var ups = provider{
	tokenURL: "https://onlinetools.ups.com/security/v1/oauth/token",
	api:      "https://onlinetools.ups.com/api/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server: cctest.Options{TokenResponse: members(map[string]any{
		"expires_in": "3599", "issued_at": "1767225600000", "status": "approved", "client_id": "CLIENT_ID", "scope": "", "refresh_count": "0",
	})},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"response":{"errors":[{"code":"10401","message":"ClientId is Invalid"}]}}`, "10401", "ClientId is Invalid", true},
	},
	rejects: `{"response":{"errors":[{"code":"250002","message":"Invalid Authentication Information."}]}}`,
	bare:    true,
}

var twitch = provider{
	tokenURL: "https://id.twitch.tv/oauth2/token",
	api:      "https://api.twitch.tv/helix/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime: 5011271 * time.Second,
		TokenResponse: members(map[string]any{
			"token_type": nil, "scope": []string{"channel:read:hype_train", "user:read:email"},
		}),
	},
	refusals: map[string]refusal{
		"invalid_client": {403, `{"status":403,"message":"invalid client secret"}`, "", "invalid client secret", false},
		"another id":     {400, `{"status":400,"message":"invalid client"}`, "", "invalid client", false},
	},
	calls:   func(h http.Header) bool { return h.Get("Client-Id") == "CLIENT_ID" },
	rejects: `{"error":"Unauthorized","status":401,"message":"Invalid OAuth token"}`,
	bare:    true,
}

var eBay = provider{
	tokenURL: "https://api.ebay.com/identity/v1/oauth2/token",
	api:      "https://api.ebay.com/buy/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime:      2 * time.Hour,
		Scopes:        []string{"https://api.ebay.com/oauth/api_scope"},
		TokenResponse: members(map[string]any{"token_type": "Application Access Token", "scope": nil}),
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"client authentication failed"}`, ccclient.InvalidClient, "client authentication failed", true},
		"invalid_scope": {400, `{"error":"invalid_scope","error_description":"The requested scope is invalid, unknown, malformed, or exceeds the scope granted to the client"}`,
			ccclient.InvalidScope, "The requested scope is invalid", false},
	},
}

var pingOne = provider{
	tokenURL: "https://auth.pingone.com/ENVIRONMENT_ID/as/token",
	metadata: "https://auth.pingone.com/ENVIRONMENT_ID/as/.well-known/openid-configuration",
	api:      "https://api.pingone.com/v1/",
	client:   registered("CLIENT_ID", cctest.PrivateKeyJWT),
	keyID:    "KEY_ID",
	server: cctest.Options{
		Issuer: "https://auth.pingone.com/ENVIRONMENT_ID/as", SigningAlgs: []string{"RS256", "RS384", "RS512"},
	},
	demands: func(_ http.Header, form url.Values) string {
		if joseHeader(form.Get("client_assertion"))["typ"] != "JWT" {
			return "invalid_client"
		}
		return ""
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"invalid_client","error_description":"Request denied: Invalid client credentials (Correlation ID: 00000000-0000-0000-0000-000000000000)"}`,
			ccclient.InvalidClient, "Request denied: Invalid client credentials", true},
	},
}

var uaa = provider{
	tokenURL: "https://uaa.example.com/oauth/token",
	api:      "https://api.example.com/",
	client:   registered("CLIENT_ID", cctest.ClientSecretBasic),
	secret:   difficultSecret,
	server: cctest.Options{
		Lifetime:      43199 * time.Second,
		TokenResponse: members(map[string]any{"token_type": "bearer", "jti": "0", "scope": "uaa.none"}),
	},
	demands: func(h http.Header, _ url.Values) string {
		if h.Get("X-CF-ENCODED-CREDENTIALS") != "true" { // the credentials are taken as they come
			return "invalid_client"
		}
		return ""
	},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"unauthorized","error_description":"Bad credentials"}`, "unauthorized", "Bad credentials", true},
	},
}

var xsuaa = provider{
	tokenURL: "https://SUBDOMAIN.authentication.cert.REGION.hana.ondemand.com/oauth/token",
	api:      "https://api.example.com/",
	client: cctest.Registration{
		ID: "sb-APP!t123", AuthMethods: []string{cctest.TLSClientAuth}, TLSSubjectDN: "CN=service",
	},
	server:   uaa.server,
	refusals: uaa.refusals,
}

var adobe = provider{
	tokenURL: "https://ims-na1.adobelogin.com/ims/token/v3",
	api:      "https://firefly-api.adobe.io/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime: 86399 * time.Second, Scopes: []string{"openid,AdobeID,firefly_api"},
		TokenResponse: members(map[string]any{"token_type": "bearer", "scope": nil}),
	},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_client","error_description":"invalid client_secret parameter"}`, ccclient.InvalidClient, "invalid client_secret parameter", true},
		"invalid_scope":  {400, `{"error":"invalid_scope"}`, ccclient.InvalidScope, "", false},
	},
	calls: func(h http.Header) bool { return h.Get("X-Api-Key") == "CLIENT_ID" },
}

var box = provider{
	tokenURL: "https://api.box.com/oauth2/token",
	api:      "https://api.box.com/2.0/",
	client:   registered("CLIENT_ID", cctest.ClientSecretPost),
	secret:   simpleSecret,
	server: cctest.Options{
		Lifetime:      4169 * time.Second,
		TokenResponse: members(map[string]any{"token_type": "bearer", "restricted_to": []string{}}),
	},
	demands: func(_ http.Header, form url.Values) string {
		if !slices.Contains([]string{"enterprise", "user"}, form.Get("box_subject_type")) ||
			!form.Has("box_subject_id") {
			return "invalid_grant"
		}
		return ""
	},
	refusals: map[string]refusal{
		"invalid_client": {400, `{"error":"invalid_client","error_description":"The client credentials are invalid"}`, ccclient.InvalidClient, "The client credentials are invalid", true},
		"invalid_grant":  {400, `{"error":"invalid_grant","error_description":"Grant credentials are invalid"}`, ccclient.InvalidGrant, "Grant credentials are invalid", false},
	},
}

var oracleIDCS = provider{
	tokenURL: "https://IDCS-INSTANCE.identity.oraclecloud.com/oauth2/v1/token",
	api:      "https://IDCS-INSTANCE.identity.oraclecloud.com/admin/",
	client:   registered("CLIENT_ID", cctest.PrivateKeyJWT),
	keyID:    "CERTIFICATE_ALIAS",
	server: cctest.Options{
		Issuer: "https://identity.oraclecloud.com/", SigningAlgs: []string{"RS256"},
		TokenResponse: members(map[string]any{"scope": nil}),
	},
	demands: func(_ http.Header, form url.Values) string {
		if h := joseHeader(form.Get("client_assertion")); h["typ"] != "JWT" || h["kid"] == nil {
			return "invalid_client"
		}
		return ""
	},
}

var kubernetes = provider{
	tokenURL: entraTokenURL,
	api:      "https://VAULT.vault.azure.net/",
	client: cctest.Registration{
		ID: "CLIENT_ID", AuthMethods: []string{cctest.PrivateKeyJWT},
		AssertionIssuer: "https://oidc.example.com/cluster/", AssertionSubject: "system:serviceaccount:NAMESPACE:NAME",
	},
	server: cctest.Options{Issuer: "api://AzureADTokenExchange", Lifetime: 3599 * time.Second, TokenResponse: entraID.server.TokenResponse},
	refusals: map[string]refusal{
		"invalid_client": {401, `{"error":"unauthorized_client","error_description":"AADSTS70021: No matching federated identity record found for presented assertion.","error_codes":[70021]}`,
			ccclient.UnauthorizedClient, "AADSTS70021: ", false},
	},
	rejects: `{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}`,
}

var spiffe = provider{
	tokenURL: keycloak.tokenURL,
	metadata: keycloak.metadata,
	api:      keycloak.api,
	client:   cctest.Registration{ID: "CLIENT_ID", AuthMethods: []string{cctest.SPIFFEJWT}, AssertionSubject: "spiffe://example.org/service"},
	server:   keycloak.server,
	refusals: keycloak.refusals,
}
