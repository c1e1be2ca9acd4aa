package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// Workloads in which tokens run out under 200 calls a second. In each of them
// one caller comes before the others and waits for the first token.

const interval = time.Second / 200

func (s *stage) firstCaller() {
	if c := s.call(context.Background()); c.rejected {
		panic("a new token was rejected")
	}
}

// expiry is tokens that live for 3 s, for 15 s.
func expiry() *workload {
	return &workload{
		name:     "expiry",
		setting:  "tokens of 3 s, server takes 200 ms, 200 calls a second for 15 s",
		entrants: []entrant{ours, xoauth2},
		bounds:   outcome{longestCall: 0, callsHeldUp: 0, rejectedByAPI: 0, callsFailed: 0},
		run: func(e entrant) outcome {
			s, calls := acrossExpiries(e, 3*time.Second, 15*time.Second)
			return outcome{
				longestCall:   longest(calls),
				callsHeldUp:   tally(calls, heldUp),
				rejectedByAPI: float64(s.server.Stats().ResourceRejected),
				callsFailed:   tally(calls, failed),
				tokenRequests: s.requests(),
				atATime:       float64(s.tokens.most.Load()),
			}
		},
		targets: []target{
			within(inMilliseconds(patience), longestCall),
			shown(callsHeldUp),
			exactly(0, rejectedByAPI),
			exactly(0, callsFailed),
			exactly(1, atATime),
			shown(tokenRequests),
		},
	}
}

// acrossExpiries returns the calls that are made until the stage is so old, with tokens of a life and a slow token
// endpoint.
func acrossExpiries(e entrant, life, until time.Duration) (*stage, []call) {
	s := newStage(e, life, serverSlow)
	defer s.Close()
	s.firstCaller()
	return s, s.load(interval, until)
}

// How long the token endpoint takes: when tokens run out, and when there are outages.
const (
	serverSlow  = 200 * time.Millisecond
	serverTakes = 20 * time.Millisecond
)

// shortOutage ends half a second before the token does.
func shortOutage() *workload {
	const from, to = 3500 * time.Millisecond, 5500 * time.Millisecond
	const life = 6 * time.Second
	return &workload{
		name:     "outage/short",
		setting:  "tokens of 6 s, 503 from 3.5 s to 5.5 s, server takes 20 ms, 200 calls a second for 8 s",
		entrants: []entrant{ours, xoauth2},
		bounds:   outcome{callsFailed: 0, longestCall: 0, callsHeldUp: 0},
		run: func(e entrant) outcome {
			s := newStage(e, life, serverTakes)
			defer s.Close()
			s.outage(from, to)
			s.firstCaller()
			calls := s.load(interval, 8*time.Second)
			return outcome{
				callsFailed:   tally(calls, failed),
				longestCall:   longest(calls),
				callsHeldUp:   tally(calls, heldUp),
				tokenRequests: s.requests(),
				atATime:       float64(s.tokens.most.Load()),
				recovery:      inMilliseconds(s.recovered(to).Sub(s.began.Add(to))),
			}
		},
		targets: []target{
			exactly(0, callsFailed),
			within(inMilliseconds(patience), longestCall),
			shown(callsHeldUp),
			exactly(1, atATime),
			atMost(10, tokenRequests),
			// At the token's expiry at the latest, when somebody has to call and
			// the server takes its time.
			within(inMilliseconds(life-to+2*interval+serverTakes), recovery),
		},
	}
}

// longOutage goes on for 12.5 s after the token has run out.
func longOutage() *workload {
	const from, to = 3500 * time.Millisecond, 18500 * time.Millisecond
	// The longest that the library ever pauses while there is no token.
	const pause = 10 * time.Second
	return &workload{
		name:     "outage/long",
		setting:  "tokens of 6 s, 503 from 3.5 s to 18.5 s, server takes 20 ms, 200 calls a second for 30 s",
		entrants: []entrant{ours, xoauth2},
		run: func(e entrant) outcome {
			s := newStage(e, 6*time.Second, serverTakes)
			defer s.Close()
			s.outage(from, to)
			s.firstCaller()
			calls := s.load(interval, to+pause+1500*time.Millisecond)
			recovered := s.recovered(to)
			return outcome{
				duringOutage: s.asked(from, to),
				atATime:      float64(s.tokens.most.Load()),
				recovery:     inMilliseconds(recovered.Sub(s.began.Add(to))),
				failedAfter: tally(calls, func(c call) bool {
					return failed(c) && c.at.After(recovered)
				}),
				callsFailed: tally(calls, failed),
				longestCall: longest(calls),
			}
		},
		targets: []target{
			atMost(25, duringOutage),
			exactly(1, atATime),
			within(inMilliseconds(pause+2*interval+serverTakes), recovery),
			exactly(0, failedAfter),
			shown(callsFailed),
			shown(longestCall),
		},
	}
}

// recovered is when the first token after an outage was there; a year from now
// if there was none.
func (s *stage) recovered(end time.Duration) time.Time {
	for _, r := range s.server.TokenRequests() {
		if r.Status == http.StatusOK && r.Time.After(s.began.Add(end)) {
			return r.Time.Add(serverTakes)
		}
	}
	return time.Now().AddDate(1, 0, 0)
}

// asked counts the token requests between two ages of the stage.
func (s *stage) asked(from, to time.Duration) float64 {
	return float64(len(slices.DeleteFunc(s.server.TokenRequests(), func(r cctest.RecordedRequest) bool {
		return r.Time.Before(s.began.Add(from)) || r.Time.After(s.began.Add(to))
	})))
}
