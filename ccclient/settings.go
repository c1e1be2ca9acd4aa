package ccclient

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/internal/environ"
	"github.com/ccclient/go-ccclient/internal/faults"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// Settings are what of a [Config] can be written down as plain values, for programs that are configured by a file. Any
// decoder of JSON or YAML fills them in; whether unknown fields are an error is for that decoder to say
// ([json.Decoder.DisallowUnknownFields] and its like). [ConfigFromEnv] reads the same from the environment.
//
// They hold no secret, only where secrets are: EndpointParams is no place for one. Printing or logging them shows of
// EndpointParams the names only, and TokenURL without its query, where some servers take a key.
type Settings struct {
	// Issuer, TokenURL and ClientID are those of [Config]: exactly one of the first two, and the third, are required.
	Issuer   string `json:"issuer,omitempty" yaml:"issuer,omitempty"`
	TokenURL string `json:"token_url,omitempty" yaml:"token_url,omitempty"`
	ClientID string `json:"client_id,omitempty" yaml:"client_id,omitempty"`

	// AuthMethod is how the client authenticates, by a name that [AuthByName] knows. Empty: by what it is given to
	// authenticate with: client_secret_basic with a secret, private_key_jwt with a key or an assertion, tls_client_auth
	// with a certificate. With several of these it is required, and what it does not need is left alone.
	AuthMethod string `json:"auth_method,omitempty" yaml:"auth_method,omitempty"`

	// ClientSecretFile holds the client secret: see [SecretFile].
	ClientSecretFile string `json:"client_secret_file,omitempty" yaml:"client_secret_file,omitempty"`

	// PrivateKeyFile holds the key for private_key_jwt: see [KeyFile].
	PrivateKeyFile string `json:"private_key_file,omitempty" yaml:"private_key_file,omitempty"`

	// KeyID is the "kid" of assertions, by which the server finds the key. Empty: the one that a JWK names, if any.
	KeyID string `json:"key_id,omitempty" yaml:"key_id,omitempty"`

	// AssertionFile holds a ready JWT for private_key_jwt, such as a Kubernetes projected token: see [ClientAssertion].
	AssertionFile string `json:"assertion_file,omitempty" yaml:"assertion_file,omitempty"`

	// CertificateFile holds a client certificate with its chain, in PEM, for all connections, those of
	// [Client.HTTPClient] included; CertificateKeyFile holds its key. Empty: the key is in CertificateFile too.
	// The files are read when they are needed and, once a second at most, whether they have changed: a renewed
	// certificate needs no restart.
	CertificateFile    string `json:"certificate_file,omitempty" yaml:"certificate_file,omitempty"`
	CertificateKeyFile string `json:"certificate_key_file,omitempty" yaml:"certificate_key_file,omitempty"`

	// CAFile holds the CAs, in PEM, that alone are trusted, by all connections. It is read at once, and not again.
	// Empty: the system's CAs.
	CAFile string `json:"ca_file,omitempty" yaml:"ca_file,omitempty"`

	// The rest is as in [Config].
	Scopes         []string   `json:"scopes,omitempty" yaml:"scopes,omitempty"`
	Audience       string     `json:"audience,omitempty" yaml:"audience,omitempty"`
	Resources      []string   `json:"resources,omitempty" yaml:"resources,omitempty"`
	EndpointParams url.Values `json:"endpoint_params,omitempty" yaml:"endpoint_params,omitempty"`
	AllowedHosts   []string   `json:"allowed_hosts,omitempty" yaml:"allowed_hosts,omitempty"`
	InsecureHTTP   bool       `json:"insecure_http,omitempty" yaml:"insecure_http,omitempty"`
}

// Config returns the [Config] that s says, which [New] will take; what Settings have no field for can be set in it. Its
// TLS is set if CAFile or CertificateFile is, else nil. secret is where the client secret comes from,
// which need not be a file; nil: from ClientSecretFile.
//
// Of the files only CAFile is read now: the others may turn up later, and are read when a token is asked for. The error
// lists every fault at once, each with the name of its field as it is in JSON and YAML, and with what the field may be.
func (s Settings) Config(secret Secret) (Config, error) {
	var found faults.List
	r := reader{
		faults: &found, name: func(field string) string { return field },
		secret: secret, secretName: "the Secret", secretField: "client_secret_file",
	}
	cfg := r.config(s)
	if err := found.Err("invalid Settings"); err != nil {
		return Config{}, fmt.Errorf("ccclient: %w", err)
	}
	return cfg, nil
}

// ConfigFromEnv returns the [Config] that the environment says, as [Settings.Config] does: with the prefix "ORDERS_",
// ORDERS_ISSUER is Settings' issuer, and so on for each field, its name in capitals. Two more hold themselves what the
// variables with _FILE name files for: CLIENT_SECRET, and PRIVATE_KEY, in a form that [ParseKey] reads.
//
//	ISSUER or TOKEN_URL, CLIENT_ID               who is asked, and who asks
//	AUTH_METHOD                                  a name that [AuthByName] knows; see [Settings] for the default
//	CLIENT_SECRET or CLIENT_SECRET_FILE          what the client authenticates with
//	PRIVATE_KEY or PRIVATE_KEY_FILE, KEY_ID
//	ASSERTION_FILE
//	CERTIFICATE_FILE, CERTIFICATE_KEY_FILE
//	CA_FILE                                      whom connections trust
//	SCOPES, RESOURCES, ALLOWED_HOSTS             lists, by white space: a comma may be part of a scope
//	AUDIENCE
//	ENDPOINT_PARAMS                              form-encoded: tenant=north&trace=a%20b
//	INSECURE_HTTP                                true or false
//
// An empty variable counts as one that is not set. White space around a value does not count; of CLIENT_SECRET it does,
// but for one newline at its end. The environment is read now, and not again: only files rotate.
//
// A variable that has the prefix and is none of these is an error that names the nearest of them, so the prefix is
// to be this configuration's own. Without a prefix, only what looks like one of them that is not set is an error:
// CLIENTID, or SCOPE. The error lists every fault at once, each with the name of its variable and what that may be.
// It repeats no secret.
func ConfigFromEnv(prefix string) (Config, error) { return configFromEnv(prefix, os.Environ()) }

func configFromEnv(prefix string, variables []string) (Config, error) {
	e := environ.New(prefix, variables)
	r := reader{faults: &e.Faults, name: e.Name}
	s := Settings{
		Issuer:             e.Text("issuer"),
		TokenURL:           e.Text("token_url"),
		ClientID:           e.Text("client_id"),
		AuthMethod:         e.Text("auth_method"),
		ClientSecretFile:   e.Text("client_secret_file"),
		PrivateKeyFile:     e.Text("private_key_file"),
		KeyID:              e.Text("key_id"),
		AssertionFile:      e.Text("assertion_file"),
		CertificateFile:    e.Text("certificate_file"),
		CertificateKeyFile: e.Text("certificate_key_file"),
		CAFile:             e.Text("ca_file"),
		Scopes:             e.List("scopes"),
		Audience:           e.Text("audience"),
		Resources:          e.List("resources"),
		EndpointParams:     e.Form("endpoint_params"),
		AllowedHosts:       e.List("allowed_hosts"),
		InsecureHTTP:       e.Flag("insecure_http"),
	}
	r.secretName, r.secretField, r.keyName = e.Name("client_secret"), e.Name("client_secret"), e.Name("private_key")
	if secret := e.Secret("client_secret"); secret != "" {
		r.secret = SecretString(secret)
	}
	if key := e.Text("private_key"); key != "" {
		r.key = KeyFrom(SecretString(key))
		if _, err := r.key(context.Background()); err != nil {
			e.Faults.AddError(r.keyName, fmt.Errorf("%w: it is to be a private key in PEM, or a JWK", err))
		}
	}
	cfg := r.config(s)
	e.Unknown()
	if err := e.Faults.Err("invalid environment"); err != nil {
		return Config{}, fmt.Errorf("ccclient: %w", err)
	}
	return cfg, nil
}

// printed are Settings as they may be shown: a type without Format.
type printed Settings

func (s Settings) printed() printed {
	s.TokenURL, s.Issuer = redact.WithoutQuery(s.TokenURL), redact.WithoutQuery(s.Issuer)
	if s.EndpointParams != nil {
		names := make(url.Values, len(s.EndpointParams))
		for name := range s.EndpointParams {
			names[name] = []string{redact.Redacted}
		}
		s.EndpointParams = names
	}
	return printed(s)
}

// Format prints s, of EndpointParams the names only, whatever the verb.
func (s Settings) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "ccclient.Settings%+v", s.printed()) }

// LogValue returns what Format prints.
func (s Settings) LogValue() slog.Value { return slog.AnyValue(s.printed()) }

// FromOAuth2 returns the Config for what a program has configured for golang.org/x/oauth2/clientcredentials. It is to
// be completed, and [New] says what is wrong with it. AuthStyleAutoDetect becomes [ClientSecretBasic], which every
// server must support and x/oauth2 tries first: no method is probed, and the error of a server that refuses it says so.
// Its secret is the one that c holds now. Nil is the zero Config.
func FromOAuth2(c *clientcredentials.Config) Config {
	if c == nil {
		return Config{}
	}
	cfg := Config{
		TokenURL:       c.TokenURL,
		ClientID:       c.ClientID,
		Scopes:         strings.Fields(strings.Join(c.Scopes, " ")),
		EndpointParams: maps.Clone(c.EndpointParams),
	}
	for name, values := range cfg.EndpointParams {
		cfg.EndpointParams[name] = slices.Clone(values)
	}
	switch secret := SecretString(c.ClientSecret); c.AuthStyle {
	case oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader:
		cfg.Auth = ClientSecretBasic(secret)
	case oauth2.AuthStyleInParams:
		cfg.Auth = ClientSecretPost(secret)
	}
	return cfg
}
