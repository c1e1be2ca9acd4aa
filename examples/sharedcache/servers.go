package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// servers are an authorization server and an API that demands its tokens.
type servers struct {
	auth *cctest.Server
	api  *httptest.Server
}

func startServers(lifetime time.Duration) *servers {
	auth := cctest.NewServer(cctest.Options{Lifetime: lifetime})
	api := httptest.NewServer(auth.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	return &servers{auth, api}
}

func (s *servers) Close() {
	s.api.Close()
	s.auth.Close()
}

// answered counts the calls that the API let in.
func (s *servers) answered() int {
	stats := s.auth.Stats()
	return stats.ResourceRequests - stats.ResourceRejected
}

// requests counts the token requests.
func (s *servers) requests() int { return s.auth.Stats().TokenRequests }

// tokens counts the tokens that were given out.
func (s *servers) tokens() int { return s.auth.Stats().TokensIssued }

// asking waits for a token request after the first n, and gives the process
// that makes it.
func (s *servers) asking(ctx context.Context, n int) (process int, err error) {
	if err := until(ctx, func() bool { return len(s.auth.TokenRequests()) > n }); err != nil {
		return 0, err
	}
	return strconv.Atoi(s.auth.TokenRequests()[n].Header.Get(processHeader))
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// until waits for something that happens in seconds.
func until(ctx context.Context, happened func() bool) error {
	const patience = time.Minute
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(patience)
	for !happened() {
		select {
		case <-tick.C:
		case <-giveUp:
			return errors.New("what should happen did not happen in a minute")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
