package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// TestCommandsOfThePageWork runs what docs/cctoken.md has for a shell, but for the installation and the made-up
// environment, which the rig's stands for.
func TestCommandsOfThePageWork(t *testing.T) {
	shell := needs(t, "sh", "a shell")
	needs(t, "curl", "curl")
	page, err := os.ReadFile("../../docs/cctoken.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, cctest.Options{}, echo)
	t.Setenv("API", r.api.URL)
	t.Setenv("PATH", filepath.Dir(built(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
	ran := 0
	for i, block := range strings.Split(string(page), "```sh\n") {
		script, _, _ := strings.Cut(block, "```")
		if i == 0 || strings.Contains(script, "go install") || strings.Contains(script, "export ") {
			continue
		}
		ran++
		cmd := exec.CommandContext(t.Context(), shell, "-ec", script)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", script, err, out)
		}
		if strings.Contains(script, "curl") {
			contains(t, script, string(out), "GET /orders")
		}
	}
	equal(t, "scripts run", ran, 5)
}
