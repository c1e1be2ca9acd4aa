package internal_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A goMod is what go mod edit -json tells of a go.mod.
type goMod struct {
	Module    struct{ Path string }
	Go        string
	Toolchain string
	Require   []struct{ Path, Version string }
	Exclude   []struct{ Path string }
	Tool      []struct{ Path string }
	Replace   []struct{ Old, New struct{ Path string } }
}

func readGoMod(t *testing.T, dir string) goMod {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	cmd.Dir = filepath.Join(root, filepath.FromSlash(dir))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var m goMod
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCoreRequiresThreeModulesAndNothingElse(t *testing.T) {
	m := readGoMod(t, ".")
	if m.Module.Path != core || m.Go != "1.26.0" || m.Toolchain != "" {
		t.Errorf("module %s, go %s, toolchain %q", m.Module.Path, m.Go, m.Toolchain)
	}
	for _, r := range m.Require {
		if !slices.Contains(requires, r.Path) {
			t.Errorf("it requires %s", r.Path)
		}
	}
	// A replacement or an exclusion would not hold for those who import the
	// module; a tool would be downloaded by them.
	if len(m.Replace)+len(m.Exclude)+len(m.Tool) > 0 {
		t.Errorf("replace %v, exclude %v, tool %v", m.Replace, m.Exclude, m.Tool)
	}
}

func TestNestedModulesAreNamedForTheirPlaceAndUseThisCore(t *testing.T) {
	var versions []string
	for _, dir := range modules(files(t)) {
		m := readGoMod(t, dir)
		if want := core + "/" + dir; m.Module.Path != want {
			t.Errorf("%s: module %s, want %s", dir, m.Module.Path, want)
		}
		if m.Go != "1.26.0" || m.Toolchain != "" {
			t.Errorf("%s: go %s, toolchain %q", dir, m.Go, m.Toolchain)
		}
		for _, r := range m.Require {
			inside, ours := strings.CutPrefix(r.Path+"/", core+"/")
			if !ours {
				continue
			}
			versions = append(versions, r.Version)
			// Whatever belongs to the repository is used as it is here.
			at := ""
			for _, replace := range m.Replace {
				if replace.Old.Path == r.Path {
					at = path.Join(dir, replace.New.Path)
				}
			}
			if want := path.Join(".", inside); at != want {
				t.Errorf("%s: %s is replaced by %q, want %q", dir, r.Path, at, want)
			}
			if isLibrary(dir) && r.Path != core {
				t.Errorf("%s requires %s: a library needs no other than the core", dir, r.Path)
			}
		}
	}
	// A replacement does not hold for those who import the module: they get
	// the version that is required. All modules are released together.
	slices.Sort(versions)
	versions = slices.Compact(versions)
	if len(versions) != 1 || versions[0] == "v0.0.0" || !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(versions[0]) {
		t.Errorf("the repository's modules are required as %q, want one version that is released", versions)
	}
}

func TestNoWorkspaceIsCommitted(t *testing.T) {
	// With one, the core would not build without the nested modules' own
	// dependencies.
	for _, name := range files(t) {
		if base := path.Base(name); base == "go.work" || base == "go.work.sum" {
			t.Errorf("%s is in the repository", name)
		}
	}
}

func TestNothingIsTiedToARegistry(t *testing.T) {
	// Where packages come from is for the machine to say; a lock file pins
	// what they are, by hash.
	for _, name := range files(t) {
		switch path.Base(name) {
		case ".npmrc", ".yarnrc", "go.env":
			t.Errorf("%s is in the repository", name)
		case "package-lock.json", "npm-shrinkwrap.json":
			if strings.Contains(read(t, name), `"resolved"`) {
				t.Errorf(`%s says where packages are "resolved"`, name)
			}
		}
	}
}
