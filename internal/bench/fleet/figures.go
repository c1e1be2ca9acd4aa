package fleet

import (
	"fmt"
	"io"
	"math"
	"time"
)

// kinds are the columns of the table.
var kinds = [...]kind{sharing, alone, xoauth2}

// A row is something that is counted in each kind of fleet, beside what
// arithmetic expects.
type row struct {
	what   string
	count  func(*world) int
	expect [len(kinds)]expectation
}

// An expectation is a formula and what it gives; without a formula there is
// none.
type expectation struct {
	formula string
	value   float64
}

var (
	none = expectation{}
	zero = expectation{"0", 0}
	one  = expectation{"1", 1}
)

// rows are the table of a plan. In the formulas N is the number of processes,
// L the life of a token, A the time that a token request takes, R that of the
// rolling restart and D that of the server's outage.
func rows(p plan) []row {
	n, r, d := float64(p.processes), p.restart.length(), p.serverDown.length()
	all := expectation{"N", n}

	// Processes refresh within a twentieth of a token's life.
	refresh := expectation{"N/(L/20) a second, peak", crest(n, p.life/20)}
	// Tokens that were got at any time of the restart are due at any time of
	// an equally long one, of which the outage has its part.
	due := n * d.Minutes() / r.Minutes()
	// Each of these fails each second, for half of the outage on the average.
	failing := expectation{"N D²/2R", due * d.Seconds() / 2 / callEvery.Seconds()}
	// The restart begins between the first refresh and the second: those that
	// are not replaced when the second is due refresh as well.
	second := time.Duration(2 * 0.775 * float64(p.life))
	unreplaced := n * float64(p.restart.to-second) / float64(r)

	start := window{0, p.calm.from}
	always := window{0, p.span + time.Minute}
	return []row{
		{"cold start: token requests", sum(requests, start), [...]expectation{one, all, all}},
		{"cold start: most in a second", peak(requests, start), [...]expectation{one, all, all}},
		{"ordinary hour: token requests", sum(requests, p.calm), [...]expectation{one, all, all}},
		{"ordinary hour: most in a second", peak(requests, p.calm), [...]expectation{one, refresh, all}},
		{"rolling restart: token requests", sum(requests, p.restart), [...]expectation{one, {"N + those still to be replaced", n + unreplaced}, all}},
		{"rolling restart: most in a second", peak(requests, p.restart), [...]expectation{one, none, {"N/R a second, peak", crest(n, r)}}},
		{"server down: token requests", sum(requests, p.serverDown), [...]expectation{
			{"D/A at most", d.Seconds() / p.answer.Seconds()},
			{"N D/R, with backoff", due * attempts(d)},
			failing,
		}},
		{"server down: most in a second", peak(requests, p.serverDown), [...]expectation{
			{"1/A", math.Ceil(1 / p.answer.Seconds())}, none, {"N D/R", due}}},
		{"server down: failed calls", sum(failed, p.serverDown), [...]expectation{zero, zero, failing}},
		{"store down: token requests", sum(requests, p.storeDown), [...]expectation{all, none, none}},
		{"store down: most in a second", peak(requests, p.storeDown), [...]expectation{refresh, none, none}},
		{"store down: failed calls", sum(failed, p.storeDown), [...]expectation{zero, zero, zero}},
		{"six hours: token requests", sum(requests, always), [...]expectation{none, none, none}},
		{"six hours: failed calls", sum(failed, always), [...]expectation{zero, zero, failing}},
		{"store: most operations in a second", peak(storeOps, always), [...]expectation{none, zero, zero}},
	}
}

func requests(w *world) series { return w.requests }
func failed(w *world) series   { return w.failed }
func storeOps(w *world) series { return w.storeOps }

func sum(of func(*world) series, in window) func(*world) int {
	return func(w *world) (sum int) {
		for second := range of(w) {
			if in.holds(time.Duration(second) * time.Second) {
				sum += int(of(w)[second].Load())
			}
		}
		return sum
	}
}

func peak(of func(*world) series, in window) func(*world) int {
	return func(w *world) (peak int) {
		for second := range of(w) {
			if in.holds(time.Duration(second) * time.Second) {
				peak = max(peak, int(of(w)[second].Load()))
			}
		}
		return peak
	}
}

// crest is the most in a second of n events, each at a time of its own: the
// mean, and what chance adds to it in so many seconds.
func crest(n float64, over time.Duration) float64 {
	mean := n / over.Seconds()
	return mean + math.Sqrt(2*mean*math.Log(over.Seconds()))
}

// attempts is how often a process asks, on the average, whose token is due at
// any time of an outage: pauses of 1 s doubling to 60 s, of which jitter takes
// an eighth, and half a second to the next call.
func attempts(outage time.Duration) float64 {
	const samples = 1000
	n := 0.0
	for i := range samples {
		left := outage.Seconds() * (float64(i) + 0.5) / samples
		for pause := 1.0; left > 0; pause = min(2*pause, 60) {
			left -= pause*7/8 + 0.5
			n++
		}
	}
	return n / samples
}

// writeTable writes the table as Markdown.
func writeTable(out io.Writer, rows []row, fleets [len(kinds)]*world) {
	fmt.Fprint(out, "| |")
	for _, k := range kinds {
		fmt.Fprintf(out, " %s | expected |", k.name)
	}
	fmt.Fprint(out, "\n|---|")
	for range kinds {
		fmt.Fprint(out, "---:|---|")
	}
	for _, r := range rows {
		fmt.Fprintf(out, "\n| %s |", r.what)
		for i, w := range fleets {
			fmt.Fprintf(out, " %s | %s |", thousands(r.count(w)), r.expect[i])
		}
	}
	fmt.Fprintln(out)
}

func (e expectation) String() string {
	value := thousands(int(math.Round(e.value)))
	if e.formula == "" || e.formula == value {
		return e.formula
	}
	return e.formula + ": " + value
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
