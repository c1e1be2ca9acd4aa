package grpccreds_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// A collector takes spans by OTLP, from those whose token is good.
type collector struct {
	collectorpb.UnimplementedTraceServiceServer
	*api

	mu    sync.Mutex
	spans map[string]int // by name: how often
}

func newCollector(t *testing.T, as *cctest.Server, listener net.Listener) *collector {
	t.Helper()
	c := &collector{spans: make(map[string]int)}
	c.api = newAPI(t, as, listener, func(s *grpc.Server) { collectorpb.RegisterTraceServiceServer(s, c) })
	return c
}

func (c *collector) Export(
	_ context.Context, req *collectorpb.ExportTraceServiceRequest,
) (*collectorpb.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range req.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans[span.Name]++
			}
		}
	}
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

// exporter exports to c with tokens of a client of c's authorization server.
func (c *collector) exporter(t *testing.T, s grpccreds.Source) sdktrace.SpanExporter {
	t.Helper()
	opts := grpccreds.DialOptions(s, grpccreds.Options{})
	endpoint := c.listener.Addr().String()
	if memory, ok := c.listener.(*bufconn.Listener); ok {
		endpoint = "passthrough:///api.example.com"
		dial := func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) }
		opts = append(opts, grpc.WithContextDialer(dial))
	}
	exporter, err := otlptracegrpc.New(t.Context(),
		otlptracegrpc.WithEndpoint(endpoint),
		otlptracegrpc.WithTLSCredentials(credentials.NewTLS(trusting(c.as))),
		otlptracegrpc.WithTimeout(time.Minute), // with its retries, which an outage of 20 s needs
		otlptracegrpc.WithDialOption(opts...))
	if err != nil {
		t.Fatal(err)
	}
	return exporter
}

func TestOTLPExporterLosesNoSpan(t *testing.T) {
	for name, happen := range map[string]func(c *collector){
		"revocation": func(c *collector) { c.as.RevokeAll() },
		"expiry":     func(c *collector) { time.Sleep(cctest.DefaultLifetime) },
		"hang":       func(c *collector) { c.as.RevokeAll(); c.as.SetDelay(9 * time.Second) },
		"revocation, token server is down": func(c *collector) {
			c.as.RevokeAll()
			c.as.SetDown(503)
			time.AfterFunc(20*time.Second, func() { c.as.SetDown(0) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				as := cctest.NewServer(cctest.Options{})
				c := newCollector(t, as, bufconn.Listen(1<<20))
				exportSpans(t, c, c.exporter(t, newClient(t, as)), func() { happen(c) })
			})
		})
	}
}

func TestOTLPExporterLosesNoSpanOverSockets(t *testing.T) {
	as := cctest.NewServer(cctest.Options{})
	t.Cleanup(as.Close)
	c := newCollector(t, as, listen(t))
	exportSpans(t, c, c.exporter(t, newClient(t, as)), as.RevokeAll)
	if c.rejected.Load() == 0 {
		t.Error("nothing was rejected")
	}
}

// exportSpans makes spans before and after something happens, and checks that each arrives once.
func exportSpans(t *testing.T, c *collector, exporter sdktrace.SpanExporter, happen func()) {
	t.Helper()
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter,
		sdktrace.WithMaxExportBatchSize(50), sdktrace.WithMaxQueueSize(2*many), sdktrace.WithBlocking(),
		sdktrace.WithExportTimeout(time.Minute)))
	tracer := provider.Tracer("test")
	spans := func(when string) {
		for i := range many {
			_, span := tracer.Start(t.Context(), fmt.Sprintf("%s %d", when, i))
			span.End()
		}
	}
	spans("before")
	if err := provider.ForceFlush(t.Context()); err != nil {
		t.Error(err)
	}
	happen()
	spans("after")
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, when := range []string{"before", "after"} {
		for i := range many {
			if n := c.spans[fmt.Sprintf("%s %d", when, i)]; n != 1 {
				t.Errorf("span %d %s arrived %d times", i, when, n)
			}
		}
	}
}
