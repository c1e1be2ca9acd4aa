package otelcc_test

import (
	"net/http"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// null answers at once and with the same response, so that what is measured is the client's own.
type null struct{ resp http.Response }

func (n *null) RoundTrip(*http.Request) (*http.Response, error) { return &n.resp, nil }

// cached returns what makes an API call with a token from memory, told of or not.
func cached(tb testing.TB, told bool) (call func()) {
	tb.Helper()
	as := cctest.NewServer(cctest.Options{})
	tb.Cleanup(as.Close)
	cfg := ccclient.Config{
		TokenURL: "https://as.example.com/token", ClientID: cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: as.RoundTripper()},
	}
	if told {
		cfg.Trace = newTrace(tb)
	}
	c, err := ccclient.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	rt := c.Transport(&null{http.Response{StatusCode: 200, Body: http.NoBody}})
	req, err := http.NewRequest("GET", "https://api.example.com/things", nil)
	if err != nil {
		tb.Fatal(err)
	}
	call = func() {
		if _, err := rt.RoundTrip(req); err != nil {
			tb.Fatal(err)
		}
	}
	call()
	return call
}

func TestCachedRequestCostsNoAllocationMore(t *testing.T) {
	off, on := testing.AllocsPerRun(100, cached(t, false)), testing.AllocsPerRun(100, cached(t, true))
	if on != off {
		t.Errorf("%v allocations, %v without", on, off)
	}
}

// BenchmarkRoundTrip is to take at most 1.05 times as long with a Trace as without.
func BenchmarkRoundTrip(b *testing.B) {
	for name, told := range map[string]bool{"trace=off": false, "trace=on": true} {
		b.Run(name, func(b *testing.B) {
			call := cached(b, told)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
