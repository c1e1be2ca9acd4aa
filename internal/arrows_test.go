package internal_test

import (
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An arrow says which parts of the core a part may import beyond itself, and
// which modules of others.
type arrow struct {
	part    string
	core    []string
	modules []string
}

// arrows are all of them. A file belongs to the first part that it is within.
var arrows = []arrow{
	{"examples", []string{"ccclient", "cache", "transport"}, []string{"golang.org/x/oauth2"}},
	{"ccclient/cctest", []string{"internal"}, []string{"github.com/go-jose/go-jose/v4"}},
	{"ccclient", []string{"cache", "transport", "internal"}, []string{"golang.org/x/oauth2", "github.com/go-jose/go-jose/v4"}},
	{"cache", []string{"internal"}, []string{"golang.org/x/oauth2", "golang.org/x/sync"}},
	{"transport", []string{"internal"}, []string{"golang.org/x/oauth2", "github.com/go-jose/go-jose/v4"}},
	{"internal", nil, []string{"golang.org/x/oauth2", "golang.org/x/sync", "github.com/go-jose/go-jose/v4"}},
}

// requires are all that the core may ever need.
var requires = []string{"github.com/go-jose/go-jose/v4", "golang.org/x/oauth2", "golang.org/x/sync"}

func TestImportsFollowTheArrows(t *testing.T) {
	names := files(t)
	nested := modules(names)
	checked := 0
	for _, name := range names {
		if path.Ext(name) != ".go" || within(name, nested...) || strings.Contains(name, "/testdata/") {
			continue
		}
		checked++
		for _, imported := range imports(t, name) {
			if why := astray(name, imported, nested); why != "" {
				t.Errorf("%s imports %s: %s", name, imported, why)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d files seen", checked)
	}
}

// astray says what is wrong with an import in a file of the core. Tests may
// look around within the core: only what users get is bound by the arrows.
func astray(file, imported string, nested []string) string {
	inCore, ours := strings.CutPrefix(imported, core+"/")
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case !ours && !strings.Contains(first, "."):
		return "" // the standard library
	case !ours && !within(imported, requires...):
		return "the core requires three modules, and this is in none of them"
	case ours && within(inCore, nested...):
		return "the core must not need a nested module"
	case strings.HasSuffix(file, "_test.go"):
		return ""
	}
	i := slices.IndexFunc(arrows, func(a arrow) bool { return within(file, a.part) })
	if i < 0 {
		return "the file belongs to no part that the arrows know"
	}
	switch a := arrows[i]; {
	case !ours && within(imported, a.modules...):
		return ""
	case !ours:
		return a.part + " has no use for that module"
	case a.part == "ccclient" && within(inCore, "ccclient/cctest"):
		return "a test kit has no place in what users get"
	case within(inCore, a.part), within(inCore, a.core...):
		return ""
	}
	return "no arrow leads there"
}

func TestAnArrowAgainstTheDirectionIsSeen(t *testing.T) {
	for _, c := range []struct {
		file, imported string
		good           bool
	}{
		{"ccclient/client.go", "net/http", true},
		{"ccclient/client.go", core + "/cache", true},
		{"ccclient/client.go", core + "/internal/jws", true},
		{"ccclient/client.go", "golang.org/x/oauth2/clientcredentials", true},
		{"ccclient/client.go", "github.com/redis/go-redis/v9", false},
		{"ccclient/client.go", core + "/ccclient/cctest", false},
		{"ccclient/client_test.go", core + "/ccclient/cctest", true},
		{"ccclient/client_test.go", "github.com/stretchr/testify/assert", false},
		{"ccclient/client_test.go", core + "/cache/filecache", false},
		{"ccclient/cctest/server.go", core + "/ccclient", false},
		{"ccclient/cctest/server.go", core + "/internal/hosts", true},
		{"cache/cache.go", core + "/ccclient", false},
		{"cache/cache.go", core + "/transport", false},
		{"cache/storetest/lock.go", core + "/cache", true},
		{"cache/entry.go", "golang.org/x/sync/singleflight", true},
		{"transport/transport.go", core + "/cache", false},
		{"transport/transport.go", core + "/internal/challenge", true},
		{"internal/discovery/fetch.go", core + "/internal/hosts", true},
		{"internal/discovery/fetch.go", core + "/transport", false},
		{"examples/quickstart/main.go", core + "/ccclient/cctest", true},
		{"examples/quickstart/main.go", core + "/internal/jws", false},
		{"elsewhere/x.go", core + "/cache", false},
	} {
		if why := astray(c.file, c.imported, []string{"cache/filecache"}); (why == "") != c.good {
			t.Errorf("%s imports %s: %q", c.file, c.imported, why)
		}
	}
}

func imports(t *testing.T, name string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(name)), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return slices.Clip(paths)
}
