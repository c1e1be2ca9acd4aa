package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Workloads in which many callers need the same thing at once.

// cold is 1,000 callers and no token.
func cold() *workload {
	return &workload{
		name:     "cold",
		setting:  "1,000 callers of Token, server takes 100 ms",
		entrants: []entrant{ours, xoauth2},
		bounds:   outcome{tokenRequests: 1, lastServed: 100},
		run: func(e entrant) outcome {
			s := newStage(e, time.Hour, 100*time.Millisecond)
			defer s.Close()
			var failures atomic.Int64
			s.crowd(1000, func(int) {
				if _, err := s.Token(context.Background()); err != nil {
					failures.Add(1)
				}
			})
			return outcome{
				tokenRequests: s.requests(),
				lastServed:    inMilliseconds(time.Since(s.began)),
				callsFailed:   float64(failures.Load()),
			}
		},
		targets: []target{
			exactly(1, tokenRequests),
			times(1.1, floor, lastServed),
			exactly(0, callsFailed),
		},
		repeated: true,
	}
}

// revoked is a token that is revoked with 500 requests in flight, which are
// answered over a while.
func revoked(name string, over time.Duration) *workload {
	const inFlight = 500
	return &workload{
		name:     "revoked/" + name,
		setting:  "500 requests in flight, server takes 50 ms",
		entrants: []entrant{ours, xoauth2},
		bounds:   outcome{tokenRequests: 1, seenRejected: 0, callsFailed: 0},
		run: func(e entrant) outcome {
			s := newStage(e, time.Hour, 50*time.Millisecond)
			defer s.Close()
			if _, err := s.Token(context.Background()); err != nil {
				panic(err)
			}
			before := s.requests()
			var arrived atomic.Int64
			all, answer := make(chan struct{}), make(chan struct{})
			s.serve(func(*http.Request) {
				n := arrived.Add(1)
				if n > inFlight {
					return // sent again
				}
				if n == inFlight {
					close(all)
				}
				<-answer
				time.Sleep(over * time.Duration(n) / inFlight)
			})
			var revocation sync.WaitGroup
			revocation.Go(func() {
				<-all
				s.server.RevokeAll()
				close(answer)
			})
			calls := make([]call, inFlight)
			s.crowd(inFlight, func(i int) { calls[i] = s.call(context.Background()) })
			revocation.Wait()
			// A refresh that a late 401 asked for may only have been put off.
			time.Sleep(1500 * time.Millisecond)
			calls = append(calls, s.call(context.Background()))
			return outcome{
				tokenRequests: s.requests() - before,
				seenRejected:  tally(calls, rejected),
				callsFailed:   tally(calls, failed),
			}
		},
		targets: []target{
			exactly(0, seenRejected),
			exactly(0, callsFailed),
			exactly(1, tokenRequests),
		},
	}
}

// cancelled is a caller among 100 that gives up 50 ms after the first needed a
// token: the one that all wait for, or another.
func cancelled(name string, who int) *workload {
	const callers, patience = 100, 50 * time.Millisecond
	return &workload{
		name:     "cancelled/" + name,
		setting:  "100 callers, one gives up after 50 ms, server takes 500 ms",
		entrants: []entrant{ours, xoauth2},
		bounds:   outcome{returned: 0, othersFailed: 0, tokenRequests: 1},
		run: func(e entrant) outcome {
			s := newStage(e, time.Hour, 500*time.Millisecond)
			defer s.Close()
			var (
				all   sync.WaitGroup
				calls [callers]call
				gone  time.Time
			)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := range calls {
				own := context.Background()
				if i == who {
					own = ctx
				}
				all.Go(func() { calls[i] = s.call(own) })
				if i == 0 {
					<-s.tokens.first // the first is the leader
				}
			}
			time.Sleep(patience)
			gone = time.Now()
			cancel()
			all.Wait()
			quitter := calls[who]
			others := append(calls[:who:who], calls[who+1:]...)
			return outcome{
				returned:      inMilliseconds(quitter.at.Add(quitter.took).Sub(gone)),
				othersFailed:  tally(others, failed),
				tokenRequests: s.requests(),
			}
		},
		targets: []target{
			within(5, returned),
			exactly(0, othersFailed),
			exactly(1, tokenRequests),
		},
	}
}
