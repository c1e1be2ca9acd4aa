package endpoint_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/discovery"
	"github.com/ccclient/go-ccclient/internal/endpoint"
)

func TestCertificateGoesToTheEndpointForIt(t *testing.T) {
	m := &discovery.Metadata{
		Issuer: "https://as.example", TokenEndpoint: "https://as.example/token", AuthMethods: []string{"tls_client_auth"},
	}
	for _, test := range []struct {
		alias string
		mtls  bool
		want  string
	}{
		{"", false, m.TokenEndpoint},
		{"", true, m.TokenEndpoint},
		{"https://mtls.as.example/token", false, m.TokenEndpoint},
		{"https://mtls.as.example/token", true, "https://mtls.as.example/token"},
	} {
		m.MTLSTokenEndpoint = test.alias
		if e := endpoint.Of(m, test.mtls); e.URL != test.want || e.Issuer != m.Issuer || len(e.Methods) != 1 {
			t.Errorf("%+v, want %s", e, test.want)
		}
	}
}

func TestEndpointsAreNamedWithoutTheirQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"https://as.example:8443/token?key=canary": "as.example:8443",
		"https://as.example/%zz?key=canary":        "the token endpoint",
	} {
		if got := endpoint.Host(raw); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

func TestWhatIsNoEndpointSaysWhatItIs(t *testing.T) {
	for raw, want := range map[string]string{
		"https://as.example/token?x=y":                                "",
		"http://127.0.0.1:8080/token":                                 "",
		"https://as.example/%zz":                                      "not a URL",
		"as.example/token":                                            "not an absolute https URL",
		"ftp://as.example/token":                                      "not an absolute https URL",
		"https:///token":                                              "not an absolute https URL",
		"https://id:secret@as.example/token":                          "use ClientID and Auth",
		"https://as.example/token#":                                   "fragment",
		"https://as.example/.well-known/openid-configuration":         "set Issuer",
		"http://as.example/token":                                     "set InsecureHTTP",
		"https://as.example/a/.well-known/oauth-authorization-server": "set Issuer",
	} {
		err := endpoint.Check(raw, false)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
	if err := endpoint.Check("http://as.example/token", true); err != nil {
		t.Error(err)
	}
}

func TestAddressOfMetadataIsNoIssuer(t *testing.T) {
	for raw, want := range map[string]string{
		"https://as.example": "",
		"https://as.example/.well-known/openid-configuration":          `"https://as.example"`,
		"https://as.example/a/.well-known/openid-configuration":        `"https://as.example/a"`,
		"https://as.example/.well-known/oauth-authorization-server/a?": `"https://as.example/a"`,
	} {
		err := endpoint.CheckIssuer(raw)
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", raw, err, want)
		}
	}
}

func TestIssuerWithoutMetadataIsAdvised(t *testing.T) {
	other := discovery.OtherIssuer{Issuer: "https://as.example/"}
	for _, test := range []struct {
		issuer string
		err    error
		want   string
	}{
		{"https://as.example", other, "a trailing slash counts"},
		{"https://as.example/tenant", other, "if that is the server which is meant"},
		{"https://as.example/oauth/token", errors.New("404"), "goes into TokenURL"},
		{"https://as.example/connect/accesstoken/", errors.New("404"), "goes into TokenURL"},
		{"https://as.example/oauth", errors.New("404"), "set TokenURL in place of Issuer"},
	} {
		if got := endpoint.NoMetadata(test.issuer, test.err); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.issuer, got, test.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("https://as.example/token?x=canary-canary")
	f.Add("https://canary-canary@as.example/.well-known/x#y")
	f.Fuzz(func(t *testing.T, raw string) {
		if endpoint.Check(raw, true) == nil && endpoint.Host(raw) == "the token endpoint" {
			t.Errorf("%q is an endpoint without a host", raw)
		}
		endpoint.CheckIssuer(raw)
		endpoint.NoMetadata(raw, errors.New("404"))
	})
}
