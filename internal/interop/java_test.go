//go:build java

package interop_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// javaLifetime is that of tokens of the servers in Java: at first these take their time.
const javaLifetime = 60 * time.Second

// The servers in Java, which need what java.sh installs, and a minute to start.
var springServer, keycloak *server

func init() {
	starters = append(starters,
		starter{"Spring", &springServer, startSpring},
		starter{"Keycloak", &keycloak, startKeycloak})
}

// A jvm is a server in Java, running.
type jvm struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   strings.Builder
}

func startJVM(cmd *exec.Cmd, settings any, probe string) (*jvm, error) {
	j := &jvm{cmd: cmd}
	cmd.Stdout, cmd.Stderr = &j.out, &j.out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	j.stdin = stdin
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: run internal/interop/java.sh", err)
	}
	if err := json.NewEncoder(stdin).Encode(settings); err != nil {
		j.stop()
		return nil, err
	}
	for range 1800 {
		resp, err := http.Get(probe)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return j, nil
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	j.stop()
	return nil, fmt.Errorf("%s: no answer at %s:\n%s", cmd, probe, j.out.String())
}

func (j *jvm) stop() {
	j.stdin.Close()
	syscall.Kill(-j.cmd.Process.Pid, syscall.SIGKILL)
	j.cmd.Wait()
}

// freePort gives a port that nobody listens to at this moment.
func freePort() int {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// serveKeys serves key sets, by name.
func serveKeys(sets map[string]any) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(sets[strings.TrimPrefix(r.URL.Path, "/")])
	}))
}

// warm asks for tokens until one comes quickly: the first take a JVM seconds.
func (s *server) warm() error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"post"}, "client_secret": {plainSecret}}
	for range 100 {
		began := time.Now()
		resp, err := http.PostForm(s.tokenURL, form)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && time.Since(began) < time.Second {
				return nil
			}
		}
		time.Sleep(time.Second)
	}
	return errors.New("no token came within a second")
}

// introspected is an api whose tokens are introspected at a server.
func introspected(endpoint, id, secret string) *api {
	return &api{check: func(token string) (string, bool) {
		form := url.Values{"token": {token}}.Encode()
		req := must(http.NewRequest(http.MethodPost, endpoint, strings.NewReader(form)))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth(id, secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", false
		}
		defer resp.Body.Close()
		var said struct {
			Active   bool
			ClientID string `json:"client_id"`
		}
		return said.ClientID, json.NewDecoder(resp.Body).Decode(&said) == nil && said.Active
	}}
}

// tlsFiles writes the server's certificate and key, and the CA of clients.
func tlsFiles() (folder string, err error) {
	folder, err = os.MkdirTemp("", "interop")
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"certificate.pem": certPEM(serverCert), "key.pem": keyPEM(serverCert), "ca.pem": certPEM(ca) + certPEM(selfSigned),
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	return folder, err
}

// common gives the cells of methods that both servers know.
func common(s *server, mtls string, scopes []string, special string) map[string]cell {
	with := func(id string, auth ccclient.Auth, change ...func(*ccclient.Config)) cell {
		c := cell{config: ccclient.Config{Issuer: s.issuer, ClientID: id, Auth: auth, Scopes: scopes}}
		for _, f := range change {
			f(&c.config)
		}
		return c
	}
	plain, odd := ccclient.SecretString(plainSecret), ccclient.SecretString(specialSecret)
	none := ccclient.AssertionOptions{Type: "JWT"}
	return map[string]cell{
		"client_secret_basic":                     with("basic", ccclient.ClientSecretBasic(plain)),
		"client_secret_basic, special characters": with(special, ccclient.ClientSecretBasic(odd)),
		"client_secret_post":                      with("post", ccclient.ClientSecretPost(plain)),
		"client_secret_post, special characters":  with(special+" post", ccclient.ClientSecretPost(odd)),
		"client_secret_jwt":                       with("jwt", ccclient.ClientSecretJWT(plain, none)),
		"private_key_jwt RS256":                   with("rs256", ccclient.PrivateKeyJWT(rsaKey, ccclient.AssertionOptions{KeyID: "rs256", Type: "JWT"})),
		"private_key_jwt PS256": with("ps256", ccclient.PrivateKeyJWT(rsaKey,
			ccclient.AssertionOptions{KeyID: "ps256", Algorithm: "PS256", Type: "JWT"})),
		"private_key_jwt ES256": with("es256", ccclient.PrivateKeyJWT(ecKey, ccclient.AssertionOptions{KeyID: "es256", Type: "JWT"})),
		"private_key_jwt, opaque signer": with("es256", ccclient.PrivateKeyJWT(opaqueSigner{ecKey},
			ccclient.AssertionOptions{KeyID: "es256", Type: "JWT"})),
		"client assertion made elsewhere": with("es256", ccclient.ClientAssertion(assertion("es256", ecKey, s.issuer))),
		"tls_client_auth, token not bound": with("pki", ccclient.TLSClientAuth(), func(c *ccclient.Config) {
			chain := *clientCert // Spring takes a certificate alone for self-signed
			chain.Certificate = append(chain.Certificate[:1:1], ca.Certificate...)
			c.Issuer, c.TokenURL, c.TLS = "", mtls, clientTLS(&chain)
		}),
		"DPoP ES256": with("dpop", ccclient.ClientSecretBasic(plain), func(c *ccclient.Config) { c.DPoPKey = dpopECKey }),
		"DPoP PS256": with("dpop", ccclient.ClientSecretBasic(plain), func(c *ccclient.Config) { c.DPoPKey = dpopRSAKey }),
	}
}

func startSpring() (*server, func(), error) {
	folder, err := tlsFiles()
	if err != nil {
		return nil, nil, err
	}
	keys := serveKeys(map[string]any{
		"rs256": jwks(jwk(rsaKey, "rs256")), "ps256": jwks(jwk(rsaKey, "ps256")), "es256": jwks(jwk(ecKey, "es256")),
		"self": jwks(certJWK(selfSigned)),
	})
	port, tlsPort := freePort(), freePort()
	client := func(id, method string, more ...string) map[string]any {
		c := map[string]any{"id": id, "method": method}
		for i := 0; i < len(more); i += 2 {
			c[more[i]] = more[i+1]
		}
		return c
	}
	settings := map[string]any{
		"port": port, "tlsPort": tlsPort, "lifetime": int(javaLifetime / time.Second),
		"certificate": filepath.Join(folder, "certificate.pem"), "key": filepath.Join(folder, "key.pem"),
		"clients": []map[string]any{
			client("basic", "client_secret_basic", "secret", plainSecret),
			client(specialID, "client_secret_basic", "secret", specialSecret),
			client("post", "client_secret_post", "secret", plainSecret),
			client(specialID+" post", "client_secret_post", "secret", specialSecret),
			client("jwt", "client_secret_jwt", "secret", plainSecret, "alg", "HS256"),
			client("rs256", "private_key_jwt", "jwks", keys.URL+"/rs256", "alg", "RS256"),
			client("ps256", "private_key_jwt", "jwks", keys.URL+"/ps256", "alg", "PS256"),
			client("es256", "private_key_jwt", "jwks", keys.URL+"/es256", "alg", "ES256"),
			client("pki", "tls_client_auth", "dn", "CN="+clientDNSName),
			client("self", "self_signed_tls_client_auth", "jwks", keys.URL+"/self"),
			client("dpop", "client_secret_basic", "secret", plainSecret),
			client("refresher", "client_secret_basic", "secret", plainSecret, "grant", "refresh_token"),
		},
	}
	issuer := "http://127.0.0.1:" + strconv.Itoa(port)
	j, err := startJVM(exec.Command("java", "-jar", "java/spring/target/spring-1.jar"), settings,
		issuer+"/.well-known/oauth-authorization-server")
	if err != nil {
		return nil, nil, err
	}
	protected := introspected(issuer+"/oauth2/introspect", "basic", plainSecret)
	ts := httptest.NewServer(protected)
	s := &server{issuer: issuer, tokenURL: issuer + "/oauth2/token", api: ts.URL + "/api"}
	s.mtls = "https://127.0.0.1:" + strconv.Itoa(tlsPort) + "/oauth2/token"
	s.revoke = func(token string) error { protected.deny(token); return nil }
	s.cells = common(s, s.mtls, []string{"read"}, specialID)
	s.cells["self_signed_tls_client_auth, bound"] = cell{
		config: ccclient.Config{
			TokenURL: s.mtls, ClientID: "self", Auth: ccclient.TLSClientAuth(), TLS: clientTLS(selfSigned),
			Scopes: []string{"read"},
		},
		note: "not bound",
	}
	s.lacks("no EdDSA", "private_key_jwt Ed", "DPoP EdDSA")
	s.lacks("no nonces", "DPoP")
	s.lacks("not tried: bound to certificates", "tls_client_auth", "private_key_jwt, certificate-bound")
	s.lacks("no RFC 8707", "resource indicator")
	return s, func() { ts.Close(); keys.Close(); j.stop(); os.RemoveAll(folder) }, s.warm()
}

func startKeycloak() (*server, func(), error) {
	folder, err := tlsFiles()
	if err != nil {
		return nil, nil, err
	}
	homes := must(filepath.Glob("java/keycloak-*"))
	if len(homes) == 0 {
		return nil, nil, errors.New("not there: run internal/interop/java.sh")
	}
	client := func(id, authenticator, secret string, attributes map[string]string) map[string]any {
		return map[string]any{
			"clientId": id, "clientAuthenticatorType": authenticator, "secret": secret, "publicClient": false,
			"standardFlowEnabled": false, "serviceAccountsEnabled": id != "grantless", "attributes": attributes,
		}
	}
	signed := func(id, alg string, set any) map[string]any {
		return client(id, "client-jwt", "", map[string]string{
			"use.jwks.string": "true", "jwks.string": string(must(json.Marshal(set))),
			"token.endpoint.auth.signing.alg": alg,
		})
	}
	realm := map[string]any{
		"realm": "interop", "enabled": true, "sslRequired": "none", "accessTokenLifespan": int(javaLifetime / time.Second),
		"clients": []map[string]any{
			client("basic", "client-secret", plainSecret, nil),
			client(specialID, "client-secret", specialSecret, nil),
			client("post", "client-secret", plainSecret, nil),
			client(specialID+" post", "client-secret", specialSecret, nil),
			client("jwt", "client-secret-jwt", plainSecret, nil),
			client("grantless", "client-secret", plainSecret, nil),
			signed("rs256", "RS256", jwks(jwk(rsaKey, "rs256"))),
			signed("ps256", "PS256", jwks(jwk(rsaKey, "ps256"))),
			signed("es256", "ES256", jwks(jwk(ecKey, "es256"))),
			signed("ed25519", "EdDSA", jwks(jwk(edKey, "ed25519"))),
			client("pki", "client-x509", "", map[string]string{"x509.subjectdn": "CN=" + clientDNSName}),
			client("dpop", "client-secret", plainSecret, map[string]string{"dpop.bound.access.tokens": "true"}),
		},
	}
	home := homes[0]
	data := filepath.Join(home, "data")
	err = errors.Join(os.RemoveAll(data), os.MkdirAll(filepath.Join(data, "import"), 0o700),
		os.WriteFile(filepath.Join(data, "import", "realm.json"), must(json.Marshal(realm)), 0o600))
	if err != nil {
		return nil, nil, err
	}
	port, tlsPort := strconv.Itoa(freePort()), strconv.Itoa(freePort())
	cmd := exec.CommandContext(context.Background(), filepath.Join(home, "bin", "kc.sh"), "start-dev", "--import-realm",
		"--http-host=127.0.0.1", "--http-port="+port, "--https-port="+tlsPort, "--hostname=http://127.0.0.1:"+port,
		"--https-certificate-file="+filepath.Join(folder, "certificate.pem"),
		"--https-certificate-key-file="+filepath.Join(folder, "key.pem"),
		"--https-client-auth=request", "--truststore-paths="+filepath.Join(folder, "ca.pem"))
	issuer := "http://127.0.0.1:" + port + "/realms/interop"
	j, err := startJVM(cmd, nil, issuer+"/.well-known/openid-configuration")
	if err != nil {
		return nil, nil, err
	}
	const endpoint = "/protocol/openid-connect/token"
	protected := introspected(issuer+endpoint+"/introspect", "basic", plainSecret)
	ts := httptest.NewServer(protected)
	s := &server{issuer: issuer, tokenURL: issuer + endpoint, api: ts.URL + "/api"}
	s.mtls = "https://127.0.0.1:" + tlsPort + "/realms/interop" + endpoint
	s.revoke = func(token string) error { protected.deny(token); return nil }
	s.cells = common(s, s.mtls, nil, specialID)
	s.cells["private_key_jwt EdDSA"] = cell{config: ccclient.Config{
		Issuer: issuer, ClientID: "ed25519",
		Auth: ccclient.PrivateKeyJWT(edKey, ccclient.AssertionOptions{KeyID: "ed25519"}),
	}}
	s.lacks("EdDSA by that name", "private_key_jwt Ed25519")
	s.lacks("no nonces", "DPoP ES256, nonces", "DPoP, private_key_jwt, nonces")
	eddsa := s.cells["DPoP ES256"]
	eddsa.config.DPoPKey = dpopEd
	s.cells["DPoP EdDSA"] = eddsa
	s.lacks("no self-signed certificates", "self_signed_tls_client_auth")
	s.lacks("not tried: bound to certificates", "tls_client_auth", "private_key_jwt, certificate-bound")
	s.lacks("no RFC 8707", "resource indicator")
	return s, func() { ts.Close(); j.stop(); os.RemoveAll(folder) }, s.warm()
}

// TestRefusalsOfTheServersInJava asks for what they refuse, as TestRefusalsAreNamedAndExplained does.
func TestRefusalsOfTheServersInJava(t *testing.T) {
	need(t, springServer, keycloak)
	wrong, newline := ccclient.SecretString("not the secret, and long enough"), ccclient.SecretString(plainSecret+"\n")
	plain, none := ccclient.SecretString(plainSecret), ccclient.AssertionOptions{Type: "JWT"}
	rs384 := ccclient.PrivateKeyJWT(rsaKey, ccclient.AssertionOptions{KeyID: "rs256", Type: "JWT", Algorithm: "RS384"})
	expired := issueUntil("expired.client.example", ca, time.Now().Add(-time.Hour))
	path := func(url, id string, auth ccclient.Auth, certs ...*tls.Certificate) ccclient.Config {
		c := ccclient.Config{TokenURL: url, ClientID: id, Auth: auth}
		if len(certs) > 0 {
			c.TLS = clientTLS(certs...)
		}
		return c
	}
	basic, badBasic := ccclient.ClientSecretBasic(plain), ccclient.ClientSecretBasic(wrong)
	typed, untyped := ccclient.PrivateKeyJWT(ecKey, none), ccclient.PrivateKeyJWT(ecKey, ccclient.AssertionOptions{})
	padded, mtls := ccclient.ClientSecretPost(newline), ccclient.TLSClientAuth()
	unscoped := at(springServer, "basic", basic)
	unscoped.Scopes = []string{"write"}
	certs := strings.Replace(keycloak.tokenURL, "/token", "/certs", 1) // takes GET alone
	noRealm := ccclient.Config{Issuer: keycloak.issuer + "s", ClientID: "basic", Auth: basic}
	for name, test := range map[string]struct {
		config ccclient.Config
		say    string
	}{
		"Spring, wrong secret":     {at(springServer, "basic", badBasic), "check ClientID and the secret"},
		"Spring, newline":          {at(springServer, "post", padded), "ends in white space"},
		"Spring, other grant":      {at(springServer, "refresher", basic), "allow grant_type"},
		"Spring, algorithm":        {at(springServer, "rs256", rs384), "AssertionOptions.Algorithm"},
		"Spring, type":             {at(springServer, "es256", untyped), "AssertionOptions.Type"},
		"Spring, other path":       {path(springServer.issuer+"/tokens", "basic", basic), "set TokenURL"},
		"Spring, chain":            {path(springServer.mtls, "pki", mtls, clientCert), "without its chain"},
		"Spring, expired":          {path(springServer.mtls, "pki", mtls, expired), "expired at"},
		"Spring, scope":            {unscoped, "write"},
		"Keycloak, wrong secret":   {at(keycloak, "basic", badBasic), "check ClientID and the secret"},
		"Keycloak, newline":        {at(keycloak, "post", padded), "ends in white space"},
		"Keycloak, other grant":    {at(keycloak, "grantless", basic), "allow grant_type"},
		"Keycloak, algorithm":      {at(keycloak, "rs256", rs384), "AssertionOptions.Algorithm"},
		"Keycloak, unknown client": {at(keycloak, "nobody", basic), "check ClientID and the secret"},
		"Keycloak, no proof":       {at(keycloak, "dpop", basic), "set DPoPKey"},
		"Keycloak, other path":     {path(keycloak.tokenURL+"s", "basic", basic), "check TokenURL"},
		"Keycloak, GET only":       {path(certs, "basic", basic), "check TokenURL"},
		"Keycloak, realm":          {noRealm, "set TokenURL in place of Issuer"},
		"Keycloak, assertion":      {at(keycloak, "basic", typed), "private_key_jwt was refused"},
		"Keycloak, expired":        {path(keycloak.mtls, "pki", mtls, expired), "expired at"},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := ccclient.New(test.config)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_, err = client.Token(t.Context())
			e, ok := errors.AsType[*ccclient.Error](err)
			if !ok || !strings.Contains(e.Hint, test.say) || e.Attempts > 1 {
				t.Errorf("%v\nwant a hint with %q", err, test.say)
			}
		})
	}
}

// at gives a configuration for a client of a server.
func at(s *server, id string, auth ccclient.Auth) ccclient.Config {
	return ccclient.Config{Issuer: s.issuer, ClientID: id, Auth: auth}
}
