package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

const secret = "cctoken-test-secret"

// A rig is an authorization server and an API that it protects, on loopback, with an environment that leads there.
type rig struct {
	as  *cctest.Server
	api *httptest.Server
}

// newRig configures the environment for a new rig whose API answers with h; nil: with the request's method and path.
func newRig(t *testing.T, o cctest.Options, h http.HandlerFunc) *rig {
	t.Helper()
	o.Clients = []cctest.Registration{{ID: "orders", Secret: secret}}
	r := &rig{as: cctest.NewServer(o)}
	t.Cleanup(r.as.Close)
	if h == nil {
		h = func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Method + " " + r.URL.RequestURI())) }
	}
	r.api = httptest.NewServer(r.as.Protect(h))
	t.Cleanup(r.api.Close)
	for _, name := range []string{"ISSUER", "SCOPES", "KUBERNETES_EXEC_INFO"} {
		t.Setenv(name, "")
	}
	t.Setenv("TOKEN_URL", r.as.TokenURL())
	t.Setenv("CLIENT_ID", "orders")
	t.Setenv("CLIENT_SECRET_FILE", file(t, "secret", secret+"\n"))
	return r
}

// file makes a file, and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A result is what a command left.
type result struct {
	status   int
	out, err string
}

// cctoken runs the command to its end.
func cctoken(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	status := run(ctx, args, streams{strings.NewReader(stdin), &out, &errs})
	r := result{status, out.String(), errs.String()}
	for _, text := range []string{r.out, r.err} {
		if strings.Contains(text, secret) {
			t.Errorf("%q prints the secret: %s", args, text)
		}
	}
	return r
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s has no %q: %s", what, part, text)
		}
	}
}

func lacks(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%s has %q: %s", what, part, text)
		}
	}
}
