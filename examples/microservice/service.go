package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// A service answers GET /orders/{tenant} with what the API says.
type service struct {
	client *ccclient.Client
	apiURL string
}

func newService(client *ccclient.Client, apiURL string) http.Handler {
	s := &service{client, apiURL}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{tenant}", s.orders)
	return mux
}

func (s *service) orders(w http.ResponseWriter, r *http.Request) {
	// The tenants' tokens are kept apart. For is made to be called for each
	// request: it remembers, and it forgets those who stay away.
	tenant := s.client.For(ccclient.Target{Audience: "tenant/" + r.PathValue("tenant")})

	// On the context of the request that this is for: when its sender gives
	// up nobody waits any longer, neither for the API nor for a token.
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, s.apiURL+"/orders", nil)
	if err != nil {
		s.fail(w, err)
		return
	}
	resp, err := tenant.HTTPClient().Do(req)
	if err != nil {
		s.fail(w, err)
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// fail answers a request for which the API could not be called. What is logged
// holds neither a secret nor a token.
func (s *service) fail(w http.ResponseWriter, err error) {
	slog.Warn("no answer from the API", "error", err)
	if e, ok := errors.AsType[*ccclient.Error](err); ok && e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)+1))
	}
	http.Error(w, "the orders are not available", http.StatusServiceUnavailable)
}
