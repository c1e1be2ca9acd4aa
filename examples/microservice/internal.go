package main

import (
	"context"
	"errors"
	"expvar"
	"net/http"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/ccstatus"
)

// counts are the service's metrics, without a library for them. One that has
// OpenTelemetry takes the Trace of ccclient/otelcc.
var counts = expvar.NewMap("microservice")

// counted is a Trace that counts what happens to tokens.
func counted() *ccclient.Trace {
	return &ccclient.Trace{
		TokenRequest: func(
			context.Context, ccclient.TokenRequestInfo,
		) (context.Context, func(ccclient.TokenRequestDone)) {
			counts.Add("token_requests", 1)
			return nil, func(d ccclient.TokenRequestDone) {
				if d.Err != nil {
					counts.Add("token_requests_failed", 1)
				}
			}
		},
		Rejected: func(context.Context, ccclient.RejectInfo) { counts.Add("tokens_rejected", 1) },
	}
}

// internal is for those who run the service, on a port that is not public.
func (s *service) internal() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /debug/vars", expvar.Handler())
	mux.Handle("/debug/tokens", ccstatus.Handler(s.client))
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {}) // A restart would mend no token server.
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

// ready returns why requests had better go elsewhere. While tokens live it asks
// nobody.
func (s *service) ready(ctx context.Context) error {
	if s.stopping.Load() {
		return errors.New("shutting down")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return errors.Join(s.orders.tokens.Ready(ctx), s.stock.tokens.Ready(ctx))
}
