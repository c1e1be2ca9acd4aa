package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const page = "../../docs/recipes.md"

// sources returns the text of each Go file of the module, by path.
func sources(t *testing.T) map[string]string {
	t.Helper()
	texts := make(map[string]string)
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" {
			return err
		}
		data, err := os.ReadFile(name)
		texts[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// sections returns the page's recipes: what is below each heading of the third level.
func sections(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, section := range strings.Split(string(data), "\n### ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		found[title] = text
	}
	if len(found) < 15 {
		t.Fatalf("only %d recipes on the page", len(found))
	}
	return found
}

var blocks = regexp.MustCompile("(?s)```go\n(.*?)```")

func TestCodeOnThePageIsCompiled(t *testing.T) {
	unindent := func(s string) string { return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(s, "") }
	compiled := sources(t)
	for title, text := range sections(t) {
		found := blocks.FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s: no code", title)
		}
		for _, block := range found {
			if n := strings.Count(block[1], "\n"); n > 24 {
				t.Errorf("%s: %d lines are no recipe", title, n)
			}
			in := ""
			for name, source := range compiled {
				if strings.Contains(unindent(source), unindent(block[1])) {
					in = name
				}
			}
			if in == "" {
				t.Errorf("%s: in no file that is compiled:\n%s", title, block[1])
			} else if !strings.Contains(text, "(../examples/recipes/"+in+")") {
				t.Errorf("%s: does not say that its code is in %s", title, in)
			}
		}
	}
}

func TestEachRecipeNamesTestsThatRunIt(t *testing.T) {
	declared := make(map[string]bool)
	for _, source := range sources(t) {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(source, -1) {
			declared[m[1]] = true
		}
	}
	for title, text := range sections(t) {
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(text, -1)
		if len(named) == 0 {
			t.Errorf("%s: no test", title)
		}
		for _, m := range named {
			if !declared[m[1]] {
				t.Errorf("%s names %s, which this module does not have", title, m[1])
			}
		}
	}
}

func TestLinesOfThePageHaveAtMost150Columns(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if n := len([]rune(line)); n > 150 {
			t.Errorf("line %d has %d columns", i+1, n)
		}
	}
}

func TestProgramRuns(t *testing.T) {
	if err := run(); err != nil {
		t.Error(err)
	}
}
