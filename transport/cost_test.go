package transport_test

import (
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

func TestACachedRoundTripCostsThreeAllocationsAnd720BytesAtMost(t *testing.T) {
	for _, tc := range []struct{ headers, token int }{{0, 40}, {7, 16 << 10}} {
		tr, req := cached(t, tc.token, tc.headers)
		trip := func() {
			if _, err := tr.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(100, trip); n > 3 {
			t.Errorf("%+v: %v allocations", tc, n)
		}
		if result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				trip()
			}
		}); result.AllocedBytesPerOp() > 720 {
			t.Errorf("%+v: %d bytes", tc, result.AllocedBytesPerOp())
		}
	}
}
