package ccclient_test

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
)

// Each of these functions has a Config to copy: what is in capitals is to be replaced. It is used against a stand-in
// that checks what it gets and answers as the provider documents, and what the stand-in should see is returned; see
// TestProvidersGetWhatTheyDocument. docs/providers.md shows the Configs and tells what there is to know of each.

func useEntraID() string {
	certificate := entraID.certificate() // the one in the app registration

	cfg := ccclient.Config{
		TokenURL: "https://login.microsoftonline.com/TENANT_ID/oauth2/v2.0/token",
		ClientID: "CLIENT_ID",
		Auth: ccclient.PrivateKeyJWTFrom(ccclient.KeyFrom(ccclient.SecretEnv("PRIVATE_KEY")), ccclient.AssertionOptions{
			Algorithm:   "PS256",
			Certificate: certificate, // *x509.Certificate
		}),
		Scopes: []string{"https://graph.microsoft.com/.default"},
	}
	entraID.run(cfg, "https://graph.microsoft.com/v1.0/users")
	return `POST https://login.microsoftonline.com/TENANT_ID/oauth2/v2.0/token
  private_key_jwt, PS256 of type JWT for https://login.microsoftonline.com/TENANT_ID/oauth2/v2.0/token
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=https://graph.microsoft.com/.default
GET https://graph.microsoft.com/v1.0/users
  Authorization: Bearer`
}

func useAuth0() string {
	cfg := ccclient.Config{
		TokenURL: "https://TENANT.auth0.com/oauth/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		Audience: "https://api.example.com/",
	}
	auth0.run(cfg, "https://api.example.com/things")
	return `POST https://TENANT.auth0.com/oauth/token
  client_secret_post
  audience=https://api.example.com/
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://api.example.com/things
  Authorization: Bearer`
}

func useOkta() string {
	dpopKey := okta.key() // a key of its own, made at each start or kept

	cfg := ccclient.Config{
		TokenURL: "https://DOMAIN.okta.com/oauth2/v1/token",
		ClientID: "CLIENT_ID",
		Auth: ccclient.PrivateKeyJWTFrom(ccclient.KeyFrom(ccclient.SecretEnv("PRIVATE_KEY")), ccclient.AssertionOptions{
			KeyID: "KEY_ID",
		}),
		Scopes:  []string{"okta.users.read"},
		DPoPKey: dpopKey, // crypto.Signer
	}
	okta.run(cfg, "https://DOMAIN.okta.com/api/v1/users")
	return `POST https://DOMAIN.okta.com/oauth2/v1/token
  private_key_jwt, RS256 of type JWT for https://DOMAIN.okta.com/oauth2/v1/token, with a DPoP proof
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=okta.users.read
GET https://DOMAIN.okta.com/api/v1/users
  Authorization: DPoP`
}

func useKeycloak() string {
	cfg := ccclient.Config{
		Issuer:   "https://keycloak.example.com/realms/REALM",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	keycloak.run(cfg, "https://api.example.com/things")
	return `POST https://keycloak.example.com/realms/REALM/protocol/openid-connect/token
  client_secret_basic
  grant_type=client_credentials
GET https://api.example.com/things
  Authorization: Bearer`
}

func useCognito() string {
	cfg := ccclient.Config{
		TokenURL: "https://DOMAIN.auth.REGION.amazoncognito.com/oauth2/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"RESOURCE_SERVER/read"},
	}
	cognito.run(cfg, "https://api.example.com/things")
	return `POST https://DOMAIN.auth.REGION.amazoncognito.com/oauth2/token
  client_secret_basic
  grant_type=client_credentials
  scope=RESOURCE_SERVER/read
GET https://api.example.com/things
  Authorization: Bearer`
}

func useSalesforce() string {
	cfg := ccclient.Config{
		TokenURL: "https://DOMAIN.my.salesforce.com/services/oauth2/token",
		ClientID: "CONSUMER_KEY",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		Cache:    cache.Options{DefaultLifetime: 15 * time.Minute}, // the org's session timeout
	}
	salesforce.run(cfg, "https://DOMAIN.my.salesforce.com/services/data/v64.0/limits")
	return `POST https://DOMAIN.my.salesforce.com/services/oauth2/token
  client_secret_post
  client_id=CONSUMER_KEY
  grant_type=client_credentials
GET https://DOMAIN.my.salesforce.com/services/data/v64.0/limits
  Authorization: Bearer`
}

func useZoom() string {
	cfg := ccclient.Config{
		TokenURL: "https://zoom.us/oauth/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		EndpointParams: url.Values{
			"grant_type": {"account_credentials"},
			"account_id": {"ACCOUNT_ID"},
		},
	}
	zoom.run(cfg, "https://api.zoom.us/v2/users")
	return `POST https://zoom.us/oauth/token
  client_secret_basic
  account_id=ACCOUNT_ID
  grant_type=account_credentials
GET https://api.zoom.us/v2/users
  Authorization: Bearer`
}

func usePayPal() string {
	cfg := ccclient.Config{
		TokenURL: "https://api-m.paypal.com/v1/oauth2/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	payPal.run(cfg, "https://api-m.paypal.com/v2/invoicing/invoices")
	return `POST https://api-m.paypal.com/v1/oauth2/token
  client_secret_basic
  grant_type=client_credentials
GET https://api-m.paypal.com/v2/invoicing/invoices
  Authorization: Bearer`
}

// shopifyHeader moves the token into the header that Shopify reads.
type shopifyHeader struct{ base http.RoundTripper }

func (h shopifyHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		r = r.Clone(r.Context()) // a RoundTripper must not modify what it is given
		r.Header.Del("Authorization")
		r.Header.Set("X-Shopify-Access-Token", token)
	}
	return h.base.RoundTrip(r)
}

func useShopify() string {
	cfg := ccclient.Config{
		TokenURL: "https://SHOP.myshopify.com/admin/oauth/access_token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	client, base := shopify.open(cfg)
	defer base.Close()

	httpClient := &http.Client{Transport: client.Transport(shopifyHeader{base})}

	req, _ := http.NewRequest("GET", "https://SHOP.myshopify.com/admin/api/2026-01/shop.json", nil)
	base.spend(httpClient, req)
	return `POST https://SHOP.myshopify.com/admin/oauth/access_token
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://SHOP.myshopify.com/admin/api/2026-01/shop.json
  X-Shopify-Access-Token: the token`
}

func useApigee() string {
	cfg := ccclient.Config{
		TokenURL: "https://api.example.com/oauth/token",
		ClientID: "API_KEY",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	apigee.run(cfg, "https://api.example.com/things")
	return `POST https://api.example.com/oauth/token
  client_secret_basic
  grant_type=client_credentials
GET https://api.example.com/things
  Authorization: Bearer`
}

func useUps() string {
	cfg := ccclient.Config{
		TokenURL:       "https://onlinetools.ups.com/security/v1/oauth/token",
		ClientID:       "CLIENT_ID",
		Auth:           ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		EndpointHeader: http.Header{"X-Merchant-Id": {"ACCOUNT_NUMBER"}},
	}
	ups.run(cfg, "https://onlinetools.ups.com/api/track/v1/details/TRACKING_NUMBER")
	return `POST https://onlinetools.ups.com/security/v1/oauth/token
  client_secret_basic
  X-Merchant-Id: ACCOUNT_NUMBER
  grant_type=client_credentials
GET https://onlinetools.ups.com/api/track/v1/details/TRACKING_NUMBER
  Authorization: Bearer`
}

func useTwitch() string {
	cfg := ccclient.Config{
		TokenURL: "https://id.twitch.tv/oauth2/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
	}
	client, base := twitch.open(cfg)
	defer base.Close()

	req, _ := http.NewRequest("GET", "https://api.twitch.tv/helix/streams", nil)
	req.Header.Set("Client-Id", cfg.ClientID)

	base.spend(&http.Client{Transport: client.Transport(base)}, req)
	return `POST https://id.twitch.tv/oauth2/token
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://api.twitch.tv/helix/streams
  Authorization: Bearer`
}

func useEBay() string {
	cfg := ccclient.Config{
		TokenURL: "https://api.ebay.com/identity/v1/oauth2/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"https://api.ebay.com/oauth/api_scope"},
	}
	eBay.run(cfg, "https://api.ebay.com/buy/browse/v1/item/ITEM_ID")
	return `POST https://api.ebay.com/identity/v1/oauth2/token
  client_secret_basic
  grant_type=client_credentials
  scope=https://api.ebay.com/oauth/api_scope
GET https://api.ebay.com/buy/browse/v1/item/ITEM_ID
  Authorization: Bearer`
}

func usePingOne() string {
	cfg := ccclient.Config{
		Issuer:   "https://auth.pingone.com/ENVIRONMENT_ID/as",
		ClientID: "CLIENT_ID",
		Auth: ccclient.PrivateKeyJWTFrom(ccclient.KeyFrom(ccclient.SecretEnv("PRIVATE_KEY")), ccclient.AssertionOptions{
			KeyID: "KEY_ID",
			Type:  "JWT",
		}),
	}
	pingOne.run(cfg, "https://api.pingone.com/v1/environments/ENVIRONMENT_ID/users")
	return `POST https://auth.pingone.com/ENVIRONMENT_ID/as/token
  private_key_jwt, RS256 of type JWT for https://auth.pingone.com/ENVIRONMENT_ID/as
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://api.pingone.com/v1/environments/ENVIRONMENT_ID/users
  Authorization: Bearer`
}

func useUaa() string {
	cfg := ccclient.Config{
		TokenURL:       "https://uaa.example.com/oauth/token",
		ClientID:       "CLIENT_ID",
		Auth:           ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		EndpointHeader: http.Header{"X-Cf-Encoded-Credentials": {"true"}},
		EndpointParams: url.Values{"token_format": {"opaque"}},
	}
	uaa.run(cfg, "https://api.example.com/things")
	return `POST https://uaa.example.com/oauth/token
  client_secret_basic
  X-Cf-Encoded-Credentials: true
  grant_type=client_credentials
  token_format=opaque
GET https://api.example.com/things
  Authorization: Bearer`
}

func useXsuaa() string {
	certificate := xsuaa.pair() // of the service binding's certificate and key

	cfg := ccclient.Config{
		TokenURL: "https://SUBDOMAIN.authentication.cert.REGION.hana.ondemand.com/oauth/token",
		ClientID: "sb-APP!t123",
		Auth:     ccclient.TLSClientAuth(),
		TLS:      &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	xsuaa.run(cfg, "https://api.example.com/things")
	return `POST https://SUBDOMAIN.authentication.cert.REGION.hana.ondemand.com/oauth/token
  tls_client_auth
  client_id=sb-APP!t123
  grant_type=client_credentials
GET https://api.example.com/things
  Authorization: Bearer`
}

func useAdobe() string {
	cfg := ccclient.Config{
		TokenURL: "https://ims-na1.adobelogin.com/ims/token/v3",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"openid,AdobeID,firefly_api"}, // one string: they are separated by commas
	}
	client, base := adobe.open(cfg)
	defer base.Close()

	req, _ := http.NewRequest("GET", "https://firefly-api.adobe.io/v3/status/JOB_ID", nil)
	req.Header.Set("x-api-key", cfg.ClientID)

	base.spend(&http.Client{Transport: client.Transport(base)}, req)
	return `POST https://ims-na1.adobelogin.com/ims/token/v3
  client_secret_post
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=openid,AdobeID,firefly_api
GET https://firefly-api.adobe.io/v3/status/JOB_ID
  Authorization: Bearer`
}

func useBox() string {
	cfg := ccclient.Config{
		TokenURL: "https://api.box.com/oauth2/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		EndpointParams: url.Values{
			"box_subject_type": {"enterprise"},
			"box_subject_id":   {"ENTERPRISE_ID"},
		},
	}
	box.run(cfg, "https://api.box.com/2.0/folders/0")
	return `POST https://api.box.com/oauth2/token
  client_secret_post
  box_subject_id=ENTERPRISE_ID
  box_subject_type=enterprise
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://api.box.com/2.0/folders/0
  Authorization: Bearer`
}

func useOracleIDCS() string {
	cfg := ccclient.Config{
		TokenURL: "https://IDCS-INSTANCE.identity.oraclecloud.com/oauth2/v1/token",
		ClientID: "CLIENT_ID",
		Auth: ccclient.PrivateKeyJWTFrom(ccclient.KeyFrom(ccclient.SecretEnv("PRIVATE_KEY")), ccclient.AssertionOptions{
			KeyID:    "CERTIFICATE_ALIAS",
			Audience: "https://identity.oraclecloud.com/",
		}),
		Scopes: []string{"urn:opc:idm:__myscopes__"},
	}
	oracleIDCS.run(cfg, "https://IDCS-INSTANCE.identity.oraclecloud.com/admin/v1/Users")
	return `POST https://IDCS-INSTANCE.identity.oraclecloud.com/oauth2/v1/token
  private_key_jwt, RS256 of type JWT for https://identity.oraclecloud.com/
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=urn:opc:idm:__myscopes__
GET https://IDCS-INSTANCE.identity.oraclecloud.com/admin/v1/Users
  Authorization: Bearer`
}

func useKubernetes() string {
	tokenFile := kubernetes.mount() // $AZURE_FEDERATED_TOKEN_FILE
	defer kubernetes.unmount(tokenFile)

	cfg := ccclient.Config{
		TokenURL: "https://login.microsoftonline.com/TENANT_ID/oauth2/v2.0/token",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.ClientAssertion(ccclient.SecretFile(tokenFile)), // read again whenever a token is asked for
		Scopes:   []string{"https://vault.azure.net/.default"},
	}
	kubernetes.run(cfg, "https://VAULT.vault.azure.net/secrets")
	return `POST https://login.microsoftonline.com/TENANT_ID/oauth2/v2.0/token
  private_key_jwt, RS256 of type JWT for [api://AzureADTokenExchange]
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
  client_id=CLIENT_ID
  grant_type=client_credentials
  scope=https://vault.azure.net/.default
GET https://VAULT.vault.azure.net/secrets
  Authorization: Bearer`
}

func useSpiffe() string {
	svidFile := spiffe.mount() // where the SPIFFE helper keeps the JWT-SVID
	defer spiffe.unmount(svidFile)

	cfg := ccclient.Config{
		Issuer:   "https://keycloak.example.com/realms/REALM",
		ClientID: "CLIENT_ID",
		Auth:     ccclient.SPIFFEAssertion(ccclient.SecretFile(svidFile)),
	}
	spiffe.run(cfg, "https://api.example.com/things")
	return `POST https://keycloak.example.com/realms/REALM/protocol/openid-connect/token
  spiffe_jwt, RS256 of type JWT for https://keycloak.example.com/realms/REALM
  client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-spiffe
  client_id=CLIENT_ID
  grant_type=client_credentials
GET https://api.example.com/things
  Authorization: Bearer`
}

var rejectedByDjango = func(resp *http.Response) bool {
	return transport.DefaultRejected(resp) || resp.StatusCode == http.StatusForbidden && resp.ContentLength == 0
}
