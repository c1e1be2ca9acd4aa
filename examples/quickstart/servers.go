package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// lifetime is that of a token, short so that there is something to see.
const lifetime = 4 * time.Second

// servers are an authorization server and an API that demands its tokens.
type servers struct {
	auth *cctest.Server
	api  *httptest.Server
}

func startServers() *servers {
	auth := cctest.NewServer(cctest.Options{Lifetime: lifetime})
	api := httptest.NewServer(auth.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})))
	return &servers{auth, api}
}

func (s *servers) Close() {
	s.api.Close()
	s.auth.Close()
}

// served counts the requests that the API let in.
func (s *servers) served() int {
	stats := s.auth.Stats()
	return stats.ResourceRequests - stats.ResourceRejected
}

// rejected counts those that it answered with 401.
func (s *servers) rejected() int { return s.auth.Stats().ResourceRejected }

// tokenRequests counts what reached the token endpoint, whatever the answer.
func (s *servers) tokenRequests() int { return s.auth.Stats().TokenRequests }
