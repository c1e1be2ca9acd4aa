//go:build unix

package ccclient_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// Kubernetes mounts a Secret as links: secret -> ..data/secret, and ..data -> a directory that is replaced as a whole.
func TestFileThatKubernetesSwapsEndsTheCoolDown(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.Symlink(filepath.Join("..data", "secret"), path); err != nil {
		t.Fatal(err)
	}
	write := func(version, secret string) {
		t.Helper()
		if err := errors.Join(
			os.MkdirAll(filepath.Join(dir, version), 0o700),
			os.WriteFile(filepath.Join(dir, version, "secret"), []byte(secret+"\n"), 0o600),
			os.Symlink(version, filepath.Join(dir, "next")),
			os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "..data")),
		); err != nil {
			t.Fatal(err)
		}
	}
	write("v1", "wrong")
	configure := func(cfg *ccclient.Config) {
		cfg.Auth = ccclient.ClientSecretBasic(ccclient.SecretFile(path))
	}
	inBubble(t, cctest.Options{}, configure, func(t *testing.T, r *rig) {
		if _, err := r.Token(t.Context()); !errors.Is(err, ccclient.InvalidClient) {
			t.Fatalf("got %v", err)
		}
		write("v2", cctest.DefaultClientSecret)
		time.Sleep(time.Second)
		r.token()
		r.wantRequests(2)
	})
}
