package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"
)

// cachedToken is Token with a token in memory, on procs processors.
func cachedToken(procs int, targets ...target) *workload {
	w := &workload{
		name:     fmt.Sprintf("micro/Token/procs=%d", procs),
		setting:  "cached, in parallel",
		entrants: []entrant{ours, xoauth2, floor},
		targets:  append([]target{exactly(0, allocations), times(1.15, floor, perCall)}, targets...),
		repeated: true,
	}
	w.run = func(e entrant) outcome {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		return benchmark(benchmarkToken(e))
	}
	return w
}

func benchmarkToken(e entrant) func(*testing.B) {
	return func(b *testing.B) {
		c := e.enter((&stub{size: 1 << 10}).arena())
		defer c.Close()
		ctx := context.Background()
		if _, err := c.Token(ctx); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Token(ctx); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
}

// roundTrip is a request with a token in memory and a base that costs nothing.
func roundTrip(tokenSize, headers int, targets ...target) *workload {
	return &workload{
		name:     fmt.Sprintf("micro/RoundTrip/token=%d/headers=%d", tokenSize, headers),
		setting:  "cached, base that does nothing",
		entrants: []entrant{ours, xoauth2, floor},
		run:      func(e entrant) outcome { return benchmark(benchmarkRoundTrip(e, tokenSize, headers)) },
		targets:  append([]target{atMost(3, allocations), atMost(720, allocated)}, targets...),
		repeated: true,
	}
}

func benchmarkRoundTrip(e entrant, tokenSize, headers int) func(*testing.B) {
	return func(b *testing.B) {
		c := e.enter((&stub{size: tokenSize}).arena())
		defer c.Close()
		transport := c.Transport(&null{http.Response{StatusCode: http.StatusOK, Body: http.NoBody}})
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://api.example/v1/things?limit=10", nil)
		must(err)
		for i := range headers {
			req.Header.Set(fmt.Sprintf("X-Header-%d", i), "value")
		}
		if _, err := transport.RoundTrip(req); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := transport.RoundTrip(req); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// forToken is For and Token together, among a number of keys.
func forToken(keys int) *workload {
	return &workload{
		name:     fmt.Sprintf("micro/For+Token/keys=%d", keys),
		setting:  "cached, keys in random order; x/oauth2: a map of token sources",
		entrants: []entrant{ours, xoauth2, floor},
		run:      func(e entrant) outcome { return benchmark(benchmarkFor(e, keys)) },
		targets:  []target{within(1000, perCall), shown(allocations)},
		repeated: true,
	}
}

func benchmarkFor(e entrant, keys int) func(*testing.B) {
	return func(b *testing.B) {
		s := &stub{size: 20}
		c := e.enter(s.arena())
		defer c.Close()
		scopes := tenants(keys)
		ctx := context.Background()
		call := func(i int) {
			if _, err := c.For(scopes[i]).Token(ctx); err != nil {
				b.Fatal(err)
			}
		}
		for i := range scopes {
			call(i)
		}
		asked := s.made.Load()
		order := rand.New(rand.NewPCG(1, 2)).Perm(keys)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			call(order[i%keys])
		}
		if again := s.made.Load() - asked; again > 0 {
			b.Fatalf("%d tokens were asked for again", again)
		}
	}
}

func tenants(n int) []string {
	scopes := make([]string, n)
	for i := range scopes {
		scopes[i] = fmt.Sprintf("tenant-%d", i)
	}
	return scopes
}
