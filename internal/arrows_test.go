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

// An arrow says to which parts of the core a part may go beyond itself, which modules of others it may use, and whether
// it is linked into every program that gets tokens.
type arrow struct {
	part    string
	core    []string
	modules []string
	lean    bool
}

// arrows are all of them. A file belongs to the first part that it is within.
var arrows = []arrow{
	{
		part:    "examples",
		modules: []string{oauth2},
		core: []string{
			"ccclient/clientcredentials", "ccclient/ccstatus", "ccclient/cctest", "ccclient", "cache", "transport",
		},
	},
	{part: "ccclient/clientcredentials", core: getting, modules: []string{oauth2}, lean: true},
	{part: "ccclient/ccstatus", core: getting, modules: []string{oauth2}},
	{part: "ccclient/cctoken", core: append([]string{"ccclient/ccstatus"}, getting...), modules: []string{oauth2, jose}},
	{part: "ccclient/cctest", core: []string{"internal"}, modules: []string{jose}},
	{part: "ccclient", core: []string{"cache", "transport", "internal"}, modules: []string{oauth2, jose}, lean: true},
	{part: "cache/storetest", core: []string{"cache", "internal"}},
	{part: "cache", core: []string{"internal"}, modules: []string{oauth2, xsync}, lean: true},
	{part: "transport", core: []string{"internal"}, modules: []string{oauth2, jose}, lean: true},
	{part: "internal", modules: []string{oauth2, xsync, jose}, lean: true},
}

// getting are the parts that get, keep and spend tokens, and what they are made of.
var getting = []string{"ccclient", "cache", "transport", "internal"}

const (
	jose   = "github.com/go-jose/go-jose/v4"
	oauth2 = "golang.org/x/oauth2"
	xsync  = "golang.org/x/sync"
)

// requires are all that the core may ever need.
var requires = []string{jose, oauth2, xsync}

// heavy are packages of the standard library that few programs need: what wants one is a package of its own, so that
// the linker leaves it out.
func heavy(imported string) bool {
	switch imported {
	case "encoding/json", "encoding/base64", "encoding/hex", "encoding/binary", "encoding/pem", "encoding/asn1":
		return false
	}
	return within(imported, "encoding", "html/template", "text/template", "net/http/httptest", "net/http/pprof",
		"net/rpc", "expvar", "flag", "testing", "database/sql", "go")
}

func TestImportsFollowTheArrows(t *testing.T) {
	names := files(t)
	nested := modules(names)
	checked := 0
	for _, name := range names {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
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

// partOf returns the first arrow whose part a file or package of the core is within.
func partOf(name string) (arrow, bool) {
	i := slices.IndexFunc(arrows, func(a arrow) bool { return within(name, a.part) })
	if i < 0 {
		return arrow{}, false
	}
	return arrows[i], true
}

// moduleOf returns the directory of the innermost nested module that a file or package is within, "" for the core.
func moduleOf(name string, nested []string) string {
	in := ""
	for _, dir := range nested {
		if within(name, dir) && len(dir) > len(in) {
			in = dir
		}
	}
	return in
}

// astray says what is wrong with an import. Tests may look around within the core: only what users get is bound by the
// arrows.
func astray(file, imported string, nested []string) string {
	inCore, ours := strings.CutPrefix(imported, core+"/")
	first, _, _ := strings.Cut(imported, "/")
	standard := !ours && !strings.Contains(first, ".")
	test := strings.HasSuffix(file, "_test.go")
	if module := moduleOf(file, nested); module != "" {
		to := moduleOf(inCore, nested)
		switch {
		case !ours || to == module:
			return ""
		case to != "" && isLibrary(module):
			return "a library needs no nested module beside the core"
		case to == "" && within(inCore, "internal") && !within(module, "internal"):
			return "another version of the core may have another internal"
		}
		return ""
	}
	switch {
	case !ours && !standard && !within(imported, requires...):
		return "the core requires three modules, and this is in none of them"
	case ours && moduleOf(inCore, nested) != "":
		return "the core must not need a nested module"
	case test:
		return ""
	}
	from, known := partOf(file)
	to, _ := partOf(inCore)
	switch {
	case !known:
		return "the file belongs to no part that the arrows know"
	case standard && from.lean && heavy(imported):
		return "every program would carry it"
	case standard, ours && to.part == from.part, ours && slices.Contains(from.core, to.part):
		return ""
	case ours:
		return "no arrow leads there"
	case !within(imported, from.modules...):
		return from.part + " has no use for that module"
	}
	return ""
}

func TestImportAgainstTheArrowsIsSeen(t *testing.T) {
	nested := []string{
		"ccclient/otelcc", "cache/filecache", "cache/rediscache", "examples/sharedcache", "internal/bench",
	}
	for _, c := range []struct {
		file, imported string
		good           bool
	}{
		{"ccclient/client.go", "net/http", true},
		{"ccclient/client.go", "encoding/json", true},
		{"ccclient/client.go", "encoding/xml", false},
		{"ccclient/client.go", "html/template", false},
		{"ccclient/client.go", core + "/cache", true},
		{"ccclient/client.go", core + "/internal/jws", true},
		{"ccclient/client.go", "golang.org/x/oauth2/clientcredentials", true},
		{"ccclient/client.go", "github.com/redis/go-redis/v9", false},
		{"ccclient/client.go", core + "/ccclient/cctest", false},
		{"ccclient/client.go", core + "/ccclient/ccstatus", false},
		{"ccclient/client.go", core + "/ccclient/otelcc", false},
		{"ccclient/client.go", core + "/cache/storetest", false},
		{"ccclient/client_test.go", core + "/ccclient/cctest", true},
		{"ccclient/client_test.go", "github.com/stretchr/testify/assert", false},
		{"ccclient/client_test.go", core + "/cache/filecache", false},
		{"ccclient/clientcredentials/config.go", core + "/ccclient", true},
		{"ccclient/clientcredentials/config.go", core + "/ccclient/ccstatus", false},
		{"ccclient/ccstatus/page.go", "html/template", true},
		{"ccclient/ccstatus/page.go", core + "/ccclient", true},
		{"ccclient/cctoken/main.go", "flag", true},
		{"ccclient/cctoken/main.go", core + "/ccclient", true},
		{"ccclient/cctoken/main.go", core + "/ccclient/cctest", false},
		{"ccclient/cctest/server.go", core + "/ccclient", false},
		{"ccclient/cctest/server.go", core + "/internal/hosts", true},
		{"cache/cache.go", core + "/ccclient", false},
		{"cache/cache.go", core + "/transport", false},
		{"cache/cache.go", "testing", false},
		{"cache/storetest/lock.go", "testing", true},
		{"cache/storetest/lock.go", core + "/cache", true},
		{"cache/entry.go", "golang.org/x/sync/singleflight", true},
		{"transport/transport.go", core + "/cache", false},
		{"transport/transport.go", core + "/internal/challenge", true},
		{"internal/discovery/fetch.go", core + "/internal/hosts", true},
		{"internal/discovery/fetch.go", core + "/transport", false},
		{"examples/quickstart/main.go", core + "/ccclient/cctest", true},
		{"examples/quickstart/main.go", core + "/internal/jws", false},
		{"examples/sharedcache/main.go", core + "/cache/filecache", true},
		{"examples/sharedcache/main.go", core + "/internal/jws", false},
		{"cache/filecache/dir.go", "github.com/gofrs/flock", true},
		{"cache/filecache/dir.go", core + "/cache", true},
		{"cache/filecache/dir.go", core + "/internal/backoff", false},
		{"cache/filecache/dir_test.go", core + "/cache/rediscache", false},
		{"cache/rediscache/cache_test.go", core + "/cache/rediscache/redistest", true},
		{"internal/bench/main.go", core + "/internal/jws", true},
		{"elsewhere/x.go", core + "/cache", false},
	} {
		if why := astray(c.file, c.imported, nested); (why == "") != c.good {
			t.Errorf("%s imports %s: %q", c.file, c.imported, why)
		}
	}
}

func imports(t *testing.T, name string) []string {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(name))
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
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
