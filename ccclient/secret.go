package ccclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ccclient/go-ccclient/internal/redact"
)

// A Secret returns a client's current secret. It is asked at each token request, never for a cached token, so a secret
// that rotates needs no restart. An error or an empty secret fails the token request; a token that is still alive goes
// on being used.
//
// A Secret must be safe for concurrent use and should heed ctx, but not choose by it for whom it answers: the token is
// handed to all. Any function will do: one that asks a vault, for
// instance.
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
			return "", fmt.Errorf("secret: environment variable %s is not set", name)
		case s == "":
			return "", fmt.Errorf("secret: environment variable %s is empty", name)
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
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("%s %s: larger than %d bytes", what, path, maxFile)
	}
	if rest, ok := bytes.CutSuffix(b, []byte("\n")); ok {
		b = bytes.TrimSuffix(rest, []byte("\r"))
	}
	if len(b) == 0 {
		return "", fmt.Errorf("%s %s: empty", what, path)
	}
	return string(b), nil
}

var (
	errNoSecret    = errors.New("no Secret was given")
	errEmptySecret = errors.New("the secret is empty")
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
