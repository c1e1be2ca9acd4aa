package main

import (
	"fmt"
	"strings"
	"testing"
)

// How to compare what follows is said in main.go.

//lint:ignore U1000 It only has to be there.
var live = ballast()

func compare(b *testing.B, run func(entrant) func(*testing.B)) {
	for _, e := range []entrant{ours, xoauth2, floor} {
		b.Run("who="+strings.ReplaceAll(e.name, "/", "-"), run(e))
	}
}

func BenchmarkToken(b *testing.B) { compare(b, benchmarkToken) }

func BenchmarkRoundTrip(b *testing.B) {
	for _, tokenSize := range []int{20, 1 << 10, 4 << 10} {
		for _, headers := range []int{5, 7} {
			b.Run(fmt.Sprintf("token=%d/headers=%d", tokenSize, headers), func(b *testing.B) {
				compare(b, func(e entrant) func(*testing.B) { return benchmarkRoundTrip(e, tokenSize, headers) })
			})
		}
	}
}

func BenchmarkFor(b *testing.B) {
	for _, keys := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			compare(b, func(e entrant) func(*testing.B) { return benchmarkFor(e, keys) })
		})
	}
}
