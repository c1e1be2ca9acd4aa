package yamltest_test

import (
	"net/url"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/ccclient/go-ccclient/ccclient"
)

const file = `
issuer: https://as.example.com
client_id: orders
auth_method: private_key_jwt
private_key_file: /run/secrets/key.pem
key_id: k1
certificate_file: /run/secrets/tls.crt
certificate_key_file: /run/secrets/tls.key
scopes: [orders:read, "a,b"]
audience: https://api.example.com
resources:
  - https://api.example.com/v1
endpoint_params:
  tenant: [north]
allowed_hosts: ["*.example.com"]
insecure_http: true
`

func decode(t *testing.T, text string) (s ccclient.Settings, err error) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	err = decoder.Decode(&s)
	return s, err
}

func TestSettingsAreReadFromYAML(t *testing.T) {
	got, err := decode(t, file)
	want := ccclient.Settings{
		Issuer: "https://as.example.com", ClientID: "orders", AuthMethod: "private_key_jwt",
		PrivateKeyFile: "/run/secrets/key.pem", KeyID: "k1", CertificateFile: "/run/secrets/tls.crt",
		CertificateKeyFile: "/run/secrets/tls.key", Scopes: []string{"orders:read", "a,b"},
		Audience: "https://api.example.com", Resources: []string{"https://api.example.com/v1"},
		EndpointParams: url.Values{"tenant": {"north"}}, AllowedHosts: []string{"*.example.com"}, InsecureHTTP: true,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if _, err := got.Config(nil); err != nil {
		t.Error(err)
	}
	if _, err := decode(t, "clientid: orders\n"); err == nil {
		t.Error("a strict decoder takes a field that there is not")
	}
}

func TestSettingsOutliveYAML(t *testing.T) {
	var want ccclient.Settings
	for field, value := range reflect.ValueOf(&want).Elem().Fields() {
		switch v := value.Addr().Interface().(type) {
		case *string:
			*v = "yes: # " + field.Name // what YAML has to quote
		case *[]string:
			*v = []string{"- " + field.Name, "null"}
		case *url.Values:
			*v = url.Values{"a b": {"1", "true"}, "c": {""}}
		case *bool:
			*v = true
		default:
			t.Errorf("%s is a %T", field.Name, v)
		}
	}
	text, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decode(t, string(text)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v:\n%s", err, text)
	}
	if text, err := yaml.Marshal(ccclient.Settings{}); err != nil || string(text) != "{}\n" {
		t.Errorf("%q, %v", text, err)
	}
}
