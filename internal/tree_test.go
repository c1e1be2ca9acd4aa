// Package internal_test checks what holds for the repository as a whole: which
// package may import which, what the modules require, and that the documents
// say what the code does.
package internal_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the repository, seen from this directory.
const root = ".."

const core = "github.com/ccclient/go-ccclient"

// files returns the slash-separated paths of all files in the repository that
// are not ignored by git; without git, of all but installed packages.
func files(t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	if out, err := list.Output(); err == nil {
		var names []string
		for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
			// A file that was deleted is listed until that is committed.
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(name))); err == nil {
				names = append(names, name)
			}
		}
		return names
	}
	var names []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git") {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// read returns a file's text.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// modules returns the directories of the nested modules.
func modules(names []string) []string {
	var dirs []string
	for _, name := range names {
		if path.Base(name) == "go.mod" && name != "go.mod" {
			dirs = append(dirs, path.Dir(name))
		}
	}
	return dirs
}

// isLibrary reports whether a nested module is for users: those in internal and
// examples are for work in the tree, and never released.
func isLibrary(dir string) bool { return !within(dir, "internal", "examples") }

// within reports whether a path is one of dirs or below one.
func within(name string, dirs ...string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
}
