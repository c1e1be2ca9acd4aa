package otelcc_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/ccclient/otelcc"
)

func TestPrometheusTakesTheMetrics(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is missing: install the Debian package prometheus")
	}
	registry := prometheus.NewRegistry()
	to, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		t.Fatal(err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(to))
	configure := func(c *ccclient.Config) { c.Cache.Store = cache.Memory() }
	r := newRig(t, cctest.Options{DPoPNonce: true}, configure, func(o *otelcc.Options) { o.MeterProvider = provider })
	r.For(ccclient.Target{Audience: "https://b.example", Label: "b"}).Token(t.Context())
	for range 3 {
		resp, err := r.api.Get("https://api.example.com/things")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		r.as.RevokeAll()
	}
	r.as.SetDown(503)
	r.Refresh(t.Context())

	scraped := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer scraped.Close()
	resp, err := http.Get(scraped.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	for _, want := range []string{
		`oauth_client_token_request_duration_seconds_bucket{`, `oauth_client_token_served_total{`,
		`oauth_client_token_wait_duration_seconds_count{`, `oauth_client_api_rejections_total{`,
		`oauth_client_store_duration_seconds_sum{`, `oauth_client_token_remaining_seconds{oauth_client_label="b"`,
		`oauth_client_cooldown_seconds{`, `oauth_client_source="memory"`, `error_type="temporarily_unavailable"`,
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = bytes.NewReader(page)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s\n%s", err, out, page)
	}
}
