package ccclient_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

func TestSecretFileLosesOneTrailingNewline(t *testing.T) {
	tests := map[string]string{
		"secret":         "secret",
		"secret\n":       "secret",
		"secret\r\n":     "secret",
		"secret\n\n":     "secret\n",
		"secret\r":       "secret\r",
		" se cret \n":    " se cret ",
		"a\nb\n":         "a\nb",
		"\xff\x00\xfe\n": "\xff\x00\xfe",
		"\r":             "\r",
	}
	path := filepath.Join(t.TempDir(), "secret")
	secret := ccclient.SecretFile(path)
	for content, want := range tests {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := secret(t.Context()); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", content, got, err, want)
		}
	}
}

func TestSecretFileThatHoldsNoSecretIsAnErrorNamingIt(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{
		write("empty", ""),
		write("newline", "\n"),
		write("crlf", "\r\n"),
		write("large", strings.Repeat("canary", 64<<10)),
		filepath.Join(dir, "missing"),
		dir,
	} {
		got, err := ccclient.SecretFile(path)(t.Context())
		if err == nil || got != "" || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %q, %v", filepath.Base(path), got, err)
		}
	}
}

func TestSecretFileIsReadAgainHoweverItIsReplaced(t *testing.T) {
	dir := t.TempDir()
	path, next := filepath.Join(dir, "secret"), filepath.Join(dir, "next")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	secret := ccclient.SecretFile(path)
	expect := func(want string) {
		t.Helper()
		if got, err := secret(t.Context()); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	must(os.WriteFile(path, []byte("one"), 0o600))
	expect("one")
	must(os.WriteFile(next, []byte("two"), 0o600))
	must(os.Rename(next, path))
	expect("two")
	// Rewritten in place, with the same size and time.
	info, err := os.Stat(path)
	must(err)
	must(os.WriteFile(path, []byte("six"), 0o600))
	must(os.Chtimes(path, info.ModTime(), info.ModTime()))
	expect("six")
	must(os.Remove(path))
	if _, err := secret(t.Context()); err == nil {
		t.Error("a removed file still gives a secret")
	}
}

func TestSecretInTheEnvironmentIsReadEachTime(t *testing.T) {
	const name = "CCCLIENT_TEST_SECRET"
	secret := ccclient.SecretEnv(name)
	t.Setenv(name, "one")
	if got, err := secret(t.Context()); err != nil || got != "one" {
		t.Errorf("got %q, %v", got, err)
	}
	t.Setenv(name, "two")
	if got, _ := secret(t.Context()); got != "two" {
		t.Errorf("got %q after a change", got)
	}
	t.Setenv(name, "")
	if _, err := secret(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("empty: %v", err)
	}
	if err := os.Unsetenv(name); err != nil {
		t.Fatal(err)
	}
	if _, err := secret(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("unset: %v", err)
	}
}

func TestErrorOfSecretDoesNotRepeatIt(t *testing.T) {
	const secret = "canary-of-a-secret-4711"
	broken := errors.New("broken")
	for name, tell := range map[string]func() error{
		"quoted":   func() error { return fmt.Errorf("the vault answers %q", secret) },
		"in hex":   func() error { return fmt.Errorf("the vault answers %x", secret) },
		"in parts": func() error { return fmt.Errorf("%w: %s…%s", broken, secret[:9], secret[9:]) },
		"silent":   func() error { return broken },
	} {
		auth := ccclient.ClientSecretPost(func(context.Context) (string, error) { return secret, tell() })
		_, err := auth.Authenticate(t.Context(), ccclient.Request{ClientID: "client"})
		if err == nil || strings.Contains(err.Error(), secret[:8]) || strings.Contains(err.Error(), "63616e617279") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "silent" && !errors.Is(err, broken) {
			t.Errorf("%v is no %v", err, broken)
		}
	}
}
