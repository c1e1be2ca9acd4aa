package ccclient_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// fullSettings have every field set.
func fullSettings() ccclient.Settings {
	return ccclient.Settings{
		Issuer: "https://as.example.com", TokenURL: "https://as.example.com/token", ClientID: "orders",
		AuthMethod: "private_key_jwt", ClientSecretFile: "/run/secret", PrivateKeyFile: "/run/key.pem", KeyID: "k1",
		AssertionFile: "/run/assertion", CertificateFile: "/run/tls.crt", CertificateKeyFile: "/run/tls.key",
		CAFile: "/run/ca.pem", Scopes: []string{"orders:read", "a,b"}, Audience: "https://api.example.com",
		Resources: []string{"https://api.example.com/v1"}, EndpointParams: url.Values{"tenant": {"north", "south"}},
		AllowedHosts: []string{"*.example.com"}, InsecureHTTP: true,
	}
}

// write makes a file of a test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSettingsOutliveJSON(t *testing.T) {
	want := fullSettings()
	for field, value := range reflect.ValueOf(want).Fields() {
		if value.IsZero() {
			t.Errorf("%s is not tested", field.Name)
		}
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got ccclient.Settings
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %s became %v", err, text, got)
	}
	if text, err := json.Marshal(ccclient.Settings{}); err != nil || string(text) != "{}" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestSettingsNameTheirFieldsAlikeInJSONAndYAML(t *testing.T) {
	for field := range reflect.TypeFor[ccclient.Settings]().Fields() {
		if j, y := field.Tag.Get("json"), field.Tag.Get("yaml"); j != y || !strings.HasSuffix(j, ",omitempty") {
			t.Errorf("%s: %q in JSON, %q in YAML", field.Name, j, y)
		}
	}
}

func TestPrintedSettingsShowNoKeyInURLOrParameter(t *testing.T) {
	s := fullSettings()
	s.TokenURL += "?key=" + canaryToken
	s.EndpointParams.Set("api_key", canaryToken)
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %d", s, s, s, s, s)
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "s", s)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "s", s)
	if text := out.String(); strings.Contains(text, canaryToken) || !strings.Contains(text, "api_key") ||
		!strings.Contains(text, "/run/key.pem") {
		t.Error(text)
	}
}

func TestMethodFollowsFromWhatIsGiven(t *testing.T) {
	base := ccclient.Settings{TokenURL: asTokenURL, ClientID: "orders"}
	secret := ccclient.SecretString("s")
	for want, c := range map[string]struct {
		secret ccclient.Secret
		change func(*ccclient.Settings)
	}{
		"client_secret_basic":           {secret, func(*ccclient.Settings) {}},
		"client_secret_basic ":          {nil, func(s *ccclient.Settings) { s.ClientSecretFile = "f" }},
		"private_key_jwt":               {nil, func(s *ccclient.Settings) { s.PrivateKeyFile = "f"; s.KeyID = "k" }},
		"private_key_jwt ":              {nil, func(s *ccclient.Settings) { s.AssertionFile = "f" }},
		"tls_client_auth":               {nil, func(s *ccclient.Settings) { s.CertificateFile = "f" }},
		"client_secret_post":            {secret, func(s *ccclient.Settings) { s.AuthMethod = "client_secret_post" }},
		"client_secret_jwt":             {secret, func(s *ccclient.Settings) { s.AuthMethod, s.KeyID = "client_secret_jwt", "k" }},
		"client_secret_basic_unencoded": {secret, func(s *ccclient.Settings) { s.AuthMethod = "client_secret_basic_unencoded" }},
		"tls_client_auth ": {secret, func(s *ccclient.Settings) {
			s.AuthMethod, s.CertificateFile = "self_signed_tls_client_auth", "f"
		}},
		"private_key_jwt  ": {secret, func(s *ccclient.Settings) {
			s.AuthMethod, s.PrivateKeyFile, s.CertificateFile = "private_key_jwt", "f", "f"
		}},
	} {
		s := base
		c.change(&s)
		cfg, err := s.Config(c.secret)
		if err != nil || fmt.Sprint(cfg.Auth) != strings.TrimSpace(want) {
			t.Errorf("%v: %v, %v; want %s", s, cfg.Auth, err, want)
			continue
		}
		if (cfg.TLS != nil) != (s.CertificateFile != "") {
			t.Errorf("%v: TLS is %v", s, cfg.TLS)
		}
		client, err := ccclient.New(cfg)
		if err != nil {
			t.Errorf("%v: %v", s, err)
			continue
		}
		client.Close()
	}
}

func TestSettingsFilesAreWhatTokenRequestsUse(t *testing.T) {
	as := cctest.NewServer(cctest.Options{TLS: true})
	defer as.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: as.CA().Certificate().Raw})
	s := ccclient.Settings{
		Issuer: as.Issuer(), ClientID: cctest.DefaultClientID,
		ClientSecretFile: write(t, "secret", "not yet"), CAFile: write(t, "ca.pem", string(ca)),
	}
	cfg, err := s.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := os.WriteFile(s.ClientSecretFile, []byte(cctest.DefaultClientSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Token(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRenewedCertificateFilesAreShownToTheServer(t *testing.T) {
	m := newMutual(t, false, orders)
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.as.CA().Certificate().Raw})
	s := ccclient.Settings{
		Issuer: m.as.Issuer(), ClientID: orders.ID, CAFile: write(t, "ca.pem", string(ca)),
		CertificateFile: filepath.Join(dir, "tls.crt"), CertificateKeyFile: filepath.Join(dir, "tls.key"),
	}
	put := func(name string) {
		t.Helper()
		c, err := m.as.CA().Issue(name, "orders.example")
		if err != nil {
			t.Fatal(err)
		}
		key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		for path, block := range map[string]*pem.Block{
			s.CertificateFile:    {Type: "CERTIFICATE", Bytes: c.Certificate[0]},
			s.CertificateKeyFile: {Type: "PRIVATE KEY", Bytes: key},
		} {
			if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("first")
	cfg, err := s.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	call := func() {
		t.Helper()
		resp, err := client.HTTPClient().Get(m.api.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
	}
	call()
	put("second")
	// A change is seen within a second or two; on a busy machine it may take longer.
	for start := time.Now(); m.handshakes() == "first" && time.Since(start) < time.Minute; {
		time.Sleep(10 * time.Millisecond)
		call()
	}
	if got := m.handshakes(); !strings.HasSuffix(got, "second") {
		t.Error(got)
	}
}

func ExampleSettings() {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()

	// What a program reads from its own file of configuration.
	text := `{"token_url": "` + as.TokenURL() + `", "client_id": "client", "scopes": ["read"]}`
	var settings ccclient.Settings
	if err := json.Unmarshal([]byte(text), &settings); err != nil {
		fmt.Println(err)
	}
	cfg, err := settings.Config(ccclient.SecretString(cctest.DefaultClientSecret))
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(cfg.Auth, cfg.Scopes)

	settings.TokenURL, settings.Scopes = "http://as.example.com/token", []string{"read write"}
	_, err = settings.Config(ccclient.SecretString(cctest.DefaultClientSecret))
	fmt.Println(err)
	// Output:
	// client_secret_basic [read]
	// ccclient: invalid Settings: token_url: http:// beyond loopback would show the credentials to the network: use https, or set insecure_http to true
	// scopes: "read write" has a space: one scope an element
}
