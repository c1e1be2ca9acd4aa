package cctest

import (
	"context"
	"net/http"
	"time"
)

// NoAnswer, in place of a status, cuts the connection before an answer is sent; to a client that uses RoundTripper it
// is an error of the round trip.
const NoAnswer = -1

// A fault is an answer that has nothing to do with the request.
type fault struct {
	status int
	header http.Header
	body   []byte // nil: an error response that fits the status
}

// FailNext makes the server answer the next n token requests with a status, a header (such as Retry-After; may be
// nil) and, for errors, a JSON body as RFC 6749 has it. Faults queue up: what is asked for later comes later. They
// take as long as SetDelay says.
func (s *Server) FailNext(n int, status int, header http.Header) {
	s.FailNextWith(n, status, header, nil)
}

// FailNextWith is FailNext with a body of the test's own, such as a proxy's HTML; its Content-Type comes from header.
// A nil body is FailNext's.
func (s *Server) FailNextWith(n int, status int, header http.Header, body []byte) {
	f := fault{status: status, header: header.Clone(), body: body}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults = append(s.faults, f)
	}
}

// SetDown begins an outage: every token request that arrives is answered with the status, until SetDown(0) ends it.
// Faults that are queued up wait.
func (s *Server) SetDown(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = status
}

// SetDelay sets how long the server takes over each token request from now on. In a testing/synctest bubble that is
// virtual time. A request whose context ends is not waited for.
func (s *Server) SetDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// nextFault returns what a token request that arrives now meets; nil: nothing. The caller holds mu.
func (s *Server) nextFault() *fault {
	if s.down != 0 {
		return &fault{status: s.down}
	}
	if len(s.faults) == 0 {
		return nil
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return &f
}

// code returns the error code of a fault without a body of its own.
func (f *fault) code() string {
	switch {
	case f.body != nil || f.status < 400:
		return ""
	case f.status == http.StatusUnauthorized:
		return "invalid_client"
	case f.status == http.StatusForbidden:
		return "unauthorized_client"
	case f.status == http.StatusTooManyRequests || f.status == http.StatusServiceUnavailable:
		return "temporarily_unavailable"
	case f.status >= 500:
		return "server_error"
	}
	return "invalid_request"
}

func (f *fault) write(w http.ResponseWriter) {
	if f.status < 200 || f.status > 999 { // net/http has no way to send it
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if code := f.code(); code != "" {
		(&problem{status: f.status, code: code, description: "the server was told to fail"}).write(w)
		return
	}
	w.WriteHeader(f.status)
	w.Write(f.body)
}

// pause waits for d and reports whether the request is still wanted then. It waits for nothing that was made outside
// of a bubble it may run in.
func pause(ctx context.Context, d time.Duration) bool {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}
