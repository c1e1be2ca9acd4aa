package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// A service answers GET /orders/{id} with what two APIs say.
type service struct {
	client        *ccclient.Client
	orders, stock api
	stopping      atomic.Bool
}

// An api is called with tokens for it alone.
type api struct {
	tokens *ccclient.Client
	http   *http.Client
	url    string
}

func newService(client *ccclient.Client, ordersURL, stockURL string) *service {
	to := func(url, label string) api {
		tokens := client.For(ccclient.Target{Audience: url, Label: label})
		return api{tokens, tokens.HTTPClient(), url}
	}
	return &service{client: client, orders: to(ordersURL, "orders"), stock: to(stockURL, "stock")}
}

func (s *service) public() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", s.order)
	return mux
}

// An order is what the APIs know of one.
type order struct {
	Item  string `json:"item"`
	Left  int    `json:"left"`
	Ready bool   `json:"ready"`
}

func (s *service) order(w http.ResponseWriter, r *http.Request) {
	// On the context of the request that this is for: when its sender gives
	// up nobody waits any longer, neither for the APIs nor for a token.
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	var o order
	err := s.orders.get(ctx, "/orders/"+r.PathValue("id"), &o)
	if err == nil {
		err = s.stock.get(ctx, "/stock/"+o.Item, &o)
	}
	if err != nil {
		fail(w, err)
		return
	}
	o.Ready = o.Left > 0
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(o) // What fails here has nobody to be told.
}

// get reads what an API has at path.
func (a api) get(ctx context.Context, path string, into any) (err error) {
	counts.Add("api_calls", 1)
	defer func() {
		if err != nil {
			counts.Add("api_calls_failed", 1)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, nil)
	if err != nil {
		return err
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// fail answers a request for which an API could not be called. What is logged
// holds neither a secret nor a token.
func fail(w http.ResponseWriter, err error) {
	slog.Warn("no answer from an API", "error", err)
	if e, ok := errors.AsType[*ccclient.Error](err); ok && e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)+1))
	}
	http.Error(w, "the orders are not available", http.StatusServiceUnavailable)
}
