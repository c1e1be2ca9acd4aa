package transport_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/transport"
)

// null answers at once and with the same response, so that a cost is the Transport's own.
type null struct{ resp http.Response }

func (n *null) RoundTrip(*http.Request) (*http.Response, error) { return &n.resp, nil }

func cached(tb testing.TB, tokenSize, headers int) (*transport.Transport, *http.Request) {
	tb.Helper()
	tr := &transport.Transport{
		Source: bearer(strings.Repeat("t", tokenSize)),
		Base:   &null{http.Response{StatusCode: 200, Body: http.NoBody}},
	}
	req := request(tb, "GET", "https://api.example.com/v1/things?limit=10", nil)
	for i := range headers {
		req.Header.Set(fmt.Sprintf("X-Header-%d", i), "value")
	}
	return tr, req
}

func BenchmarkRoundTripCached(b *testing.B) {
	for _, headers := range []int{0, 5, 7, 12} {
		b.Run(fmt.Sprintf("headers=%d", headers), func(b *testing.B) {
			tr, req := cached(b, 1<<10, headers)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tr.RoundTrip(req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignature is the floor under BenchmarkRoundTripDPoP: what the key itself takes.
func BenchmarkSignature(b *testing.B) {
	key := p256(b)
	digest := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRoundTripDPoP(b *testing.B) {
	dpop, err := transport.NewDPoP(p256(b))
	if err != nil {
		b.Fatal(err)
	}
	tr, req := cached(b, 1, 5)
	tr.DPoP = dpop
	tr.Source = bound(strings.Repeat("t", 1<<10))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tr.RoundTrip(req); err != nil {
			b.Fatal(err)
		}
	}
}

func p256(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
