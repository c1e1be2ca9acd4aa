package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/prometheus/common/config"

	"github.com/ccclient/go-ccclient/examples/recipes/httpapi"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestPrometheusRoundTripperLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			if req.UserAgent() != "my-service" {
				t.Errorf("it is called %q", req.UserAgent())
			}
		}))
		cfg := config.DefaultHTTPClientConfig
		cfg.TLSConfig.CA = r.CA()
		rt, err := httpapi.NewPrometheus(r.Client, cfg,
			config.WithDialContextFunc(r.Dial), config.WithUserAgent("my-service"))
		if err != nil {
			t.Fatal(err)
		}
		api := &http.Client{Transport: rt}
		defer api.CloseIdleConnections()
		r.LivesOn(t, func() error { return rig.Status(api.Get("https://api.example.com/metrics")) })
	})
}
