package internal_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReadmeHasAtMost200Lines(t *testing.T) {
	if n := strings.Count(read(t, "README.md"), "\n"); n > 200 {
		t.Errorf("%d lines", n)
	}
}

func TestDocumentsHaveAtMost150Columns(t *testing.T) {
	for _, name := range files(t) {
		if dir := path.Dir(name); path.Ext(name) != ".md" || dir != "." && dir != "docs" {
			continue
		}
		for i, line := range strings.Split(read(t, name), "\n") {
			if n := utf8.RuneCountInString(line); n > 150 {
				t.Errorf("%s:%d has %d columns", name, i+1, n)
			}
		}
	}
}

func TestReadmeBeginsWithItsTwoCommands(t *testing.T) {
	_, rest, _ := strings.Cut(read(t, "README.md"), "```\n")
	block, _, _ := strings.Cut(rest, "```")
	for _, command := range []string{"go run ./examples/quickstart", "go test ./..."} {
		if !strings.Contains(block, command) {
			t.Errorf("%q is not in the first block, which is %q", command, block)
		}
		if !strings.Contains(read(t, ".ci/run"), command+"\n") {
			t.Errorf("CI does not call %q", command)
		}
	}
}

func TestCodeInTheReadmeIsCompiled(t *testing.T) {
	var compiled []string
	for _, name := range files(t) {
		if path.Ext(name) == ".go" {
			compiled = append(compiled, unindent(read(t, name)))
		}
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) < 3 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		found := false
		for _, text := range compiled {
			found = found || strings.Contains(text, unindent(block[1]))
		}
		if !found {
			t.Errorf("in no file that is compiled:\n%s", block[1])
		}
	}
}

// unindent takes the indentation and the alignment away.
func unindent(s string) string {
	return regexp.MustCompile(`(?m)^[ \t]+|[ \t]+$`).ReplaceAllString(s, "")
}

func TestWhatDocumentsNameExists(t *testing.T) {
	names := files(t)
	tests := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range declared.FindAllStringSubmatch(read(t, name), -1) {
				tests[m[1]] = true
			}
		}
	}
	link := regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
	named := regexp.MustCompile(`\bTest[A-Z]\w+`)
	code := regexp.MustCompile("(?s)```.*?```") // where a type argument and a call look like a link
	for _, document := range names {
		if path.Ext(document) != ".md" {
			continue
		}
		text := read(t, document)
		for _, test := range named.FindAllString(text, -1) {
			if !tests[test] {
				t.Errorf("%s names %s, which there is not", document, test)
			}
		}
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			linked := path.Join(path.Dir(document), m[1])
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(linked))); err != nil {
				t.Errorf("%s links to %s, which there is not", document, m[1])
			}
		}
	}
}
