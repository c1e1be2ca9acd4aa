package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// fleet is 50 instances that start at the same moment, share nothing, and call
// every 20 ms for a life of a token and a bit. What counts is how far they are
// apart when they refresh; that they start together is not the library's doing.
func fleet(life time.Duration) *workload {
	const instances = 50
	return &workload{
		name:     "fleet",
		setting:  fmt.Sprintf("50 instances that start together, no shared store, tokens of %v, server takes 50 ms", life),
		entrants: []entrant{ours, xoauth2},
		run: func(e entrant) outcome {
			server := cctest.NewServer(cctest.Options{Lifetime: life})
			server.SetDelay(50 * time.Millisecond)
			began := time.Now()
			var all sync.WaitGroup
			for range instances {
				all.Go(func() {
					c := e.enter(arena{server.RoundTripper(), life})
					defer c.Close()
					for time.Since(began) < life*11/10 {
						if _, err := c.Token(context.Background()); err != nil {
							panic(err)
						}
						time.Sleep(20 * time.Millisecond)
					}
				})
			}
			all.Wait()
			var refreshes []time.Time
			for _, r := range server.TokenRequests() {
				if r.Time.Sub(began) > life/10 {
					refreshes = append(refreshes, r.Time)
				}
			}
			return outcome{peakOfInstances: float64(peak(refreshes, 100*time.Millisecond)) / instances}
		},
		targets: []target{within(0.4, peakOfInstances)},
	}
}

// peak is the most events in any window.
func peak(events []time.Time, window time.Duration) int {
	slices.SortFunc(events, time.Time.Compare)
	most, first := 0, 0
	for i, t := range events {
		for t.Sub(events[first]) > window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
