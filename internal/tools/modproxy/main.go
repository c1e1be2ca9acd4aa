// Command modproxy makes a file-based module proxy (see "go help goproxy") of the modules that a repository has tagged
// with a version, exactly as a proxy on the network would make them of the same tags.
//
//	modproxy REPOSITORY MODULE VERSION OUT
//
// MODULE is the path of the module at the repository's root. A tag VERSION is of that one, a tag DIR/VERSION of the one
// nested in DIR. It prints the path of each module that it made.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 5 {
		log.Fatal("usage: modproxy REPOSITORY MODULE VERSION OUT")
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func run(repo, root, version, out string) error {
	tags, err := git(repo, "tag", "--list", version, "*/"+version)
	if err != nil {
		return err
	}
	made := 0
	for tag := range strings.FieldsSeq(tags) {
		dir := strings.Trim(strings.TrimSuffix(tag, version), "/")
		m := module.Version{Path: path.Join(root, dir), Version: version}
		if err := publish(repo, tag, dir, m, out); err != nil {
			return fmt.Errorf("%s: %w", tag, err)
		}
		fmt.Println(m.Path)
		made++
	}
	if made == 0 {
		return fmt.Errorf("no tag for %s in %s", version, repo)
	}
	return nil
}

// publish writes the four files that go asks a proxy for.
func publish(repo, tag, dir string, m module.Version, out string) error {
	if err := module.Check(m.Path, m.Version); err != nil {
		return err
	}
	gomod, err := git(repo, "show", tag+":"+path.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	if declared := modfile.ModulePath([]byte(gomod)); declared != m.Path {
		return fmt.Errorf("go.mod is of %q, not of %q", declared, m.Path)
	}
	date, err := git(repo, "log", "-1", "--format=%cI", tag)
	if err != nil {
		return err
	}
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	at := filepath.Join(out, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"list":              m.Version + "\n",
		m.Version + ".mod":  gomod,
		m.Version + ".info": fmt.Sprintf("{%q: %q, %q: %q}\n", "Version", m.Version, "Time", strings.TrimSpace(date)),
	} {
		if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(at, m.Version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(zip.CreateFromVCS(f, m, repo, tag, dir), f.Close())
}

func git(repo string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", repo}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return string(out), nil
}
