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

// The servers of this run, in the order of the table's columns. notSetUp is why
// those on Node.js are missing, if they are.
var (
	oidcProvider *server
	fositeServer *server
	mockServer   *server
	servers      []*server
	notSetUp     error
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Every cell of the table waits for a token to expire: let them wait together.
	if err := flag.Set("test.parallel", "100"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	s, stop, err := startOIDCProvider()
	switch {
	case err == nil:
		defer stop()
		oidcProvider = s
		servers = append(servers, s)
	case errors.Is(err, errNotSetUp) && os.Getenv("CI") != "true":
		notSetUp = err
	default:
		fmt.Println("oidc-provider:", err)
		return 1
	}

	fositeServer, stop = startFosite()
	defer stop()
	servers = append(servers, fositeServer)

	if notSetUp == nil {
		s, stop, err := startMockServer()
		if err != nil {
			fmt.Println("oauth2-mock-server:", err)
			return 1
		}
		defer stop()
		mockServer = s
		servers = append(servers, s)
	}

	code := m.Run()
	results.print()
	if notSetUp != nil {
		fmt.Println("without oidc-provider and oauth2-mock-server:", notSetUp)
	}
	return code
}

// needNode skips a test of the servers that run on Node.js if they are missing.
func needNode(t *testing.T) {
	t.Helper()
	if notSetUp != nil {
		t.Skip(notSetUp)
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
