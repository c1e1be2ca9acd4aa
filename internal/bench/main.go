// Command bench measures the library beside golang.org/x/oauth2 and the floors
// that nothing can undercut, and says which targets are reached:
//
//	go run .                       everything, in some five minutes
//	go run . -run micro            what needs no server: interleaved, medians
//	go run . -run 'outage|expiry'  a regular expression selects workloads
//	go run . -o RESULTS.md         writes the table as Markdown, too
//	go run . -svg expiry.svg       draws what callers wait for when tokens run out, in two minutes
//
// It exits with 1 if a target is missed. Counts must be met exactly; targets
// that depend on the clock may be exceeded by -tolerance on a noisy machine.
//
// The short workloads are Go benchmarks, too. For figures with confidence
// intervals, interleave the contestants and compare them by benchstat:
//
//	for i in $(seq 10); do go test -run '^$' -bench . -cpu 1,2,8 -benchtime 100ms >> bench.txt; done
//	benchstat -col /who bench.txt
//
// Those with a server run in virtual time as tests, which check their targets
// exactly: go test .
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	ok, err := bench(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// workloads are all that there are, in the order of the table.
func workloads() []*workload {
	return []*workload{
		cachedToken(1),
		cachedToken(2, times(0.35, xoauth2, perCall)),
		cachedToken(8, times(0.25, xoauth2, perCall)),
		roundTrip(20, 5, times(0.45, xoauth2, perCall)),
		roundTrip(1<<10, 5, times(0.45, xoauth2, perCall)),
		roundTrip(4<<10, 5, times(0.45, xoauth2, perCall)),
		roundTrip(1<<10, 7, shown(perCall)),
		forToken(10),
		forToken(1000),
		forToken(10_000),
		keysHeld(),
		cold(),
		expiry(),
		shortOutage(),
		longOutage(),
		revoked("together", 0),
		revoked("spread", 300*time.Millisecond),
		cancelled("leader", 0),
		cancelled("waiter", 50),
		fleet(20 * time.Second),
	}
}

// bench reports whether all targets were reached.
func bench(args []string, out, progress io.Writer) (bool, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	selected := flags.String("run", "", "run only workloads whose name matches this `regexp`")
	rounds := flags.Int("rounds", 10, "interleaved rounds of the short workloads")
	benchtime := flags.String("benchtime", "200ms", "of one contestant in one round")
	tolerance := flags.Float64("tolerance", 0, "by which `part` targets that depend on the clock may be exceeded")
	picture := flags.String("svg", "", "draw what callers wait for when tokens run out to this `file`, and do nothing else")
	file := flags.String("o", "", "write the table as Markdown to this `file`, too")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if *picture != "" {
		return true, drawExpiry(*picture, progress)
	}
	match, err := regexp.Compile(*selected)
	if err != nil {
		return false, err
	}
	if err := initTesting(*benchtime); err != nil {
		return false, err
	}
	chosen := slices.DeleteFunc(workloads(), func(w *workload) bool { return !match.MatchString(w.name) })
	if len(chosen) == 0 || *rounds < 1 {
		return false, errors.New("nothing to run")
	}

	loadBefore := load()
	live := ballast()
	defer runtime.KeepAlive(live)
	var lines []line
	for _, w := range chosen {
		results := w.compare(*rounds, func(s string) { fmt.Fprintln(progress, s) })
		lines = append(lines, w.lines(results, *tolerance)...)
	}
	writeText(out, lines)
	missed := slices.ContainsFunc(lines, func(l line) bool { return l.ok == "MISSED" })
	if *file == "" {
		return !missed, nil
	}
	f, err := os.Create(*file)
	if err != nil {
		return false, err
	}
	writeMarkdown(f, "go run . "+strings.Join(args, " "), loadBefore, lines)
	return !missed, f.Close()
}
