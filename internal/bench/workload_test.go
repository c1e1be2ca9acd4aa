package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// reach runs a workload with the library alone and checks the targets that do
// not compare it with another, those of the clock if that is exact.
func reach(t *testing.T, w *workload, clockIsExact bool) {
	t.Helper()
	results := map[string]outcome{ours.name: w.run(ours), floor.name: w.bounds}
	for _, target := range w.targets {
		if target.clock && !clockIsExact || target.than == xoauth2.name {
			continue
		}
		value, measured := results[ours.name][target.figure]
		if !measured {
			t.Errorf("%s: %s was not measured", w.name, target.figure.name)
		}
		if _, ok := target.judge(results, 0); !ok {
			t.Errorf("%s: %s: %s, want %s", w.name, target.figure.name, target.figure.format(value), target)
		}
	}
}

// times is how often chance gets its chance: jitter is drawn anew each time.
func inVirtualTime(t *testing.T, times int, workloads ...*workload) {
	for _, w := range workloads {
		for range times {
			synctest.Test(t, func(t *testing.T) { reach(t, w, true) })
		}
	}
}

func TestColdCrowdSharesOneTokenRequest(t *testing.T) { inVirtualTime(t, 3, cold()) }

func TestNobodyWaitsForARefreshAheadOfExpiry(t *testing.T) { inVirtualTime(t, 10, expiry()) }

func TestOutageShorterThanTheTokenIsNotNoticed(t *testing.T) { inVirtualTime(t, 30, shortOutage()) }

func TestOutageLongerThanTheTokenIsRecoveredFrom(t *testing.T) {
	inVirtualTime(t, 15, longOutage())
}

func TestRevokedTokenIsReplacedOnceAndNobodySeesIt(t *testing.T) {
	inVirtualTime(t, 5, revoked("together", 0), revoked("spread", 300*time.Millisecond))
}

func TestWhoGivesUpReturnsAtOnceAndFailsNobody(t *testing.T) {
	inVirtualTime(t, 3, cancelled("leader", 0), cancelled("waiter", 50))
}

func TestFleetRefreshesApart(t *testing.T) {
	for _, life := range []time.Duration{20 * time.Second, time.Minute} {
		inVirtualTime(t, 3, fleet(life))
	}
}

func TestHotPathAllocatesNoMoreThanItMay(t *testing.T) {
	benchtime := flag.Lookup("test.benchtime")
	defer benchtime.Value.Set(benchtime.Value.String())
	if err := benchtime.Value.Set("50000x"); err != nil {
		t.Fatal(err)
	}
	for _, tokenSize := range []int{20, 1 << 10, 4 << 10} {
		for _, headers := range []int{0, 5, 7} {
			reach(t, roundTrip(tokenSize, headers), false)
		}
	}
	reach(t, cachedToken(2), false)
}

func TestAllFiguresOfAllWorkloadsAreMeasured(t *testing.T) {
	names := make(map[string]bool)
	for _, w := range workloads() {
		if names[w.name] {
			t.Errorf("two workloads are called %s", w.name)
		}
		names[w.name] = true
		if w.setting == "" || len(w.targets) == 0 {
			t.Errorf("%s says too little", w.name)
		}
	}
}

func TestTargetIsJudgedByItsKind(t *testing.T) {
	f := figure{"figure", count}
	results := map[string]outcome{"ours": {f: 12}, "x/oauth2": {f: 10}, "floor": {f: 10}}
	for _, tc := range []struct {
		target    target
		tolerance float64
		want      bool
	}{
		{atMost(12, f), 0, true},
		{atMost(11, f), 0, false},
		{atMost(11, f), 0.5, false}, // a count has no tolerance
		{exactly(12, f), 0, true},
		{exactly(13, f), 0, false},
		{within(11, f), 0, false},
		{within(11, f), 0.1, true},
		{times(1.2, xoauth2, f), 0, true},
		{times(1.1, floor, f), 0, false},
		{times(1.1, floor, f), 0.1, true},
		{shown(f), 0, true},
	} {
		if _, got := tc.target.judge(results, tc.tolerance); got != tc.want {
			t.Errorf("%+v with tolerance %v: %v", tc.target, tc.tolerance, got)
		}
	}
}

func TestMediansAreTakenOfEachFigure(t *testing.T) {
	f := figure{"figure", count}
	next := map[string][]float64{"ours": {9, 1, 4, 2}, "x/oauth2": {8, 8, 8, 8}}
	w := &workload{
		entrants: []entrant{ours, xoauth2},
		repeated: true,
		run: func(e entrant) outcome {
			v := next[e.name][0]
			next[e.name] = next[e.name][1:]
			return outcome{f: v}
		},
	}
	got := w.compare(4, func(string) {})
	if got["ours"][f] != 3 || got["x/oauth2"][f] != 8 {
		t.Error(got)
	}
}

func TestRunWithoutAStallIsPreferred(t *testing.T) {
	f := figure{"figure", count}
	synctest.Test(t, func(t *testing.T) {
		// In virtual time nothing stalls: the first run is the last.
		runs := 0.0
		o := steadily(func() outcome {
			runs++
			time.Sleep(time.Second)
			return outcome{f: runs}
		}, func(d time.Duration) { t.Errorf("a stall of %v", d) })
		if o[f] != 1 {
			t.Error(o)
		}
	})
}

func TestPeakIsThatOfAnyWindow(t *testing.T) {
	began := time.Now()
	var events []time.Time
	for _, ms := range []int{900, 0, 90, 110, 180, 190, 500} {
		events = append(events, began.Add(time.Duration(ms)*time.Millisecond))
	}
	if got := peak(events, 100*time.Millisecond); got != 4 {
		t.Error(got)
	}
	if got := peak(nil, time.Second); got != 0 {
		t.Error(got)
	}
}

func TestMissedTargetIsTold(t *testing.T) {
	f := figure{"figure", milliseconds}
	w := &workload{name: "name", setting: "setting", targets: []target{atMost(1, f), times(2, floor, f), shown(f)}}
	lines := w.lines(map[string]outcome{"ours": {f: 3}, "floor": {f: 2}}, 0)
	var b strings.Builder
	writeText(&b, lines)
	writeMarkdown(&b, "go run .", "0.5", lines)
	for _, want := range []string{
		"| name | figure | 3 ms | - | 2 ms |  | ≤ 1 ms | MISSED |",
		"| name | figure | 3 ms | - | 2 ms | 1.50x floor | ≤ 2x floor | ok |",
		"| name | figure | 3 ms | - | 2 ms |  |  |  |",
		"- `name`: setting",
		"The load average was 0.5 before it began.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s\nis not in\n%s", want, &b)
		}
	}
}

func TestBadCommandLineIsAnError(t *testing.T) {
	for _, args := range [][]string{{"-run", "("}, {"-run", "no such workload"}, {"-rounds", "0"}} {
		if _, err := bench(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
