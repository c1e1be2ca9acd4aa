package clientcredentials_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests of golang.org/x/oauth2/clientcredentials are in its package, which has our package's name: laid over ours,
// they are tests of ours. Nothing of them is kept.
func TestOAuth2sOwnTestsPassHere(t *testing.T) {
	where, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/oauth2").Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(where)), "clientcredentials", "*_test.go"))
	if err != nil || len(theirs) == 0 {
		t.Fatalf("no tests in the module cache: %v, %v", theirs, err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]string{}
	var names []string
	for _, file := range theirs {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.ReplaceAll(string(text), `"golang.org/x/oauth2/clientcredentials"`,
			`"github.com/ccclient/go-ccclient/ccclient/clientcredentials"`)
		laid := filepath.Join(t.TempDir(), filepath.Base(file))
		if err := os.WriteFile(laid, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(here, "oauth2_"+filepath.Base(file))] = laid
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Example)\w*)\(`).FindAllStringSubmatch(changed, -1) {
			names = append(names, m[1])
		}
	}
	if len(names) < 3 {
		t.Errorf("only %q", names)
	}
	list := filepath.Join(t.TempDir(), "overlay.json")
	data, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(list, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-vet=off", "-overlay="+list,
		"-run=^("+strings.Join(names, "|")+")$", ".").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, name := range names {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s did not pass\n%s", name, out)
		}
	}
}
