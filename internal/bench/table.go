package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A line of the table is one target, or a figure that is worth knowing.
type line struct {
	workload, figure, ours, xoauth2, floor, ratio, target, ok string
	setting                                                   string
}

var headings = line{"workload", "figure", "ours", "x/oauth2", "floor", "ratio", "target", "ok", ""}

func (l line) cells() []string {
	return []string{l.workload, l.figure, l.ours, l.xoauth2, l.floor, l.ratio, l.target, l.ok}
}

func (w *workload) lines(results map[string]outcome, tolerance float64) []line {
	var lines []line
	for _, t := range w.targets {
		l := line{
			workload: w.name, setting: w.setting, figure: t.figure.name,
			ours:    cell(results[ours.name], t.figure),
			xoauth2: cell(results[xoauth2.name], t.figure),
			floor:   cell(results[floor.name], t.figure),
			target:  t.String(),
		}
		ratio, ok := t.judge(results, tolerance)
		switch {
		case t.shown:
		case ok:
			l.ok = "ok"
		default:
			l.ok = "MISSED"
		}
		if !math.IsNaN(ratio) {
			l.ratio = fmt.Sprintf("%.2fx %s", ratio, t.than)
		}
		lines = append(lines, l)
	}
	return lines
}

// String is the target as the table shows it.
func (t target) String() string {
	switch {
	case t.shown:
		return ""
	case t.exactly:
		return t.figure.format(t.most)
	case t.than != "":
		return fmt.Sprintf("≤ %vx %s", t.most, t.than)
	}
	return "≤ " + t.figure.format(t.most)
}

func cell(o outcome, f figure) string {
	v, ok := o[f]
	switch {
	case !ok:
		return "-"
	case f == recovery && v > inMilliseconds(24*time.Hour):
		return "never"
	}
	return f.format(v)
}

func (f figure) format(v float64) string {
	digits := 0
	if v != math.Trunc(v) && v < 100 {
		digits = 1
		if v < 1 {
			digits = 2
		}
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', digits, 64) + " " + string(f.unit))
}

func writeText(w io.Writer, lines []line) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range append([]line{headings}, lines...) {
		fmt.Fprintln(tw, strings.Join(l.cells(), "\t"))
	}
	tw.Flush()
}

// writeMarkdown writes a table that was measured by a command on a machine that had a load before.
func writeMarkdown(w io.Writer, command, loadBefore string, lines []line) {
	fmt.Fprintf(w, "# Measured\n\nBy `%s` in `internal/bench`, %s.\n", strings.TrimSpace(command), machine())
	fmt.Fprintf(w, "The load average was %s before it began. What is above 1 is other work: it makes times longer and hides what parallel callers gain.\n", loadBefore)
	fmt.Fprintf(w, "\nShort workloads (`micro`) are interleaved rounds; figures are medians, ratios those of medians. 48 MB are live on the heap.\n")
	fmt.Fprintf(w, "Where tokens live no longer than its fixed margin of 10 s, x/oauth2 is given a margin of a tenth; as it comes, it would ask for a token at each call.\n\n")
	row := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	row(headings.cells())
	row(strings.Split(strings.Repeat("---,", len(headings.cells())-1)+"---", ","))
	for _, l := range lines {
		row(l.cells())
	}
	fmt.Fprintf(w, "\nThe workloads:\n\n")
	for i, l := range lines {
		if i == 0 || l.workload != lines[i-1].workload {
			fmt.Fprintf(w, "- `%s`: %s\n", l.workload, l.setting)
		}
	}
}

func machine() string {
	facts := []string{
		fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), processor()),
		runtime.Version(),
		runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "golang.org/x/oauth2" {
				facts = append(facts, "x/oauth2 "+m.Version)
			}
		}
	}
	return strings.Join(facts, ", ")
}

// load is the average number of processes that wanted to run in the last minute, where Linux tells it.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return cmp.Or(first, "unknown")
}

// processor is the CPU's name where Linux tells it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
