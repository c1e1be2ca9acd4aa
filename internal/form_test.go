package internal_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

const (
	maxTestName = 60  // letters, "Test" included
	maxColumns  = 120 // of a line in a Go file; a tab counts as tabWidth
	tabWidth    = 4
	maxLines    = 400 // of a Go file that is no test; 300 are to be aimed at
)

func TestNamesOfTestsAreShortSentences(t *testing.T) {
	seen := 0
	for name, text := range goFiles(t) {
		if !strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
				continue
			}
			seen++
			if why := badTestName(f.Name.Name); why != "" {
				t.Errorf("%s: %s %s", name, f.Name.Name, why)
			}
		}
	}
	if seen < 100 {
		t.Errorf("only %d tests seen", seen)
	}
}

var article = regexp.MustCompile(`^Test(A|An|The)([A-Z0-9]|$)`)

// badTestName says what is wrong with a test's name.
func badTestName(name string) string {
	switch {
	case len(name) > maxTestName:
		return "is too long"
	case article.MatchString(name):
		return "begins with an article"
	}
	return ""
}

func TestBadTestNameIsSeen(t *testing.T) {
	for name, good := range map[string]bool{
		"TestImpatientLeaderDoesNotFailTheOthers": true,
		"TestAsTextIsCut":                         true,
		"TestTheoryHolds":                         true,
		"TestALeaderIsPatient":                    false,
		"TestAnswerIsRead":                        true,
		"TestAnAnswerIsRead":                      false,
		"TestTheAnswerIsRead":                     false,
		"TestA404IsNoAnswer":                      false,
		"Test" + strings.Repeat("a", 56):          true,
		"Test" + strings.Repeat("a", 57):          false,
	} {
		if why := badTestName(name); (why == "") != good {
			t.Errorf("%s: %q", name, why)
		}
	}
}

func TestLinesHaveAtMost120Columns(t *testing.T) {
	for name, text := range goFiles(t) {
		for _, n := range wideLines(t, text) {
			t.Errorf("%s:%d has more than %d columns", name, n, maxColumns)
		}
	}
}

// row is a line that holds a whole row of a table: broken, it would be harder to read.
var row = regexp.MustCompile(`^\s*("[^"]*": .*|\{.*\}),$`)

// wideLines returns the numbers of the lines that have too many columns, save rows of tables and those with what cannot
// be broken: a string of more than half a line, a raw string, an address, what an Example prints.
func wideLines(t *testing.T, text []byte) []int {
	t.Helper()
	excepted := make(map[int]bool)
	fset := token.NewFileSet()
	file := fset.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, func(pos token.Position, msg string) { t.Errorf("%v: %s", pos, msg) }, 0)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.STRING && (lit[0] == '`' || len(lit) > maxColumns/2) {
			first := file.Line(pos)
			for n := range 1 + strings.Count(lit, "\n") {
				excepted[first+n] = true
			}
		}
	}
	var wide []int
	output := false
	for i, line := range bytes.Split(text, []byte("\n")) {
		comment := bytes.HasPrefix(bytes.TrimSpace(line), []byte("//"))
		output = comment && (output || bytes.HasSuffix(line, []byte("// Output:")))
		if output {
			continue
		}
		columns := len([]rune(string(line))) + (tabWidth-1)*bytes.Count(line, []byte("\t"))
		if columns > maxColumns && !excepted[i+1] && !row.Match(line) && !bytes.Contains(line, []byte("://")) {
			wide = append(wide, i+1)
		}
	}
	return wide
}

func TestWideLineIsSeen(t *testing.T) {
	long := strings.Repeat("x", 100)
	for line, good := range map[string]bool{
		"// " + strings.Repeat("x", 117):                               true,
		"// " + strings.Repeat("x", 118):                               false,
		"// " + strings.Repeat("ä", 117):                               true,
		"\t\t" + "// " + strings.Repeat("x", 109):                      true,
		"\t\t" + "// " + strings.Repeat("x", 110):                      false,
		"// see https://example.com/" + long:                           true,
		"const c = \"" + long + "\" + other":                           true,
		"const c = `" + long + "` // of the same length as the others": true,
		"const c = \"short\" // " + long:                               false,
		"\t{\"name\", " + long + "},":                                  true,
		"\t\"name\": with(" + long + "),":                              true,
		"\treturn T{" + long + "}, nil, nil":                           false,
		"\t// Output:\n\t// " + long + long:                            true,
		"\t// Output:\n}\n\t// " + long + long:                         false,
	} {
		if wide := wideLines(t, []byte("package p\n"+line+"\n")); (len(wide) == 0) != good {
			t.Errorf("%q: %v", line, wide)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	for name, text := range goFiles(t) {
		if n := bytes.Count(text, []byte("\n")); n > maxLines && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("%s has %d lines", name, n)
		}
	}
}

// generated is how a generated file says so (see go help generate): it is as its generator makes it.
var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// goFiles returns the text of each Go file of the repository that was written by hand, nested modules included.
func goFiles(t *testing.T) map[string][]byte {
	t.Helper()
	texts := make(map[string][]byte)
	for _, name := range files(t) {
		if path.Ext(name) == ".go" && !strings.Contains(name, "/testdata/") {
			if text := read(t, name); !generated.MatchString(text) {
				texts[name] = []byte(text)
			}
		}
	}
	if len(texts) < 100 {
		t.Fatalf("only %d files seen", len(texts))
	}
	return texts
}
