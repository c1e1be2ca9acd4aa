// Command batchsync shows a batch job: it copies 10,000 records from one API to another, by pages and with several
// workers, as a nightly job does.
//
//	go -C examples/batchsync run .
//	go -C examples/batchsync run . -fail-after 4000    the job is cut off, and a second run goes on where it was
//	go -C examples/batchsync run . -outage 3s          the authorization server is down for three seconds
//
// The servers run inside, on loopback, and tokens live for two seconds, so that there is something to see. Tokens are
// kept in sealed files, so a second run begins with the token of the first. On a terminal there is a progress bar, else
// there are plain lines.
//
// What a job has to do is in job.go, checkpoint.go and client.go; the rest is the surroundings.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	o := options{lifetime: 2 * time.Second}
	flag.IntVar(&o.records, "records", 10_000, "how many there are to copy")
	flag.IntVar(&o.workers, "workers", 8, "how many pages are copied at once")
	flag.IntVar(&o.failAfter, "fail-after", 0, "cut the first run off after so many records")
	flag.DurationVar(&o.outage, "outage", 0, "have the authorization server down for so long, half-way")
	flag.StringVar(&o.state, "state", "", "`directory` of the checkpoint and the tokens (a temporary one)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "batchsync:", err)
		os.Exit(1)
	}
}

type options struct {
	records, workers, failAfter int
	outage, lifetime            time.Duration
	state                       string
}

// run starts the servers, and the job: once, or once more if it was cut off on purpose.
func run(ctx context.Context, o options, out io.Writer) error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("there are none of these arguments: %q", flag.Args())
	case o.records < 1 || o.workers < 1:
		return errors.New("-records and -workers are to be 1 at least")
	}
	if o.state == "" {
		dir, err := os.MkdirTemp("", "batchsync")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.state = dir
	}
	key := make([]byte, 32)
	rand.Read(key)
	s := startServers(o.lifetime, o.records)
	defer s.close()
	s.outage = o.outage

	cut := o.failAfter
	for {
		err := runJob(ctx, s, o, key, cut, out)
		if cut > 0 && errors.Is(err, errCutOff) {
			cut = 0
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	received, twice := s.received()
	if received != o.records || twice > 0 {
		return fmt.Errorf("%d of %d records arrived, %d more than once", received, o.records, twice)
	}
	_, err := fmt.Fprintf(out, "calls=%d token_requests=%d failed=%d\n",
		s.calls.Load(), s.tokenRequests(), s.failed.Load())
	return err
}

// runJob is what a process of its own does at work.
func runJob(ctx context.Context, s *servers, o options, key []byte, cut int, out io.Writer) error {
	client, err := newClient(s.tokenURL(), filepath.Join(o.state, "tokens"), key)
	if err != nil {
		return err
	}
	defer client.Close()
	marks, err := openCheckpoint(filepath.Join(o.state, "checkpoint"))
	if err != nil {
		return err
	}
	defer marks.close()
	j := &job{
		client: client, http: client.HTTPClient(), source: s.source.URL, target: s.target.URL, marks: marks,
		workers: o.workers, cut: cut, say: func(line string) { fmt.Fprintln(out, line) },
	}
	pages, err := j.pages(ctx)
	if err != nil {
		return err
	}
	p := newProgress(out, o.records, marks.records())
	defer p.end()
	j.progress = p
	return j.copy(ctx, pages)
}
