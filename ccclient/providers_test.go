package ccclient_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// uses are all functions of providers_configs*_test.go.
var uses = map[string]func() string{
	"entraID":    useEntraID,
	"auth0":      useAuth0,
	"okta":       useOkta,
	"keycloak":   useKeycloak,
	"cognito":    useCognito,
	"salesforce": useSalesforce,
	"zoom":       useZoom,
	"payPal":     usePayPal,
	"shopify":    useShopify,
	"apigee":     useApigee,
	"ups":        useUps,
	"twitch":     useTwitch,
	"eBay":       useEBay,
	"pingOne":    usePingOne,
	"uaa":        useUaa,
	"xsuaa":      useXsuaa,
	"adobe":      useAdobe,
	"box":        useBox,
	"oracleIDCS": useOracleIDCS,
	"kubernetes": useKubernetes,
	"spiffe":     useSpiffe,

	"adfs":        useADFS,
	"atlas":       useAtlas,
	"authentik":   useAuthentik,
	"bitbucket":   useBitbucket,
	"confluent":   useConfluent,
	"crowdStrike": useCrowdStrike,
	"databricks":  useDatabricks,
	"duende":      useDuende,
	"fedEx":       useFedEx,
	"hydra":       useHydra,
	"netSuite":    useNetSuite,
	"serviceNow":  useServiceNow,
	"snowflake":   useSnowflake,
	"spotify":     useSpotify,
	"tailscale":   useTailscale,
	"zitadel":     useZitadel,
}

func TestProvidersGetWhatTheyDocument(t *testing.T) {
	for name, use := range uses {
		transcript.Reset()
		if want, got := use()+"\n", transcript.String(); got != want {
			t.Errorf("%s: the provider saw\n%s\nwant\n%s", name, got, want)
		}
	}
}

// tried uses a Config, changed, up to its first token.
func tried(use func() string, change func(*ccclient.Config)) error {
	trial.change, trial.token, trial.err = change, nil, nil
	defer func() { trial.change = nil }()
	use()
	return trial.err
}

func TestProvidersConfigsWorkForTheReasonsTheyGive(t *testing.T) {
	secret := func(*ccclient.Config) { os.Setenv("CLIENT_SECRET", "another") }
	key := func(*ccclient.Config) {
		der := must(x509.MarshalPKCS8PrivateKey(must(rsa.GenerateKey(rand.Reader, 2048))))
		os.Setenv("PRIVATE_KEY", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	environment := ccclient.SecretEnv("CLIENT_SECRET")
	assertion := func(o ccclient.AssertionOptions) func(*ccclient.Config) {
		return func(c *ccclient.Config) {
			c.Auth = ccclient.PrivateKeyJWTFrom(ccclient.KeyFrom(ccclient.SecretEnv("PRIVATE_KEY")), o)
		}
	}
	mounted := func(p provider, method func(ccclient.Secret) ccclient.Auth) func(*ccclient.Config) {
		return func(c *ccclient.Config) {
			path := p.mount()
			t.Cleanup(func() { p.unmount(path) })
			c.Auth = method(ccclient.SecretFile(path))
		}
	}
	exchanged := func(s ccclient.Secret) ccclient.Auth {
		return ccclient.AuthFunc(func(ctx context.Context, _ ccclient.Request) (ccclient.Credentials, error) {
			token, err := s(ctx)
			return ccclient.Credentials{Form: url.Values{subjectToken: {token}}}, err
		})
	}
	stranger := kubernetes
	stranger.client.AssertionSubject = "system:serviceaccount:default:default"
	certificate := entraID.certificate()
	for name, c := range map[string]struct {
		use    func() string
		change func(*ccclient.Config)
		status int
		code   ccclient.ErrorCode
	}{
		"Entra ID: no x5t#S256":      {useEntraID, assertion(ccclient.AssertionOptions{Algorithm: "PS256"}), 401, ccclient.InvalidClient},
		"Entra ID: RS256":            {useEntraID, assertion(ccclient.AssertionOptions{Certificate: certificate}), 401, ccclient.InvalidClient},
		"Entra ID: another audience": {useEntraID, assertion(ccclient.AssertionOptions{Certificate: certificate, Algorithm: "PS256", Audience: "https://login.microsoftonline.com/"}), 401, ccclient.InvalidClient},
		"Entra ID: a plain scope":    {useEntraID, func(c *ccclient.Config) { c.Scopes = []string{"User.Read"} }, 400, ccclient.InvalidScope},
		"Auth0: another secret":      {useAuth0, secret, 401, ccclient.AccessDenied},
		"Auth0: no audience":         {useAuth0, func(c *ccclient.Config) { c.Audience = "" }, 403, ccclient.AccessDenied},
		"Okta: a secret":             {useOkta, func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasic(ccclient.SecretString(simpleSecret)) }, 401, ccclient.InvalidClient},
		"Okta: no DPoP":              {useOkta, func(c *ccclient.Config) { c.DPoPKey = nil }, 400, ccclient.InvalidDPoPProof},
		"Okta: another key":          {useOkta, key, 401, ccclient.InvalidClient},
		"Keycloak: another secret":   {useKeycloak, secret, 401, ccclient.UnauthorizedClient},
		"Keycloak: not encoded":      {useKeycloak, func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasicUnencoded(environment) }, 401, ccclient.UnauthorizedClient},
		"Cognito: another secret":    {useCognito, secret, 400, ccclient.InvalidClient},
		"Cognito: another scope":     {useCognito, func(c *ccclient.Config) { c.Scopes = []string{"read"} }, 400, ccclient.InvalidScope},
		"Salesforce: another secret": {useSalesforce, secret, 400, ccclient.InvalidClient},
		"Zoom: another secret":       {useZoom, secret, 400, ccclient.InvalidClient},
		"Zoom: no account":           {useZoom, func(c *ccclient.Config) { delete(c.EndpointParams, "account_id") }, 400, ccclient.InvalidRequest},
		"Zoom: the usual grant":      {useZoom, func(c *ccclient.Config) { delete(c.EndpointParams, "grant_type") }, 400, ccclient.UnsupportedGrantType},
		"PayPal: another secret":     {usePayPal, secret, 401, ccclient.InvalidClient},
		"Shopify: Basic":             {useShopify, func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasic(environment) }, 401, ccclient.InvalidClient},
		"Apigee: another secret":     {useApigee, secret, 401, ccclient.InvalidClient},
		"UPS: another secret":        {useUps, secret, 401, "10401"},
		"Twitch: another secret":     {useTwitch, secret, 403, ""},
		"eBay: another secret":       {useEBay, secret, 401, ccclient.InvalidClient},
		"eBay: another scope":        {useEBay, func(c *ccclient.Config) { c.Scopes = []string{"api_scope"} }, 400, ccclient.InvalidScope},
		"PingOne: another key":       {usePingOne, key, 401, ccclient.InvalidClient},
		"PingOne: the newer type":    {usePingOne, assertion(ccclient.AssertionOptions{KeyID: "KEY_ID"}), 401, ccclient.InvalidClient},
		"PingOne: another audience":  {usePingOne, assertion(ccclient.AssertionOptions{KeyID: "KEY_ID", Type: "JWT", Audience: "https://auth.pingone.com"}), 401, ccclient.InvalidClient},
		"UAA: no header":             {useUaa, func(c *ccclient.Config) { c.EndpointHeader = nil }, 401, "unauthorized"},
		"UAA: another secret":        {useUaa, secret, 401, "unauthorized"},
		"XSUAA: another certificate": {useXsuaa, func(c *ccclient.Config) {
			c.TLS = &tls.Config{Certificates: []tls.Certificate{must(cctest.SelfSigned("service"))}}
		}, 401, "unauthorized"},
		"Adobe: scopes apart":          {useAdobe, func(c *ccclient.Config) { c.Scopes = []string{"openid", "AdobeID"} }, 400, ccclient.InvalidScope},
		"Box: no subject":              {useBox, func(c *ccclient.Config) { c.EndpointParams = nil }, 400, ccclient.InvalidGrant},
		"Box: another subject":         {useBox, func(c *ccclient.Config) { c.EndpointParams.Set("box_subject_type", "app") }, 400, ccclient.InvalidGrant},
		"Oracle: the default audience": {useOracleIDCS, assertion(ccclient.AssertionOptions{KeyID: "CERTIFICATE_ALIAS"}), 401, ccclient.InvalidClient},
		"Oracle: no key id":            {useOracleIDCS, assertion(ccclient.AssertionOptions{Audience: "https://identity.oraclecloud.com/"}), 400, ccclient.InvalidClient},
		"Kubernetes: another subject":  {useKubernetes, mounted(stranger, ccclient.ClientAssertion), 401, ccclient.UnauthorizedClient},
		"SPIFFE: the usual type":       {useSpiffe, mounted(spiffe, ccclient.ClientAssertion), 401, ccclient.UnauthorizedClient},

		"authentik: another secret":   {useAuthentik, secret, 400, ccclient.InvalidGrant},
		"Bitbucket: another secret":   {useBitbucket, secret, 400, ccclient.UnauthorizedClient},
		"Confluent: no pool":          {useConfluent, func(c *ccclient.Config) { delete(c.EndpointParams, "identity_pool_id") }, 400, ccclient.InvalidRequest},
		"Confluent: the usual grant":  {useConfluent, func(c *ccclient.Config) { delete(c.EndpointParams, "grant_type") }, 400, ccclient.UnsupportedGrantType},
		"Confluent: another token":    {useConfluent, mounted(stranger, exchanged), 401, ccclient.InvalidClient},
		"CrowdStrike: another secret": {useCrowdStrike, secret, 403, "403"},
		"Databricks: another secret":  {useDatabricks, secret, 401, ccclient.InvalidClient},
		"Databricks: another scope":   {useDatabricks, func(c *ccclient.Config) { c.Scopes = []string{"jobs"} }, 400, ccclient.InvalidScope},
		"Duende: another key":         {useDuende, key, 400, ccclient.InvalidClient},
		"Duende: the older type":      {useDuende, assertion(ccclient.AssertionOptions{KeyID: "KEY_ID", Type: "JWT"}), 400, ccclient.InvalidClient},
		"FedEx: another secret":       {useFedEx, secret, 401, "NOT.AUTHORIZED.ERROR"},
		"FedEx: Basic":                {useFedEx, func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasic(environment) }, 401, "NOT.AUTHORIZED.ERROR"},
		"Hydra: another secret":       {useHydra, secret, 401, ccclient.InvalidClient},
		"Hydra: in the form":          {useHydra, func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretPost(environment) }, 401, ccclient.InvalidClient},
		"Hydra: not encoded":          {useHydra, func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasicUnencoded(environment) }, 401, ccclient.InvalidClient},
		"NetSuite: no scope in it":    {useNetSuite, assertion(ccclient.AssertionOptions{KeyID: "CERTIFICATE_ID", Algorithm: "PS256"}), 400, ccclient.InvalidClient},
		"NetSuite: RS256":             {useNetSuite, assertion(ccclient.AssertionOptions{KeyID: "CERTIFICATE_ID"}), 401, ccclient.InvalidClient},
		"ServiceNow: another secret":  {useServiceNow, secret, 401, ccclient.ServerError},
		"Snowflake: another role":     {useSnowflake, func(c *ccclient.Config) { c.Scopes = []string{"session:role:OTHER"} }, 400, ccclient.InvalidScope},
		"Spotify: another secret":     {useSpotify, secret, 400, ccclient.InvalidClient},
		"Tailscale: another secret":   {useTailscale, secret, 401, ""},
		"Tailscale: another scope":    {useTailscale, func(c *ccclient.Config) { c.Scopes = []string{"all"} }, 400, ccclient.InvalidScope},
		"ZITADEL: another secret":     {useZitadel, secret, 400, ccclient.InvalidRequest},
		"ZITADEL: not encoded":        {useZitadel, func(c *ccclient.Config) { c.Auth = ccclient.ClientSecretBasicUnencoded(environment) }, 400, ccclient.InvalidRequest},
	} {
		e, ok := errors.AsType[*ccclient.Error](tried(c.use, c.change))
		if !ok || e.StatusCode != c.status || e.Code != c.code {
			t.Errorf("%s: got %v, want %d and %q", name, e, c.status, c.code)
		}
	}
}

func TestProvidersAPIsTakeTheTokenWhereDocumented(t *testing.T) {
	for name, c := range map[string]struct {
		provider provider
		url      string
		status   int
	}{
		"Shopify: Authorization": {shopify, "https://SHOP.myshopify.com/admin/api/2026-01/shop.json", 401},
		"Twitch: no Client-Id":   {twitch, "https://api.twitch.tv/helix/streams", 403},
		"Adobe: no x-api-key":    {adobe, "https://firefly-api.adobe.io/v3/status/JOB_ID", 403},
		"Atlas: no version":      {atlas, "https://cloud.mongodb.com/api/atlas/v2/groups", 403},
	} {
		cfg := ccclient.Config{
			TokenURL: c.provider.tokenURL, ClientID: c.provider.client.ID,
			Auth: ccclient.ClientSecretPost(ccclient.SecretEnv("CLIENT_SECRET")),
		}
		c.provider.client.AuthMethods = []string{cctest.ClientSecretPost}
		client, base := c.provider.open(cfg)
		resp, err := (&http.Client{Transport: client.Transport(base)}).Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: got %s, want %d", name, resp.Status, c.status)
		}
		base.Close()
	}
}

func TestDocumentedRefusalsAreUnderstood(t *testing.T) {
	for name, p := range map[string]provider{
		"Entra ID": entraID, "Auth0": auth0, "Okta": okta, "Keycloak": keycloak, "Cognito": cognito, "Salesforce": salesforce, "Zoom": zoom,
		"PayPal": payPal, "Shopify": shopify, "Apigee": apigee, "UPS": ups, "Twitch": twitch, "eBay": eBay, "PingOne": pingOne, "UAA": uaa,
		"Adobe": adobe, "Box": box, "Kubernetes": kubernetes, "Atlas": atlas, "authentik": authentik, "Bitbucket": bitbucket,
		"CrowdStrike": crowdStrike, "Databricks": databricks, "Duende": duende, "FedEx": fedEx, "Hydra": hydra,
		"ServiceNow": serviceNow, "Snowflake": snowflake, "Spotify": spotify, "Tailscale": tailscale, "ZITADEL": zitadel,
	} {
		for about, want := range p.refusals {
			refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { want.write(w) })
			client, err := ccclient.New(ccclient.Config{
				TokenURL: p.tokenURL, ClientID: p.client.ID,
				Auth:       ccclient.ClientSecretPost(ccclient.SecretString(difficultSecret)),
				HTTPClient: &http.Client{Transport: cctest.RoundTripper(refuse)},
				Retry:      ccclient.Retry{MaxAttempts: 1},
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Refresh(t.Context())
			client.Close()
			e, ok := errors.AsType[*ccclient.Error](err)
			if !ok {
				t.Errorf("%s, %s: %v", name, about, err)
				continue
			}
			if e.StatusCode != want.status || e.Code != want.code || !strings.HasPrefix(e.Description, want.text) ||
				want.text == "" && e.Description != "" {
				t.Errorf("%s, %s: got %d, %q, %q; want %d, %q, %q",
					name, about, e.StatusCode, e.Code, e.Description, want.status, want.code, want.text)
			}
			if errors.Is(err, ccclient.InvalidClient) != want.invalid {
				t.Errorf("%s, %s: errors.Is(err, InvalidClient) is %v", name, about, !want.invalid)
			}
		}
	}
}

func TestLifetimesAndExtrasOfTheProvidersAreKept(t *testing.T) {
	providerCertificate() // valid now, which in the bubble is another time
	for name, c := range map[string]struct {
		use    func() string
		life   time.Duration
		extras map[string]any
	}{
		"Entra ID":   {useEntraID, 3599 * time.Second, map[string]any{"ext_expires_in": 3599.0}},
		"Keycloak":   {useKeycloak, 5 * time.Minute, map[string]any{"refresh_expires_in": 0.0, "scope": "email profile"}},
		"Salesforce": {useSalesforce, 15 * time.Minute, map[string]any{"instance_url": "https://DOMAIN.my.salesforce.com", "issued_at": "1767225600000"}},
		"PayPal":     {usePayPal, 31668 * time.Second, map[string]any{"app_id": "APP-00"}},
		"Shopify":    {useShopify, 86399 * time.Second, map[string]any{"scope": "write_orders read_customers"}},
		"Apigee":     {useApigee, 3599 * time.Second, map[string]any{"status": "approved"}},
		"UPS":        {useUps, 3599 * time.Second, map[string]any{"issued_at": "1767225600000"}},
		"Twitch":     {useTwitch, 5011271 * time.Second, map[string]any{"scope": "channel:read:hype_train user:read:email"}},
		"eBay":       {useEBay, 2 * time.Hour, nil},
		"UAA":        {useUaa, 43199 * time.Second, map[string]any{"jti": "0"}},
		"Bitbucket":  {useBitbucket, 2 * time.Hour, map[string]any{"scopes": "repository account"}},
		"NetSuite":   {useNetSuite, time.Hour, nil},
		"FedEx":      {useFedEx, 3599 * time.Second, map[string]any{"scope": "CXS"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			if err := tried(c.use, func(*ccclient.Config) {}); err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if life := time.Until(trial.token.Expiry); life != c.life {
				t.Errorf("%s: the token lives for %v, want %v", name, life, c.life)
			}
			for extra, want := range c.extras {
				if got := trial.token.Extra(extra); got != want {
					t.Errorf("%s: Extra(%q) is %#v, want %#v", name, extra, got, want)
				}
			}
		})
	}
}

func TestEmpty403OfDjangoRenewsTheToken(t *testing.T) {
	inBubble(t, cctest.Options{}, nil, func(t *testing.T, r *rig) {
		dead := r.token()
		spend := r.Transport(roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Header.Get("Authorization") == "Bearer "+dead {
				return status(http.StatusForbidden)(req)
			}
			return status(http.StatusOK)(req)
		}))
		api := &http.Client{Transport: spend}
		for want, rejected := range []func(*http.Response) bool{nil, rejectedByDjango} {
			spend.Rejected = rejected
			resp, err := api.Get("https://api.example.com/")
			if err != nil || (resp.StatusCode == http.StatusOK) != (want == 1) {
				t.Errorf("Rejected set %d: %v, %v", want, resp, err)
			}
			r.wantRequests(1 + want)
		}
	})
}
