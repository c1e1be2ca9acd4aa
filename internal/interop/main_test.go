package interop_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// The servers of this run; those whose parts are not installed are missing.
var (
	oidcProvider *server
	fositeServer *server
	mockServer   *server
	authlib      *server
	djangoServer *server
	oauth2Server *server

	servers []*server // in the order of the table's columns
)

// A starter starts a server, and gives what ends it.
type starter struct {
	name  string
	at    **server
	start func() (*server, func(), error)
}

var starters = []starter{
	{"oidc-provider", &oidcProvider, startOIDCProvider},
	{"fosite", &fositeServer, startFosite},
	{"oauth2-mock-server", &mockServer, startMockServer},
	{"Authlib", &authlib, startAuthlib},
	{"django-oauth-toolkit", &djangoServer, startDjango},
	{"node-oauth2-server", &oauth2Server, startOAuth2Server},
}

func TestMain(m *testing.M) {
	flag.Parse()
	// Every cell of the table waits for a token to expire: let them wait together.
	if err := flag.Set("test.parallel", "100"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	started := make([]*server, len(starters))
	stops := make([]func(), len(starters))
	errs := make([]error, len(starters))
	var wg sync.WaitGroup
	for i, s := range starters {
		wg.Go(func() { started[i], stops[i], errs[i] = s.start() })
	}
	wg.Wait()
	var missing []string
	failed := false
	for i, s := range starters {
		if stops[i] != nil {
			defer stops[i]()
		}
		switch {
		case errs[i] == nil:
			started[i].name = s.name
			*s.at = started[i]
			servers = append(servers, started[i])
		case errors.Is(errs[i], errNotSetUp) && os.Getenv("CI") != "true":
			missing = append(missing, s.name)
		default:
			fmt.Printf("%s: %v\n", s.name, errs[i])
			failed = true
		}
	}
	if failed {
		return 1
	}
	code := m.Run()
	results.print()
	if len(missing) > 0 {
		fmt.Printf("without %s: %v\n", strings.Join(missing, ", "), errNotSetUp)
	}
	return code
}

// need skips a test of servers that are missing.
func need(t *testing.T, needed ...*server) {
	t.Helper()
	if slices.Contains(needed, nil) {
		t.Skip(errNotSetUp)
	}
}

// A table collects what came of each method at each server.
type table struct {
	mu   sync.Mutex
	rows map[string]map[string]string // guarded by mu: by method, by server
}

var results table

func (t *table) set(method, server, outcome string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = make(map[string]map[string]string)
	}
	if t.rows[method] == nil {
		t.rows[method] = make(map[string]string)
	}
	t.rows[method][server] = outcome
}

func (t *table) print() {
	if len(t.rows) == 0 {
		return
	}
	counts := make(map[string]int)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "method")
	for _, s := range servers {
		fmt.Fprint(w, "\t", s.name)
	}
	fmt.Fprintln(w)
	for _, method := range methods {
		if t.rows[method] == nil {
			continue // not part of this run
		}
		fmt.Fprint(w, method)
		for _, s := range servers {
			outcome := t.rows[method][s.name]
			kind, _, _ := strings.Cut(outcome, ":")
			counts[kind]++
			fmt.Fprint(w, "\t", outcome)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Printf("%s %d  ", kind, counts[kind])
	}
	fmt.Println()
}
