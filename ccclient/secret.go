package ccclient

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/ccclient/go-ccclient/internal/fingerprint"
	"github.com/ccclient/go-ccclient/internal/privatekey"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// A Secret returns a client's current secret. It is asked at each token request, never for a cached token, so a secret
// that rotates needs no restart. An error or an empty secret fails the token request; a token that is still alive goes
// on being used.
//
// A Secret must be safe for concurrent use and should heed ctx, but not choose by it for whom it answers: the token is
// handed to all. Any function will do: one that asks a vault, for instance.
type Secret func(ctx context.Context) (string, error)

// SecretString returns s itself, for a secret that the program already has.
func SecretString(s string) Secret {
	return func(context.Context) (string, error) { return s, nil }
}

// SecretFile returns what the file at path holds, less one trailing newline ("\n" or "\r\n"). The file is read at each
// token request: that is seldom, and no comparison of times or inodes notices every way in which a file is replaced
// (rename, rewrite, Kubernetes' swapped symlinks) as surely. An empty file, or one larger than 64 KiB, is an error.
func SecretFile(path string) Secret {
	return func(context.Context) (string, error) { return readFile("secret file", path) }
}

// SecretEnv returns the value of the environment variable name, as it is at each token request. A variable that is
// unset or empty is an error.
func SecretEnv(name string) Secret {
	return func(context.Context) (string, error) {
		s, ok := os.LookupEnv(name)
		switch {
		case !ok:
			return "", &unconfigured{fmt.Errorf("secret: environment variable %s is not set", name)}
		case s == "":
			return "", &unconfigured{fmt.Errorf("secret: environment variable %s is empty", name)}
		}
		return s, nil
	}
}

// maxFile bounds what is read of a file: no secret, key or assertion is larger, and a path that names something else
// should not fill the memory.
const maxFile = 64 << 10

// readFile returns what the file at path holds, less one trailing newline. Its errors begin with what it is to hold.
func readFile(what, path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", &unconfigured{fmt.Errorf("%s: %w", what, err)}
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if len(b) > maxFile {
		return "", &unconfigured{fmt.Errorf("%s %s: larger than %d bytes", what, path, maxFile)}
	}
	if rest, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		b = bytes.TrimSuffix(rest, []byte("\r"))
	}
	if len(b) == 0 {
		return "", &unconfigured{fmt.Errorf("%s %s: empty", what, path)}
	}
	return string(b), nil
}

// An unconfigured error says that a secret, a key or an assertion is not where the configuration has it: somebody has
// to put it there, and time alone does not.
type unconfigured struct{ error }

func (e *unconfigured) Unwrap() error { return e.error }

var (
	errNoSecret    error = &unconfigured{errors.New("no Secret was given")}
	errEmptySecret error = &unconfigured{errors.New("the secret is empty")}
)

// get asks s, which may be nil, and insists on an answer.
func (s Secret) get(ctx context.Context) (string, error) {
	if s == nil {
		return "", errNoSecret
	}
	secret, err := s(ctx)
	switch {
	case err != nil:
		return "", redact.New(secret).Scrub(err) // which may repeat what came with it
	case secret == "":
		return "", errEmptySecret
	}
	return secret, nil
}

// A Key is a private key and what goes with it. However it is printed, logged or encoded, its ID is all that shows.
type Key struct {
	Signer      crypto.Signer
	ID          string            // the "kid" by which the server knows it; may be empty
	Algorithm   string            // the one it is meant for ("PS256"); empty: see [AssertionOptions]
	Certificate *x509.Certificate // of the key, for servers that find it by x5t#S256; may be nil
}

// String returns the key's ID.
func (k Key) String() string { return k.ID }

// Format prints the key's ID, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { io.WriteString(s, k.ID) }

// MarshalText returns the key's ID, to encoding/json and its like.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.ID), nil }

// LogValue returns the key's ID.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.ID) }

// A KeySource returns a client's current private key. It is asked at each token request, never for a cached token, must
// be safe for concurrent use and should heed ctx. [KeyFile] and [KeyFrom] make one; any function will do.
type KeySource func(ctx context.Context) (Key, error)

// KeyFile makes a source of the file at path, which holds a key in a form that [ParseKey] reads. The file is read at
// each token request, as with [SecretFile], and parsed when it has changed. A file larger than 64 KiB is an error.
func KeyFile(path string) KeySource {
	return KeyFrom(func(context.Context) (string, error) { return readFile("key file", path) })
}

// KeyFrom makes a source of a Secret that returns a key in a form that [ParseKey] reads: from a vault, for instance. It
// is parsed when it has changed. Without a Secret there is no source, which [New] reports.
func KeyFrom(s Secret) KeySource {
	if s == nil {
		return nil
	}
	var mu sync.Mutex // guards what was parsed last: an RSA key takes long to check
	var last fingerprint.Print
	var parsed func() Key
	return func(ctx context.Context) (Key, error) {
		text, err := s.get(ctx)
		if err != nil {
			return Key{}, err
		}
		latest := fingerprint.Of(text)
		mu.Lock()
		defer mu.Unlock()
		if parsed == nil || latest != last {
			key, err := parseKey([]byte(text))
			if err != nil {
				return Key{}, err
			}
			last, parsed = latest, func() Key { return key }
		}
		return parsed(), nil
	}
}

// ParseKey reads a private key for [PrivateKeyJWT] or Config.DPoPKey: PEM (PKCS #8, PKCS #1 or SEC 1, with certificates
// beside it if need be), a JWK, or a JWK Set of one key. The ID and the Algorithm are those that a JWK names; the
// Certificate is the key's own, if it stands beside the key in PEM or in a JWK's x5c.
//
// The errors say what the data is if not that: encrypted, a certificate or a public key, too short, on a curve that is
// not supported, several keys. None repeats any of the data.
func ParseKey(data []byte) (Key, error) {
	key, err := parseKey(data)
	if err != nil {
		return Key{}, fmt.Errorf("ccclient: private key: %w", err)
	}
	return key, nil
}

func parseKey(data []byte) (Key, error) {
	key, err := privatekey.Parse(data)
	return Key(key), err
}
