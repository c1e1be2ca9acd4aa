package ccclient_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

func TestProvidersPageShowsTheConfigsOfTheTests(t *testing.T) {
	const name = "providers_configs_test.go"
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	for i, part := range strings.Split(string(page), "```") {
		if code, isGo := strings.CutPrefix(part, "go\n"); isGo && i%2 == 1 {
			shown[strings.TrimSpace(code)] = false
		}
	}
	configs := 0
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil {
			continue
		}
		config := ""
		for _, statement := range f.Body.List {
			text := string(source[files.Position(statement.Pos()).Offset:files.Position(statement.End()).Offset])
			if strings.HasPrefix(text, "cfg := ") {
				config = text
			}
		}
		config = strings.ReplaceAll(config, "\n\t", "\n")
		if _, ok := shown[config]; !ok {
			t.Errorf("the Config of %s is not on the page:\n%s", f.Name.Name, config)
		}
		shown[config] = true
		configs++
	}
	if configs != len(uses) {
		t.Errorf("%d functions, of which %d are used", configs, len(uses))
	}
	unindented := strings.ReplaceAll(string(source), "\n\t", "\n")
	for code, isConfig := range shown {
		if !isConfig && !strings.Contains(unindented, code) && !strings.Contains(string(source), code) {
			t.Errorf("the page shows what no test has:\n%s", code)
		}
	}
}
