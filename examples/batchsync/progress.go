package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A progress shows how far the job is.
type progress interface {
	add(records int)
	note(line string)
	end()
}

// newProgress returns a bar on a terminal, and elsewhere one that prints a line for every tenth.
func newProgress(out io.Writer, total, done int) progress {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b := bar{progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionShowCount(),
			progressbar.OptionSetDescription("records"), progressbar.OptionSetWidth(40))}
		b.add(done)
		return b
	}
	l := &lines{out: out, total: total, done: done}
	if done > 0 {
		fmt.Fprintf(out, "goes on after %d of %d records\n", done, total)
	}
	return l
}

type bar struct{ *progressbar.ProgressBar }

func (b bar) add(records int)  { b.Add(records) }
func (b bar) note(line string) { b.Describe(line) }
func (b bar) end()             { b.Exit() }

type lines struct {
	mu          sync.Mutex // guards what follows, and keeps lines whole
	out         io.Writer
	total, done int
	noted       bool
}

func (l *lines) add(records int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := 10 * l.done / l.total
	l.done += records
	if 10*l.done/l.total > before {
		fmt.Fprintf(l.out, "%d of %d records\n", l.done, l.total)
	}
}

// note prints what several workers may say at once, once.
func (l *lines) note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.noted {
		fmt.Fprintln(l.out, line)
		l.noted = true
	}
}

func (l *lines) end() {}
