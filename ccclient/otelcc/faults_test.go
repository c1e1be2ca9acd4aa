package otelcc_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A fault is something that goes wrong, and the question to the metrics that shows it, and none of the others.
type fault struct {
	configure func(*ccclient.Config)
	spoil     func(r *rig)
	shown     func(before, after map[string]float64) bool
}

// grown is by how much the series of a metric have grown.
func grown(before, after map[string]float64, metric string, parts ...string) float64 {
	return sum(after, metric, parts...) - sum(before, metric, parts...)
}

var faults = map[string]fault{
	"dead token server": {
		spoil: func(r *rig) { r.as.SetDown(cctest.NoAnswer) },
		shown: func(before, after map[string]float64) bool {
			return grown(before, after, requests, "error.type=connection_cut") > 0 && sum(after, remaining) == 0
		},
	},
	"bad credentials": {
		configure: func(c *ccclient.Config) {
			c.Auth = ccclient.ClientSecretBasic(ccclient.SecretEnv("CCCLIENT_TEST_SECRET"))
		},
		spoil: func(r *rig) { r.t.Setenv("CCCLIENT_TEST_SECRET", "wrong") },
		shown: func(before, after map[string]float64) bool {
			return grown(before, after, requests, "error.type=invalid_client") > 0
		},
	},
	"API that rejects everything": {
		spoil: func(r *rig) {
			refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
			r.api.Transport = r.Transport(cctest.RoundTripper(refuse))
		},
		shown: func(before, after map[string]float64) bool {
			return grown(before, after, rejections, "healed=false") > 10
		},
	},
	"slow store": {
		configure: func(c *ccclient.Config) { c.Cache.Store = slow{cache.Memory()} },
		spoil:     func(*rig) {},
		shown: func(before, after map[string]float64) bool {
			return grown(before, after, stores, "operation=get", "error.type=timeout") > 0
		},
	},
}

func TestFourFaultsCanBeToldApart(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CCCLIENT_TEST_SECRET", cctest.DefaultClientSecret)
			inBubble(t, cctest.Options{Lifetime: 2 * time.Minute}, f.configure, func(t *testing.T, r *rig) {
				work := func() map[string]float64 {
					for range 60 {
						r.call(t.Context())
						time.Sleep(10 * time.Second)
					}
					return r.series()
				}
				before := work()
				r.t = t
				f.spoil(r)
				after := work()
				for other, g := range faults {
					if got := g.shown(before, after); got != (other == name) {
						t.Errorf("the question for %q is answered with %v:\n%v", other, got, after)
					}
				}
			})
		})
	}
}
