package ccclient_test

import (
	"encoding/pem"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// setenv sets variables, each "NAME=value" with the prefix before it.
func setenv(t *testing.T, prefix string, variables ...string) {
	t.Helper()
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(prefix+name, value)
	}
}

func TestEnvironmentSaysWhatSettingsSay(t *testing.T) {
	setenv(t, "T_", "ISSUER= https://as.example.com\n", "CLIENT_ID=orders", "AUTH_METHOD=client_secret_post", "CLIENT_SECRET=s",
		"SCOPES= orders:read\ta,b\n", "AUDIENCE=https://api.example.com", "RESOURCES=https://a.example.com https://b.example.com",
		"ENDPOINT_PARAMS=tenant=north&tenant=south&x=%26+b", "ALLOWED_HOSTS=*.example.com api.test:8443",
		"INSECURE_HTTP=true", "CERTIFICATE_FILE=", "CA_FILE= ")
	cfg, err := ccclient.ConfigFromEnv("T_")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(cfg.Auth) != "client_secret_post" {
		t.Error(cfg.Auth)
	}
	cfg.Auth = nil
	want := ccclient.Config{
		Issuer: "https://as.example.com", ClientID: "orders", Scopes: []string{"orders:read", "a,b"},
		Audience: "https://api.example.com", Resources: []string{"https://a.example.com", "https://b.example.com"},
		EndpointParams: map[string][]string{"tenant": {"north", "south"}, "x": {"& b"}},
		AllowedHosts:   []string{"*.example.com", "api.test:8443"}, InsecureHTTP: true,
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("%v, want %v", cfg, want)
	}
}

func TestSecretAndKeyComeFromVariableOrFile(t *testing.T) {
	key, err := os.ReadFile(keys + "p256.sec1.pem")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ variable, proves string }{
		{"CLIENT_SECRET=two words \r\n", "two words "},
		{"CLIENT_SECRET_FILE=" + write(t, "secret", "two words \r\n"), "two words "},
		{"PRIVATE_KEY=" + string(key), ""},
		{"PRIVATE_KEY_FILE=" + keys + "p256.sec1.pem", ""},
		{"ASSERTION_FILE=" + write(t, "jwt", "e30.e30.e30\n"), "e30.e30.e30"},
	} {
		t.Run("", func(t *testing.T) {
			setenv(t, "T_", "TOKEN_URL="+asTokenURL, "CLIENT_ID=orders", c.variable)
			if strings.HasPrefix(c.variable, "CLIENT_SECRET") {
				setenv(t, "T_", "AUTH_METHOD=client_secret_post")
			}
			if strings.HasPrefix(c.variable, "PRIVATE_KEY") {
				setenv(t, "T_", "KEY_ID=k1")
			}
			cfg, err := ccclient.ConfigFromEnv("T_")
			if err != nil {
				t.Fatal(err)
			}
			form := authenticated(t, cfg.Auth, asIssuer).Form
			got := form.Get("client_secret") + form.Get("client_assertion")
			if strings.HasPrefix(c.variable, "PRIVATE_KEY") && joseHeader(got)["kid"] != "k1" {
				t.Errorf("the key id is lost: %v", joseHeader(got))
			}
			if got == "" || c.proves != "" && got != c.proves {
				t.Errorf("%s: %q", c.variable, got)
			}
		})
	}
}

func TestMistakeInTheEnvironmentNamesVariableAndRemedy(t *testing.T) {
	const canary = "canary-0123456789"
	ca := cctest.NewCA().Certificate().Raw
	pemCA := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca}))
	noCA := write(t, "ca.pem", "no certificate")
	const keyFile = keys + "p256.sec1.pem"
	_, missing := os.Open("/no/such/file") // whose text is the system's
	for _, c := range []struct {
		set  string // on top of a good environment, by lines that begin with "!"; an empty value unsets
		want string // one line of the error, after the context
	}{
		{"TOKEN_URL=", "T_ISSUER: required, unless T_TOKEN_URL is set: the authorization server's issuer, such as https://as.example.com"},
		{"ISSUER=https://as.example.com", "T_TOKEN_URL: set together with T_ISSUER, from which it is discovered: use one of the two"},
		{"TOKEN_URL=as.example.com/token", "T_TOKEN_URL: not an absolute URL: it is to be like https://as.example.com/path"},
		{"TOKEN_URL=https://" + canary + "/%zz", "T_TOKEN_URL: not a URL: it is to be like https://as.example.com/path"},
		{"TOKEN_URL=http://as.example.com/token", "T_TOKEN_URL: http:// beyond loopback would show the credentials to the network: use https, or set T_INSECURE_HTTP to true"},
		{"TOKEN_URL=https://u:" + canary + "@as.example.com/", "T_TOKEN_URL: has a user or password in it: those go into T_CLIENT_ID and T_CLIENT_SECRET"},
		{"TOKEN_URL=https://as.example.com/#" + canary, "T_TOKEN_URL: has a fragment (RFC 6749, section 3.2): leave it out"},
		{"TOKEN_URL=!ISSUER=https://as.example.com/?key=" + canary, "T_ISSUER: an issuer has no query and no fragment (RFC 8414, section 2): leave them out"},
		{"TOKEN_URL=!ISSUER=http://as.example.com", "T_ISSUER: http:// beyond loopback would show the credentials to the network: use https, or set T_INSECURE_HTTP to true"},
		{"CLIENT_ID=", "T_CLIENT_ID: required: the client identifier, as it is registered with the authorization server"},
		{"CLIENT_SECRET=", "T_CLIENT_SECRET: required, unless one of T_PRIVATE_KEY_FILE, T_ASSERTION_FILE and T_CERTIFICATE_FILE is set: what the client authenticates with"},
		{"CLIENT_SECRET_FILE=/run/secret", "T_CLIENT_SECRET_FILE: set together with T_CLIENT_SECRET: use one of the two"},
		{"AUTH_METHOD=basic", `T_AUTH_METHOD: unknown authentication method "basic": use client_secret_basic, client_secret_basic_unencoded, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth or self_signed_tls_client_auth`},
		{"AUTH_METHOD=CLIENT_SECRET_POST", `T_AUTH_METHOD: unknown authentication method "CLIENT_SECRET_POST": use client_secret_basic, client_secret_basic_unencoded, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth or self_signed_tls_client_auth`},
		{"PRIVATE_KEY_FILE=" + keyFile, "T_AUTH_METHOD: required, since any of T_CLIENT_SECRET, T_PRIVATE_KEY_FILE could authenticate the client: use client_secret_basic, client_secret_basic_unencoded, client_secret_post, client_secret_jwt, private_key_jwt, tls_client_auth or self_signed_tls_client_auth"},
		{"AUTH_METHOD=private_key_jwt", "T_AUTH_METHOD: private_key_jwt needs a key or a ready assertion: set T_PRIVATE_KEY_FILE or T_ASSERTION_FILE"},
		{"AUTH_METHOD=tls_client_auth", "T_AUTH_METHOD: tls_client_auth needs a client certificate: set T_CERTIFICATE_FILE"},
		{"CLIENT_SECRET=!AUTH_METHOD=client_secret_jwt!PRIVATE_KEY_FILE=" + keyFile, "T_AUTH_METHOD: client_secret_jwt needs a secret: set T_CLIENT_SECRET"},
		{"AUTH_METHOD=private_key_jwt!ASSERTION_FILE=/a!PRIVATE_KEY_FILE=" + keyFile, "T_ASSERTION_FILE: set together with T_PRIVATE_KEY_FILE, and either is for private_key_jwt: use one of the two"},
		{"CLIENT_SECRET=!PRIVATE_KEY=" + canary, "T_PRIVATE_KEY: neither PEM nor JWK (DER? openssl pkcs8 -topk8 -nocrypt -inform DER -in FILE makes PEM of it): it is to be a private key in PEM, or a JWK"},
		{"CLIENT_SECRET=!PRIVATE_KEY_FILE=" + keyFile + "!PRIVATE_KEY=" + canary, "T_PRIVATE_KEY_FILE: set together with T_PRIVATE_KEY: use one of the two"},
		{"KEY_ID=k1", "T_KEY_ID: set without T_PRIVATE_KEY_FILE, whose key it names, or client_secret_jwt"},
		{"CERTIFICATE_KEY_FILE=/run/tls.key", "T_CERTIFICATE_KEY_FILE: set without T_CERTIFICATE_FILE, whose key it holds"},
		{"CA_FILE=/no/such/file", "T_CA_FILE: " + missing.Error() + ": it is to name a PEM file of certificates"},
		{"CA_FILE=" + noCA, "T_CA_FILE: " + noCA + " has no certificate in it: it is to name a PEM file of certificates"},
		{`SCOPES=["read"]`, `T_SCOPES: "[\"read\"]" has a character that a scope may not have (RFC 6749, section 3.3)`},
		{"RESOURCES=api.example.com", `T_RESOURCES: "api.example.com" is not an absolute URI (RFC 8707, section 2)`},
		{"RESOURCES=https://api.example.com/#x", `T_RESOURCES: "https://api.example.com/#x" has a fragment (RFC 8707, section 2)`},
		{"ALLOWED_HOSTS=https://api.example.com", `T_ALLOWED_HOSTS: host pattern "https://api.example.com" has a scheme: give the host alone`},
		{"ALLOWED_HOSTS=a.example.com,b.example.com", `T_ALLOWED_HOSTS: host pattern "a.example.com,b.example.com" is not a host name, an address, or either with a port`},
		{"ENDPOINT_PARAMS=key:" + canary, `T_ENDPOINT_PARAMS: has a parameter without "=": it is to be name=value&name=value, with anything special percent-encoded`},
		{"ENDPOINT_PARAMS=key=%zz" + canary, "T_ENDPOINT_PARAMS: is not form-encoded: it is to be name=value&name=value, with anything special percent-encoded"},
		{"ENDPOINT_PARAMS=a=b key=" + canary, "T_ENDPOINT_PARAMS: has white space in it: it is to be name=value&name=value, with anything special percent-encoded"},
		{"ENDPOINT_PARAMS==" + canary, "T_ENDPOINT_PARAMS: a parameter without a name: each is name=value"},
		{"ENDPOINT_PARAMS=client_id=x", `T_ENDPOINT_PARAMS: "client_id" is what T_CLIENT_ID sets: leave it out here`},
		{"ENDPOINT_PARAMS=client_secret=" + canary, `T_ENDPOINT_PARAMS: "client_secret" is what the authentication sets: leave it out here`},
		{"SCOPES=read!ENDPOINT_PARAMS=scope=write", `T_ENDPOINT_PARAMS: "scope" is what T_SCOPES sets: leave it out here`},
		{"ENDPOINT_PARAMS=grant_type=a&grant_type=b", "T_ENDPOINT_PARAMS: grant_type has 2 values: give it one"},
		{"INSECURE_HTTP=yes", "T_INSECURE_HTTP: neither true nor false: set it to one of the two"},
		{"CLIENTID=orders", "T_CLIENTID: unknown: the nearest known variable is T_CLIENT_ID, and every variable with the prefix T_ has to be known"},
		{"SCOPE=read", "T_SCOPE: unknown: the nearest known variable is T_SCOPES, and every variable with the prefix T_ has to be known"},
		{"CLIENT_SERCET=" + canary, "T_CLIENT_SERCET: unknown: the nearest known variable is T_CLIENT_SECRET, and every variable with the prefix T_ has to be known"},
		{"ca_file=" + pemCA, "T_ca_file: unknown: the nearest known variable is T_CA_FILE, and every variable with the prefix T_ has to be known"},
	} {
		t.Run("", func(t *testing.T) {
			setenv(t, "T_", "TOKEN_URL="+asTokenURL, "CLIENT_ID=orders", "CLIENT_SECRET="+canary)
			for v := range strings.SplitSeq(c.set, "!") {
				setenv(t, "T_", v)
			}
			_, err := ccclient.ConfigFromEnv("T_")
			if err == nil {
				t.Fatalf("%s: no error", c.set)
			}
			got, prefixed := strings.CutPrefix(err.Error(), "ccclient: invalid environment: ")
			lines := strings.Split(got, "\n")
			told := lines[0] == c.want || lines[len(lines)-1] == c.want
			if !prefixed || !told || strings.Contains(got, canary) {
				t.Errorf("%s:\ngot  %v\nwant %s", c.set, err, c.want)
			}
			if len(lines) > 2 || len(lines) == 2 && !strings.Contains(c.set, "!") {
				t.Errorf("%s: one mistake is told as %d:\n%v", c.set, len(lines), err)
			}
		})
	}
}

func TestAllMistakesInTheEnvironmentAreToldAtOnce(t *testing.T) {
	setenv(t, "T_", "CLIENT=x", "INSECURE_HTTP=on", "SCOPES=\"", "AUDIENCE=")
	_, err := ccclient.ConfigFromEnv("T_")
	if err == nil {
		t.Fatal("no error")
	}
	text := "\n" + strings.TrimPrefix(err.Error(), "ccclient: invalid environment: ")
	for _, name := range []string{"ISSUER", "CLIENT_ID", "CLIENT_SECRET", "SCOPES", "INSECURE_HTTP", "CLIENT"} {
		if !strings.Contains(text, "\nT_"+name+": ") {
			t.Errorf("%s is not in %v", name, err)
		}
	}
}

func TestWithoutPrefixOnlyNearMissesAreUnknown(t *testing.T) {
	good := []string{"TOKEN_URL=" + asTokenURL, "CLIENT_ID=orders", "CLIENT_SECRET=s"}
	for _, c := range []struct{ set, want string }{
		{"HOME_PAGE=x", ""},
		{"CLIENT_IDS=x", ""}, // CLIENT_ID is set, so this is something else
		{"SCOPE=read", "SCOPE: unknown: rename it to SCOPES, or set that too if this one is for something else"},
		{"authmethod=x", "authmethod: unknown: rename it to AUTH_METHOD, or set that too if this one is for something else"},
	} {
		t.Run("", func(t *testing.T) {
			setenv(t, "", append(good, c.set)...)
			_, err := ccclient.ConfigFromEnv("")
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "ccclient: invalid environment: ")
			}
			if got != c.want {
				t.Errorf("%s: %q, want %q", c.set, got, c.want)
			}
		})
	}
}

// exampleEnvironment starts a server and an API, and puts a client of the server's into the environment.
func exampleEnvironment() (apiURL string, end func()) {
	as := cctest.NewServer(cctest.Options{})
	api := httptest.NewServer(as.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	variables := map[string]string{
		"ORDERS_ISSUER": as.Issuer(), "ORDERS_CLIENT_ID": cctest.DefaultClientID,
		"ORDERS_CLIENT_SECRET": cctest.DefaultClientSecret,
	}
	for name, value := range variables {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	return api.URL, func() {
		for name := range variables {
			os.Unsetenv(name)
		}
		api.Close()
		as.Close()
	}
}

// With ORDERS_ISSUER, ORDERS_CLIENT_ID and ORDERS_CLIENT_SECRET in the environment.
func ExampleConfigFromEnv() {
	apiURL, end := exampleEnvironment()
	defer end()

	cfg, err := ccclient.ConfigFromEnv("ORDERS_")
	if err != nil {
		log.Fatal(err) // every fault at once, each by its variable
	}
	client, err := ccclient.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := client.HTTPClient().Get(apiURL)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Status)

	resp.Body.Close()
	client.Close()
	// Output: 200 OK
}
