package cctest

import (
	"maps"
	"net/http"
	"net/url"
	"time"
)

// A RecordedRequest is the server's note of a request to the token endpoint. It holds no secret, no assertion and no
// token.
type RecordedRequest struct {
	Time   time.Time   // when it arrived
	URL    string      // the path and query it was sent to; the path alone if the query had a secret
	Header http.Header // as received, without Authorization
	Form   url.Values  // as received, without client_secret and client_assertion

	ClientID   string         // as the client named itself, even if it could not prove it
	AuthMethod string         // the method it tried, by its IANA name; empty: none, or several
	Claims     map[string]any // of a client assertion whose signature is good
	DPoPKey    string         // RFC 7638 thumbprint of the key that made the DPoP proof, if that is good

	Status int    // of the answer; zero: none yet, or the client gave up; or NoAnswer
	Error  string // the error code of the answer
}

// TokenRequests returns all requests that the token endpoint has seen so far, faults included, in the order of their
// arrival. The caller owns the result.
func (s *Server) TokenRequests() []RecordedRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := make([]RecordedRequest, len(s.requests))
	for i, r := range s.requests {
		requests[i] = r.clone()
	}
	return requests
}

func (r RecordedRequest) clone() RecordedRequest {
	r.Header = r.Header.Clone()
	r.Form = url.Values(http.Header(r.Form).Clone())
	r.Claims = maps.Clone(r.Claims)
	return r
}

// Stats counts what a server has seen.
type Stats struct {
	TokenRequests    int // at the token endpoint, whatever the answer
	TokensIssued     int // tokens made: less than the requests that succeeded, if the server repeats them
	MetadataRequests int
	ResourceRequests int // at what Protect protects
	ResourceRejected int // those of them that Protect refused
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

// count adds one to one of s.stats' fields.
func (s *Server) count(field *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*field++
}

// arrive notes a token request, and says what is to be done with it.
func (s *Server) arrive(r *http.Request, form url.Values) (id int, f *fault, delay time.Duration) {
	req := RecordedRequest{
		Time:     time.Now(),
		URL:      r.URL.RequestURI(),
		Header:   r.Header.Clone(),
		Form:     url.Values(http.Header(form).Clone()),
		ClientID: form.Get("client_id"),
	}
	if misplacedSecret(r.URL) != "" {
		req.URL = r.URL.EscapedPath()
	}
	req.Header.Del("Authorization")
	req.Form.Del("client_secret")
	req.Form.Del("client_assertion")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, req)
	s.stats.TokenRequests++
	return len(s.requests) - 1, s.nextFault(), s.delay
}

// request returns a copy of the note.
func (s *Server) request(id int) RecordedRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[id].clone()
}

// answered replaces the note by one that knows more.
func (s *Server) answered(id int, req RecordedRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[id] = req
}
