package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A timeline shows the steps, each with the second it began at.
type timeline struct {
	start  time.Time
	faults []error
}

func startTimeline() *timeline { return &timeline{start: time.Now()} }

// show takes a step and prints a line on it.
func (t *timeline) show(ctx context.Context, title string, step func(context.Context) (string, error)) {
	if ctx.Err() != nil {
		return
	}
	fmt.Printf("%5.1fs  %-26s ", time.Since(t.start).Seconds(), title)
	came, err := step(ctx)
	if err != nil {
		t.faults = append(t.faults, fmt.Errorf("%s: %w", title, err))
		came = err.Error()
	}
	fmt.Println(came)
}

// end prints the line of sums, and tells whether all was well.
func (t *timeline) end(calls, tokenRequests, failed int) error {
	fmt.Printf("calls=%d token_requests=%d failed=%d\n", calls, tokenRequests, failed)
	if failed > 0 {
		t.faults = append(t.faults, fmt.Errorf("%d calls failed", failed))
	}
	return errors.Join(t.faults...)
}
