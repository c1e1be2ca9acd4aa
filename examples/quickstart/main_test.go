package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// build makes the program, and run runs it with no more of the quickstart's
// variables than it is given.
func build(t *testing.T) (run func(env ...string) (stdout, stderr string, err error)) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "quickstart.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return func(env ...string) (string, string, error) {
		cmd := exec.CommandContext(t.Context(), program)
		for _, v := range os.Environ() {
			switch name, _, _ := strings.Cut(v, "="); name {
			case "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET", "SCOPES", "API_URL":
			default:
				cmd.Env = append(cmd.Env, v)
			}
		}
		cmd.Env = append(cmd.Env, env...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		return stdout.String(), stderr.String(), err
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return lines[len(lines)-1]
}

func TestQuickstartTakesEveryStepAndLosesNoCall(t *testing.T) {
	t.Parallel()
	stdout, stderr, err := build(t)()
	t.Logf("\n%s%s", stdout, stderr)
	if err != nil {
		t.Fatal(err)
	}
	var calls, tokenRequests, failed int
	const form = "calls=%d token_requests=%d failed=%d"
	if _, err := fmt.Sscanf(lastLine(stdout), form, &calls, &tokenRequests, &failed); err != nil {
		t.Fatalf("last line %q: %v", lastLine(stdout), err)
	}
	// One each for the first call, the thousand, the refresh and the
	// revocation, two during the outage and one after it: a little more if
	// the machine stalls.
	if calls < 1101 || tokenRequests < 7 || tokenRequests > 12 || failed != 0 {
		t.Error(lastLine(stdout))
	}
	if steps := regexp.MustCompile(`(?m)^ *\d+\.\ds  `).FindAllString(stdout, -1); len(steps) != 5 {
		t.Errorf("%d steps", len(steps))
	}
}

func TestQuickstartTakesTheFirstStepAgainstOtherServers(t *testing.T) {
	t.Parallel()
	auth := cctest.NewServer(cctest.Options{
		Clients: []cctest.Registration{{ID: "me", Secret: "a secret of mine", Scopes: []string{"read", "write"}}},
	})
	defer auth.Close()
	api := httptest.NewServer(auth.ProtectScopes(http.NotFoundHandler(), "read", "write"))
	defer api.Close()
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	open := httptest.NewServer(auth.ProtectScopes(nothing, "read", "write"))
	defer open.Close()

	run := build(t)
	for _, c := range []struct {
		name   string
		env    []string
		last   string // of stdout
		stderr string
	}{
		{"all is well", []string{"CLIENT_SECRET=a secret of mine", "API_URL=" + open.URL}, "calls=1 token_requests=1 failed=0", ""},
		{"wrong secret", []string{"CLIENT_SECRET=another", "API_URL=" + open.URL}, "calls=1 token_requests=1 failed=1", "invalid_client"},
		{"the API does not know the page", []string{"CLIENT_SECRET=a secret of mine", "API_URL=" + api.URL}, "calls=1 token_requests=1 failed=1", "404"},
		{"no API", []string{"CLIENT_SECRET=a secret of mine"}, "", "API_URL"},
	} {
		stdout, stderr, err := run(append(c.env, "TOKEN_URL="+auth.TokenURL(), "CLIENT_ID=me", "SCOPES=read write")...)
		if last := lastLine(stdout); last != c.last {
			t.Errorf("%s: last line %q, want %q", c.name, last, c.last)
		}
		if (err != nil) != (c.stderr != "") || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: %v, stderr %q; want %q in it", c.name, err, stderr, c.stderr)
		}
		if strings.Contains(stdout+stderr, "secret of mine") {
			t.Errorf("%s: the secret is shown", c.name)
		}
	}
}
