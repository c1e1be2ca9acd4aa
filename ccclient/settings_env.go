package ccclient

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

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

func configFromEnv(prefix string, environ []string) (Config, error) {
	e := newEnvironment(prefix, environ)
	r := &e.reader
	s := Settings{
		Issuer:             e.text("issuer"),
		TokenURL:           e.text("token_url"),
		ClientID:           e.text("client_id"),
		AuthMethod:         e.text("auth_method"),
		ClientSecretFile:   e.text("client_secret_file"),
		PrivateKeyFile:     e.text("private_key_file"),
		KeyID:              e.text("key_id"),
		AssertionFile:      e.text("assertion_file"),
		CertificateFile:    e.text("certificate_file"),
		CertificateKeyFile: e.text("certificate_key_file"),
		CAFile:             e.text("ca_file"),
		Scopes:             e.list("scopes"),
		Audience:           e.text("audience"),
		Resources:          e.list("resources"),
		EndpointParams:     e.params("endpoint_params"),
		AllowedHosts:       e.list("allowed_hosts"),
		InsecureHTTP:       e.flag("insecure_http"),
	}
	r.secret, r.key = e.secret("client_secret"), e.key("private_key")
	r.secretName, r.secretField, r.keyName = e.name("client_secret"), e.name("client_secret"), e.name("private_key")
	cfg := r.config(s)
	e.unknown()
	if err := e.err("invalid environment"); err != nil {
		return Config{}, fmt.Errorf("ccclient: %w", err)
	}
	return cfg, nil
}

// An environment is read variable by variable. What is asked for is known; anything else with the prefix is a fault.
type environment struct {
	reader
	prefix string
	values map[string]string // of variables with the prefix, by their whole name
	known  []string          // the names that were asked for
}

func newEnvironment(prefix string, environ []string) *environment {
	e := &environment{prefix: prefix, values: make(map[string]string)}
	e.reader.name = func(field string) string { return prefix + strings.ToUpper(field) }
	for _, variable := range environ {
		if name, value, ok := strings.Cut(variable, "="); ok && name != "" && strings.HasPrefix(name, prefix) {
			e.values[name] = value
		}
	}
	return e
}

// value returns a variable as it is; empty if it is not set.
func (e *environment) value(field string) (name, value string) {
	name = e.name(field)
	e.known = append(e.known, name)
	return name, e.values[name]
}

func (e *environment) text(field string) string {
	_, value := e.value(field)
	return strings.TrimSpace(value)
}

func (e *environment) list(field string) []string {
	_, value := e.value(field)
	if list := strings.Fields(value); len(list) > 0 {
		return list
	}
	return nil
}

func (e *environment) flag(field string) bool {
	name, value := e.value(field)
	value = strings.TrimSpace(value)
	if value == "" {
		return false
	}
	set, err := strconv.ParseBool(value)
	if err != nil {
		e.add(name, "neither true nor false: set it to one of the two")
	}
	return set
}

// params reads a form. Its errors repeat nothing of it: a parameter may be a key to something.
func (e *environment) params(field string) url.Values {
	name, value := e.value(field)
	value = strings.TrimSpace(value)
	if value == "" {
		return nil
	}
	const remedy = "it is to be name=value&name=value, with anything special percent-encoded"
	if strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' }) {
		e.add(name, "has white space in it: %s", remedy)
		return nil
	}
	for part := range strings.SplitSeq(value, "&") {
		if part != "" && !strings.Contains(part, "=") {
			e.add(name, `has a parameter without "=": %s`, remedy)
			return nil
		}
	}
	params, err := url.ParseQuery(value)
	if err != nil { // its text has part of the value
		e.add(name, "is not form-encoded: %s", remedy)
		return nil
	}
	return params
}

// secret returns a variable that is a secret, less the newline that a secret from a file may end with; nil if there is
// none.
func (e *environment) secret(field string) Secret {
	_, value := e.value(field)
	if rest, ok := strings.CutSuffix(value, "\n"); ok {
		value = strings.TrimSuffix(rest, "\r")
	}
	if value == "" {
		return nil
	}
	return SecretString(value)
}

// key returns a variable that is a private key; nil if there is none.
func (e *environment) key(field string) KeySource {
	name, value := e.value(field)
	if strings.TrimSpace(value) == "" {
		return nil
	}
	source := KeyFrom(SecretString(value))
	if _, err := source(context.Background()); err != nil {
		e.of(name, fmt.Errorf("%w: it is to be a private key in PEM, or a JWK", err))
	}
	return source
}

// unknown finds variables that nobody asked for: with a prefix all that have it, without one those that look like a
// known one which is not set.
func (e *environment) unknown() {
	var names []string
	for name := range e.values {
		if !slices.Contains(e.known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		nearest, far := e.nearest(name)
		switch {
		case e.prefix != "":
			e.add(printable(name), "unknown: the nearest known variable is %s, and every variable with the prefix %s has to "+
				"be known", nearest, printable(e.prefix))
		case far <= 1 && e.values[nearest] == "":
			e.add(printable(name), "unknown: rename it to %s, or set that too if this one is for something else", nearest)
		}
	}
}

// nearest returns the known name that is most like name, and how far that is: by what follows the prefix, in capitals
// and without underscores.
func (e *environment) nearest(name string) (nearest string, far int) {
	for _, known := range e.known {
		if d := distance(plain(name[len(e.prefix):]), plain(known[len(e.prefix):])); nearest == "" || d < far {
			nearest, far = known, d
		}
	}
	return nearest, far
}

func plain(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "_", "")) }

// maxCompared bounds the length of the names that are compared, in bytes: no known one is longer.
const maxCompared = 64

// distance returns how many bytes are to be added, left out, replaced or swapped with their neighbour to make b of a.
func distance(a, b string) int {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(last[j]+cost, last[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}

// printable returns a variable's name as it may be shown, which others may have set.
func printable(name string) string {
	if len(name) > maxCompared {
		name = name[:maxCompared] + "…"
	}
	return strings.Trim(strconv.QuoteToASCII(name), `"`)
}
