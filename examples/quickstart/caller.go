package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A caller calls an API, and counts.
type caller struct {
	client *http.Client
	url    string
	counts *counts
}

type counts struct{ made, failed atomic.Int64 }

func newCaller(client *http.Client, url string) *caller { return &caller{client, url, new(counts)} }

// with is the same caller with another client.
func (c *caller) with(client *http.Client) *caller { return &caller{client, c.url, c.counts} }

// made and failed count the calls so far.
func (c *caller) made() int   { return int(c.counts.made.Load()) }
func (c *caller) failed() int { return int(c.counts.failed.Load()) }

// call makes one call, tells of a failure, and gives the time it took. Tokens
// are the http.Client's business.
func (c *caller) call(ctx context.Context) time.Duration {
	start := time.Now()
	c.counts.made.Add(1)
	if err := c.get(ctx); err != nil {
		c.counts.failed.Add(1)
		fmt.Fprintln(os.Stderr, "quickstart: a call failed:", err)
	}
	return time.Since(start)
}

func (c *caller) get(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return err
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode >= 400 {
		return fmt.Errorf("the API answered %s", resp.Status)
	}
	return nil
}

// atOnce makes n calls at the same time, and gives the time of the slowest.
func (c *caller) atOnce(ctx context.Context, n int) (slowest time.Duration) {
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { took[i] = c.call(ctx) })
	}
	wg.Wait()
	for _, d := range took {
		slowest = max(slowest, d)
	}
	return slowest
}

// until makes fifty calls a second until something has happened.
func (c *caller) until(ctx context.Context, happened func() bool) (calls int, slowest time.Duration, err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(2 * lifetime)
	for !happened() {
		slowest = max(slowest, c.call(ctx))
		calls++
		select {
		case <-tick.C:
		case <-ctx.Done():
			return calls, slowest, ctx.Err()
		case <-giveUp:
			return calls, slowest, fmt.Errorf("nothing happened in %v", 2*lifetime)
		}
	}
	return calls, slowest, nil
}
