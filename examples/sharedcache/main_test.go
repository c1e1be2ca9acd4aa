package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the test's binary be a process of the fleet, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == processArg {
		exit(process(os.Stdin, os.Stdout))
	}
	if os.Getenv(mainEnv) != "" {
		main()
	}
	os.Exit(m.Run())
}

// mainEnv makes the test's binary the program itself.
const mainEnv = "SHAREDCACHE_MAIN"

// needRedis skips a test, or fails it where all must run.
func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const remedy = "redis-server not found: install it (Debian: apt-get install redis-server)"
		if os.Getenv("CI") == "true" {
			t.Fatal(remedy)
		}
		t.Skip(remedy)
	}
}

func TestExampleLosesNoCall(t *testing.T) {
	for name, x := range map[string]struct {
		args        []string
		steps       int
		least, most int // token requests
	}{
		"files": {nil, 5, 6, 10},
		"redis": {[]string{"-redis", "start"}, 7, 7, 60},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "redis" {
				needRedis(t)
			}
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program, x.args...)
			cmd.Env = append(os.Environ(), mainEnv+"=1")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err = cmd.Run()
			t.Logf("\n%s%s", &stdout, &stderr)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
			last := lines[len(lines)-1]
			var calls, requests, failed int
			const form = "calls=%d token_requests=%d failed=%d"
			if _, err := fmt.Sscanf(last, form, &calls, &requests, &failed); err != nil {
				t.Fatalf("last line %q: %v", last, err)
			}
			if calls < 500 || requests < x.least || requests > x.most || failed != 0 || stderr.Len() > 0 {
				t.Error(last)
			}
			if n := len(lines) - 3; n != x.steps { // without the heading and the sums
				t.Errorf("%d steps, want %d", n, x.steps)
			}
		})
	}
}

func TestExampleSaysWhatIsWrong(t *testing.T) {
	for want, args := range map[string][]string{
		"no fleet":                {"-n", "1"},
		"flag provided but not":   {"-processes", "5"},
		"none of these arguments": {"redis"},
	} {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = append(os.Environ(), mainEnv+"=1")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, %s; want %q in it", args, err, out, want)
		}
	}
}
