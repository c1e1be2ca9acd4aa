package main

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// A workload is something that each contestant is put through.
type workload struct {
	name    string // for -run and the table
	setting string // what the name does not say
	// entrants take part in each round, one after the other.
	entrants []entrant
	run      func(entrant) outcome
	// bounds are figures that nothing can undercut, by arithmetic.
	bounds  outcome
	targets []target

	repeated bool // each round tells more: the medians count
}

// A figure is something that a workload measures.
type figure struct {
	name string
	unit unit
}

type unit string

const (
	count        unit = ""
	nanoseconds  unit = "ns"
	milliseconds unit = "ms"
	size         unit = "B"
)

// An outcome is what a workload measured of one contestant.
type outcome map[figure]float64

// A target is what the library has to reach in one figure.
type target struct {
	figure  figure
	than    string // a contestant, or floor: most is a ratio; empty: most is absolute
	most    float64
	exactly bool // neither more nor less
	clock   bool // the machine has its part in it: -tolerance applies
	shown   bool // is no target, but worth a line
}

func atMost(most float64, f figure) target { return target{figure: f, most: most} }

func exactly(n float64, f figure) target { return target{figure: f, most: n, exactly: true} }

// within is a bound on a time.
func within(most float64, f figure) target { return target{figure: f, most: most, clock: true} }

// times is a bound on a ratio of times.
func times(most float64, than entrant, f figure) target {
	return target{figure: f, than: than.name, most: most, clock: true}
}

func shown(f figure) target { return target{figure: f, shown: true} }

// compare runs a workload for some rounds, interleaved so that a machine whose
// speed changes is fair to all, and gives the median of each figure by the
// name of the contestant.
func (w *workload) compare(rounds int, progress func(string)) map[string]outcome {
	if !w.repeated {
		rounds = 1
	}
	measured := make(map[string][]outcome)
	for i := range rounds {
		for _, e := range w.entrants {
			progress(fmt.Sprintf("%s: round %d of %d: %s", w.name, i+1, rounds, e.name))
			run := func() outcome { return w.run(e) }
			if w.repeated || !w.timed() {
				measured[e.name] = append(measured[e.name], run())
				continue
			}
			measured[e.name] = append(measured[e.name], steadily(run, func(d time.Duration) {
				progress(fmt.Sprintf("%s: the machine stood still for %v", w.name, d.Round(time.Millisecond)))
			}))
		}
	}
	medians := make(map[string]outcome)
	for name, outcomes := range measured {
		medians[name] = make(outcome)
		for f := range outcomes[0] {
			var values []float64
			for _, o := range outcomes {
				values = append(values, o[f])
			}
			medians[name][f] = median(values)
		}
	}
	if w.bounds != nil {
		medians[floor.name] = w.bounds
	}
	return medians
}

// timed reports whether the machine has its part in what is measured.
func (w *workload) timed() bool {
	return slices.ContainsFunc(w.targets, func(t target) bool { return t.clock })
}

func median(values []float64) float64 {
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// judge reports how the library did against one target: the ratio that is
// compared, NaN if none is, and whether the target is reached.
func (t target) judge(results map[string]outcome, tolerance float64) (ratio float64, ok bool) {
	value, ratio := results[ours.name][t.figure], math.NaN()
	if t.than != "" {
		ratio = value / results[t.than][t.figure]
		value = ratio
	}
	most := t.most
	if t.clock {
		most *= 1 + tolerance
	}
	switch {
	case t.shown:
		return ratio, true
	case t.exactly:
		return ratio, value == most
	}
	return ratio, value <= most
}

// benchmark measures a Go benchmark by itself.
func benchmark(b func(*testing.B)) outcome {
	r := testing.Benchmark(b)
	if r.N == 0 {
		panic("a benchmark ended early")
	}
	return outcome{
		perCall:     float64(r.T.Nanoseconds()) / float64(r.N),
		allocations: float64(r.AllocsPerOp()),
		allocated:   float64(r.AllocedBytesPerOp()),
	}
}

var (
	perCall     = figure{"time a call", nanoseconds}
	allocations = figure{"allocations", count}
	allocated   = figure{"allocated", size}
)

// initTesting lets a program that is no test use package testing.
func initTesting(benchtime string) error {
	testing.Init()
	if err := flag.CommandLine.Parse(nil); err != nil {
		return err
	}
	return flag.Set("test.benchtime", benchtime)
}
