package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js"

// node returns the Node.js that was installed with the suite, which wants version 22.
func node(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("node_modules/.bin/node")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err == nil {
		_, err = os.Stat(suite)
	}
	if err != nil {
		t.Skip("the suite is not installed: run transport/mcpauth/internal/conformance/setup.sh")
	}
	return path
}

// A check is one thing that the suite looked at.
type check struct {
	ID, Status, Description string
	Details                 struct {
		Path, Method string
		Body         json.RawMessage
	}
}

// play has the suite drive the client through a scenario, and returns what it saw and whether it is satisfied.
func play(t *testing.T, node, client, scenario string) (checks []check, green bool, log string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), node, suite, "client",
		"--command", client, "--scenario", scenario, "--output-dir", dir, "--timeout", "60000")
	out, failed := cmd.CombinedOutput()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) != "checks.json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, &checks)
	})
	if err != nil || len(checks) == 0 {
		t.Fatalf("no checks: %v\n%s", err, out)
	}
	return checks, failed == nil, string(out)
}

// A user is what a client without one cannot do: register by itself, and send the user to an authorization endpoint.
// The suite looks at scopes only there.
var user = []string{
	"client-registration", "authorization-request", "scope-from-www-authenticate", "scope-from-scopes-supported",
	"scope-omitted-when-undefined", "scope-step-up-initial", "scope-step-up-escalation", "scope-retry-limit",
}

func TestConformanceSuiteIsSatisfied(t *testing.T) {
	node := node(t)
	client := filepath.Join(t.TempDir(), "client")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", client, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tc := range []struct {
		scenario string
		wants    []string // checks that want a user; none: the scenario is green
		scopes   []string // of the token requests
	}{
		{"client-credentials-basic", nil, []string{""}},
		{"client-credentials-jwt", nil, []string{""}},
		{"resource-mismatch", nil, nil},
		{"metadata-default", user[:2], []string{""}},
		{"metadata-var1", user[:2], []string{""}},
		{"metadata-var2", user[:2], []string{""}},
		{"metadata-var3", user[:2], []string{""}},
		{"scope-from-www-authenticate", user[2:3], []string{"mcp:basic"}},
		{"scope-from-scopes-supported", user[3:4], []string{"mcp:basic mcp:read mcp:write"}},
		{"scope-omitted-when-undefined", user[4:5], []string{""}},
		{"scope-step-up", user[5:7], []string{"mcp:basic", "mcp:basic mcp:write"}},
		{"scope-retry-limit", user[7:], []string{"mcp:admin"}},
	} {
		t.Run(tc.scenario, func(t *testing.T) {
			t.Parallel()
			checks, green, log := play(t, node, client, "auth/"+tc.scenario)
			if green != (len(tc.wants) == 0) {
				t.Errorf("green: %v", green)
			}
			var wants, scopes []string
			for _, c := range checks {
				switch {
				case c.Status == "FAILURE" || c.Status == "WARNING":
					wants = append(wants, c.ID)
				case c.ID == "incoming-auth-request" && strings.HasSuffix(c.Details.Path, "/token"):
					scopes = append(scopes, scopeOf(t, c))
				}
			}
			if !slices.Equal(wants, tc.wants) {
				t.Errorf("not satisfied: %q, want %q", wants, tc.wants)
			}
			if !slices.Equal(scopes, tc.scopes) {
				t.Errorf("scopes of the token requests: %q, want %q", scopes, tc.scopes)
			}
			if t.Failed() {
				t.Log(log)
			}
		})
	}
}

// scopeOf returns the scope that a token request asked for. It must have a resource, and the right grant.
func scopeOf(t *testing.T, c check) string {
	t.Helper()
	var form map[string]string
	if err := json.Unmarshal(c.Details.Body, &form); err != nil {
		t.Errorf("token request %s: %v", c.Details.Body, err)
	}
	if form["grant_type"] != "client_credentials" || !strings.HasPrefix(form["resource"], "http://localhost:") {
		t.Errorf("token request %v", form)
	}
	return form["scope"]
}
