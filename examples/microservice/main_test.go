package main_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "microservice.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program
}

// command is one of the service, with no more of its variables than it is given.
func command(t *testing.T, program string, env ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	cmd = exec.CommandContext(t.Context(), program)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "OAUTH_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

// shown is what the program prints; # is a number that is not always the same.
const shown = `the token server is down: /livez 200, /readyz 503
    ccclient: not ready: no token since #-#-#T#:#:#Z, after 1 failed requests: ` +
	`token request of client "client" to #.#.#.#:# answered with 503 (3 attempts): ` +
	`temporarily_unavailable: "the server was told to fail"
it is back: /readyz 200
20 visits at once: 20 answered
20 more, all tokens having been revoked: 20 answered
    /debug/tokens: orders fresh, revoked once: true
    /debug/tokens: stock  fresh, revoked once: true
    /debug/vars: api_calls 80, api_calls_failed 0
it shuts down: /readyz 503, the visit under way: 1 answered
calls=82 token_requests=# failed=0
`

func TestServiceOutlivesWhatHappensToIt(t *testing.T) {
	t.Parallel()
	cmd, stdout, stderr := command(t, build(t))
	err := cmd.Run()
	t.Logf("\n%s%s", stdout, stderr)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(regexp.QuoteMeta(shown), "#", `\d+`)
	if !regexp.MustCompile(`^` + want + `$`).Match(stdout.Bytes()) {
		t.Errorf("got\n%s\nwant\n%s", stdout, shown)
	}
	lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	var tokenRequests int
	if _, err := fmt.Sscanf(lines[len(lines)-1], "calls=82 token_requests=%d failed=0", &tokenRequests); err != nil {
		t.Error(err)
	}
	// Three attempts during the outage, and two for each API: a little more if the machine stalls.
	if tokenRequests < 7 || tokenRequests > 12 {
		t.Errorf("%d token requests", tokenRequests)
	}
}

func TestServiceIsConfiguredByTheEnvironment(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, c := range map[string]struct{ variable, want string }{
		"no secret":            {"OAUTH_CLIENT_ID=client", "OAUTH_CLIENT_SECRET"},
		"variable with a typo": {"OAUTH_CLIENT_SECRETS=x", "OAUTH_CLIENT_SECRET"},
		"no API":               {"OAUTH_CLIENT_SECRET=secret", "ORDERS_API"},
	} {
		cmd, _, stderr := command(t, program, "OAUTH_ISSUER=https://as.example.com", "OAUTH_CLIENT_ID=client",
			c.variable)
		if err := cmd.Run(); err == nil || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: %v, stderr %q; want %q in it", name, err, stderr, c.want)
		}
	}
}

func TestServiceRunsUntilItIsTold(t *testing.T) {
	t.Parallel()
	auth := cctest.NewServer(cctest.Options{})
	defer auth.Close()
	api := httptest.NewServer(auth.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"item": "table", "left": 1}`)
	})))
	defer api.Close()
	cmd, _, _ := command(t, build(t), "OAUTH_ISSUER="+auth.Issuer(), "OAUTH_CLIENT_ID="+cctest.DefaultClientID,
		"OAUTH_CLIENT_SECRET="+cctest.DefaultClientSecret, "ORDERS_API="+api.URL, "STOCK_API="+api.URL,
		"LISTEN=127.0.0.1:0", "LISTEN_INTERNAL=127.0.0.1:0")
	cmd.Stderr = nil
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	log := bufio.NewReader(stderr)
	line, err := log.ReadString('\n')
	listening := regexp.MustCompile(`public=(\S+) internal=(\S+)`).FindStringSubmatch(line)
	if err != nil || listening == nil {
		t.Fatalf("%v, %q", err, line)
	}
	for url, want := range map[string]string{
		listening[1] + "/orders/1": `{"item":"table","left":1,"ready":true}` + "\n", listening[2] + "/readyz": "",
	} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != want || resp.StatusCode != http.StatusOK || err != nil {
			t.Errorf("%s: %s, %q, %v", url, resp.Status, body, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(log)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		t.Errorf("%v\n%s", err, rest)
	}
}
