package fleet

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	processes = flag.Int("processes", 500, "simulate a fleet of so many `processes`")
	svg       = flag.String("svg", "", "write the plot to this `file`, too")
)

// TestFleetsThroughSixHours puts three fleets through the same plan: one that
// shares its tokens, one that has the library but no store, and x/oauth2's.
func TestFleetsThroughSixHours(t *testing.T) {
	p := sixHours(*processes)
	var fleets [len(kinds)]*world
	for i, k := range kinds {
		began := time.Now()
		synctest.Test(t, func(*testing.T) {
			fleets[i] = newWorld(p)
			fleets[i].run(k)
		})
		t.Logf("%s: %s calls for a token, the slowest took %v; simulated in %v", k.name, thousands(int(fleets[i].calls.Load())),
			time.Duration(fleets[i].slowest.Load()).Round(time.Millisecond),
			time.Since(began).Round(100*time.Millisecond))
	}
	var table strings.Builder
	writeTable(&table, rows(p), fleets)
	t.Logf("\n%s", &table)

	for _, r := range rows(p) {
		for i, k := range kinds {
			if e := r.expect[i]; !e.met(r.what, r.count(fleets[i])) {
				t.Errorf("%s, %s: %d, expected %v", k.name, r.what, r.count(fleets[i]), e)
			}
		}
	}
	if slowest := time.Duration(fleets[0].slowest.Load()); slowest > time.Second {
		t.Errorf("a call of the fleet that shares took %v", slowest)
	}
	if *svg != "" {
		if err := drawSVG(*svg, p, fleets); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneRequestEndsALongOutageForAll has the server down for longer than the
// shared token lives.
func TestOneRequestEndsALongOutageForAll(t *testing.T) {
	p := sixHours(100)
	p.serverDown.to += 30 * time.Minute
	p.span = p.serverDown.to + 10*time.Minute
	var w *world
	synctest.Test(t, func(*testing.T) {
		w = newWorld(p)
		w.run(sharing)
	})
	down, back := p.serverDown, window{p.serverDown.to, p.span}
	if n, most := sum(requests, down)(w), int(down.length()/p.answer); n > most {
		t.Errorf("%d token requests during the outage, want one at a time: %d at most", n, most)
	}
	if sum(failed, down)(w) == 0 {
		t.Error("the outage was too short for this test")
	}
	if n := sum(requests, back)(w); n > 1 {
		t.Errorf("%d token requests after the outage, want one", n)
	}
	// Whoever has heard of a failure, of its own or another process's, is back within a pause: 10 s, and the answer.
	if n := sum(failed, window{back.from + 12*time.Second, back.to})(w); n > 0 {
		t.Errorf("%d calls failed when the server had been back for a pause", n)
	}
}

// met reports whether a count is as expected: exactly where no chance is in
// it, otherwise within a fifth, and what chance does to small numbers.
func (e expectation) met(what string, counted int) bool {
	n := float64(counted)
	switch e {
	case none:
		return true
	case zero:
		return counted == 0
	case one:
		// A refresh takes place every 45 to 48 minutes: an hour may have two.
		return counted == 1 || counted == 2 && !strings.HasPrefix(what, "cold start")
	}
	if strings.Contains(e.formula, "at most") {
		return n <= e.value
	}
	return n > 0.8*e.value-8 && n < 1.2*e.value+8
}

func TestPlotShowsEveryFleet(t *testing.T) {
	p := sixHours(10)
	var fleets [len(kinds)]*world
	for i := range fleets {
		fleets[i] = newWorld(p)
		fleets[i].requests[i].Add(int32(i))
	}
	file := filepath.Join(t.TempDir(), "plot.svg")
	if err := drawSVG(file, p, fleets); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if !strings.Contains(string(text), k.name) {
			t.Errorf("the plot does not name %q", k.name)
		}
	}
}

func TestThousandsAreMarked(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12045: "12,045", 1000000: "1,000,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
	if got := fmt.Sprint(one, expectation{"N", 500}); got != "1 N: 500" {
		t.Errorf("got %q", got)
	}
}
