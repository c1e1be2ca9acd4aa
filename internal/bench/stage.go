package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A stage is an authorization server, an API that checks its tokens, and a
// contestant between the two. There are no sockets, so that it also works in
// virtual time; the costs are the same for all contestants.
type stage struct {
	contestant
	server *cctest.Server
	tokens *gauge // the way to the token endpoint
	api    http.RoundTripper
	began  time.Time
}

// newStage sets the stage with tokens of a life, and a token endpoint that
// takes its time.
func newStage(e entrant, life, takes time.Duration) *stage {
	s := &stage{server: cctest.NewServer(cctest.Options{Lifetime: life}), began: time.Now()}
	s.server.SetDelay(takes)
	s.tokens = &gauge{base: s.server.RoundTripper(), first: make(chan struct{})}
	s.contestant = e.enter(arena{s.tokens, life})
	s.serve(func(*http.Request) {})
	return s
}

// serve has the API do something before it looks at a request's token.
func (s *stage) serve(before func(*http.Request)) {
	protected := s.server.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.api = s.Transport(cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before(r)
		protected.ServeHTTP(w, r)
	})))
}

// A call is one request to the API.
type call struct {
	at       time.Time
	took     time.Duration
	served   bool
	rejected bool // by the API, and the caller saw it
}

func (s *stage) call(ctx context.Context) call {
	c := call{at: time.Now()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example/", nil)
	must(err)
	resp, err := s.api.RoundTrip(req)
	if err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		c.served = resp.StatusCode == http.StatusOK
		c.rejected = resp.StatusCode == http.StatusUnauthorized
	}
	c.took = time.Since(c.at)
	return c
}

// crowd has n goroutines do something at once and returns when all have.
func (s *stage) crowd(n int, do func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// load makes a call each interval, none of which waits for another, until the
// stage is so old, and returns when all have.
func (s *stage) load(interval, until time.Duration) []call {
	n := int((until - time.Since(s.began)) / interval)
	calls := make([]call, n)
	var all sync.WaitGroup
	next := time.Now()
	for i := range calls {
		time.Sleep(time.Until(next))
		next = next.Add(interval)
		all.Go(func() { calls[i] = s.call(context.Background()) })
	}
	all.Wait()
	return calls
}

// outage has the token endpoint answer 503 from one age of the stage to
// another.
func (s *stage) outage(from, to time.Duration) {
	time.AfterFunc(time.Until(s.began.Add(from)), func() { s.server.SetDown(http.StatusServiceUnavailable) })
	time.AfterFunc(time.Until(s.began.Add(to)), func() { s.server.SetDown(0) })
}

// requests counts the token requests so far.
func (s *stage) requests() float64 { return float64(s.server.Stats().TokenRequests) }

// A gauge counts the requests under way.
type gauge struct {
	base      http.RoundTripper
	now, most atomic.Int64
	once      sync.Once
	first     chan struct{} // closed when the first comes by
}

func (g *gauge) RoundTrip(req *http.Request) (*http.Response, error) {
	g.once.Do(func() { close(g.first) })
	now := g.now.Add(1)
	defer g.now.Add(-1)
	for most := g.most.Load(); now > most && !g.most.CompareAndSwap(most, now); most = g.most.Load() {
	}
	return g.base.RoundTrip(req)
}

// tally is a number of calls.
func tally(calls []call, those func(call) bool) float64 {
	n := 0
	for _, c := range calls {
		if those(c) {
			n++
		}
	}
	return float64(n)
}

func failed(c call) bool   { return !c.served }
func rejected(c call) bool { return c.rejected }
func heldUp(c call) bool   { return c.took > patience }

// patience is how long a call may take before it counts as held up: the API
// itself takes no time.
const patience = 50 * time.Millisecond

func longest(calls []call) float64 {
	most := time.Duration(0)
	for _, c := range calls {
		most = max(most, c.took)
	}
	return inMilliseconds(most)
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var (
	tokenRequests   = figure{"token requests", count}
	atATime         = figure{"token requests at a time", count}
	callsFailed     = figure{"calls that failed", count}
	callsHeldUp     = figure{"calls over 50 ms", count}
	longestCall     = figure{"longest call", milliseconds}
	seenRejected    = figure{"calls that saw a 401", count}
	lastServed      = figure{"last caller served after", milliseconds}
	recovery        = figure{"recovered after the outage in", milliseconds}
	failedAfter     = figure{"calls that failed after recovery", count}
	duringOutage    = figure{"token requests during the outage", count}
	returned        = figure{"returned after its cancellation in", milliseconds}
	othersFailed    = figure{"others that failed", count}
	rejectedByAPI   = figure{"401s at the API", count}
	peakOfInstances = figure{"peak in 100 ms, of the instances", count}
)
