package ccclient_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// providersPage returns docs/providers.md.
func providersPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestProvidersPageShowsTheConfigsOfTheTests(t *testing.T) {
	names, err := filepath.Glob("providers_configs*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	for i, part := range strings.Split(providersPage(t), "```") {
		if code, isGo := strings.CutPrefix(part, "go\n"); isGo && i%2 == 1 {
			shown[strings.TrimSpace(code)] = false
		}
	}
	configs := 0
	var sources bytes.Buffer
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(source)
		for function, config := range configsIn(t, name, source) {
			if _, ok := shown[config]; !ok {
				t.Errorf("the Config of %s is not on the page:\n%s", function, config)
			}
			shown[config] = true
			configs++
		}
	}
	if configs != len(uses) {
		t.Errorf("%d functions, of which %d are used", configs, len(uses))
	}
	source := sources.String()
	unindented := strings.ReplaceAll(source, "\n\t", "\n")
	for code, isConfig := range shown {
		if !isConfig && !strings.Contains(unindented, code) && !strings.Contains(source, code) {
			t.Errorf("the page shows what no test has:\n%s", code)
		}
	}
}

// configsIn returns the text of the Config in each function of a file, by the function's name.
func configsIn(t *testing.T, name string, source []byte) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	configs := make(map[string]string)
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil {
			continue
		}
		configs[f.Name.Name] = ""
		for _, statement := range f.Body.List {
			text := string(source[files.Position(statement.Pos()).Offset:files.Position(statement.End()).Offset])
			if strings.HasPrefix(text, "cfg := ") {
				configs[f.Name.Name] = strings.ReplaceAll(text, "\n\t", "\n")
			}
		}
	}
	return configs
}

func TestProvidersTableLeadsToEachSectionOnce(t *testing.T) {
	page := providersPage(t)
	head, _, _ := strings.Cut(page, "\n## ")
	rows := make(map[string]int)
	for _, m := range regexp.MustCompile(`(?m)^\| \[[^\]]+\]\(#([^)]+)\) \|`).FindAllStringSubmatch(head, -1) {
		rows[m[1]]++
	}
	sections := 0
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(page, -1) {
		anchor := strings.NewReplacer(" ", "-", "(", "", ")", "").Replace(strings.ToLower(m[1]))
		if anchor == "another-one" {
			continue
		}
		if sections++; rows[anchor] != 1 {
			t.Errorf("%d rows lead to %q", rows[anchor], m[1])
		}
	}
	if sections != len(rows) || sections <= len(uses) { // django-oauth-toolkit has no Config of its own
		t.Errorf("%d sections and %d rows, for %d Configs", sections, len(rows), len(uses))
	}
}
