package otelcc_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/ccclient/otelcc"
)

// A rig is a client that is told of, before a server and an API in this process.
type rig struct {
	*ccclient.Client
	t      *testing.T
	as     *cctest.Server
	api    *http.Client
	tracer *trace.TracerProvider
	spans  *tracetest.InMemoryExporter
	reader *metric.ManualReader
}

func newRig(
	t *testing.T, o cctest.Options, configure func(*ccclient.Config), tell ...func(*otelcc.Options),
) *rig {
	t.Helper()
	r := &rig{t: t, spans: tracetest.NewInMemoryExporter(), reader: metric.NewManualReader()}
	r.tracer = trace.NewTracerProvider(trace.WithSyncer(r.spans))
	options := otelcc.Options{
		TracerProvider: r.tracer, MeterProvider: metric.NewMeterProvider(metric.WithReader(r.reader)),
	}
	for _, change := range tell {
		change(&options)
	}
	told, err := otelcc.New(options)
	if err != nil {
		t.Fatal(err)
	}
	r.as = cctest.NewServer(o)
	t.Cleanup(r.as.Close)
	cfg := ccclient.Config{
		TokenURL: "https://as.example.com/token", ClientID: cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: r.as.RoundTripper()}, Trace: told,
	}
	if configure != nil {
		configure(&cfg)
	}
	if r.Client, err = ccclient.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	resource := r.as.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	r.api = &http.Client{Transport: r.Transport(cctest.RoundTripper(resource))}
	return r
}

// inBubble runs f with a rig in virtual time.
func inBubble(t *testing.T, o cctest.Options, configure func(*ccclient.Config), f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newRig(t, o, configure)) })
}

// call makes a request to the API, under ctx.
func (r *rig) call(ctx context.Context) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://api.example.com/things", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if resp, err := r.api.Do(req); err == nil {
		resp.Body.Close()
	}
	synctest.Wait()
}

// series returns the series of all metrics as text, with the values of counters and gauges, and the counts of
// histograms.
func (r *rig) series() map[string]float64 {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.t.Fatal(err)
	}
	series := make(map[string]float64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					series[m.Name+text(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					series[m.Name+text(p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					series[m.Name+text(p.Attributes)] = float64(p.Count)
				}
			default:
				r.t.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	return series
}

func text(set attribute.Set) string {
	var pairs []string
	for _, kv := range set.ToSlice() {
		pairs = append(pairs, fmt.Sprintf("%s=%s", kv.Key, kv.Value.String()))
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// sum adds up the series of a metric that have all of parts in their names.
func sum(series map[string]float64, metric string, parts ...string) (total float64) {
	for name, value := range series {
		if strings.HasPrefix(name, metric+"{") &&
			!slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(name, p) }) {
			total += value
		}
	}
	return total
}

// newTrace returns one that tells a tracer and a meter which keep what they are told.
func newTrace(tb testing.TB) *ccclient.Trace {
	tb.Helper()
	told, err := otelcc.New(otelcc.Options{
		TracerProvider: trace.NewTracerProvider(trace.WithSyncer(tracetest.NewInMemoryExporter())),
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(metric.NewManualReader())),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return told
}
