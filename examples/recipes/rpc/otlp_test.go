package rpc_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
	"github.com/ccclient/go-ccclient/examples/recipes/rpc"
)

// A sink counts the spans that arrive, by name.
type sink struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans map[string]int
}

func (s *sink) Export(
	_ context.Context, req *collector.ExportTraceServiceRequest,
) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range req.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				s.spans[span.Name]++
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (s *sink) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var export collector.ExportTraceServiceRequest
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = proto.Unmarshal(body, &export)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Export(req.Context(), &export)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// exportThrough makes and exports a span at each step of r.LivesOn, none of which may be lost.
func (s *sink) exportThrough(t *testing.T, r *rig.Rig, exporter *otlptrace.Exporter) {
	t.Helper()
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
	n := 0
	r.LivesOn(t, func() error {
		n++
		_, span := provider.Tracer("test").Start(t.Context(), fmt.Sprint("span ", n))
		span.End()
		return provider.ForceFlush(t.Context())
	})
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		if got := s.spans[fmt.Sprint("span ", i+1)]; got != 1 {
			t.Errorf("span %d arrived %d times", i+1, got)
		}
	}
}

func TestOTLPOverHTTPLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		s := &sink{spans: make(map[string]int)}
		r.Protect(t, s)
		exporter, err := rpc.NewHTTPExporter(t.Context(), r.Client)
		if err != nil {
			t.Fatal(err)
		}
		s.exportThrough(t, r, exporter)
	})
}

func TestOTLPOverGRPCLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		s := &sink{spans: make(map[string]int)}
		s.serveGRPC(t, r)
		dial := func(ctx context.Context, addr string) (net.Conn, error) { return r.Dial(ctx, "tcp", addr) }
		exporter, err := rpc.NewGRPCExporter(t.Context(), r.Client, "passthrough:///api.example.com:4317",
			grpc.WithTransportCredentials(credentials.NewTLS(r.Trust())), grpc.WithContextDialer(dial))
		if err != nil {
			t.Fatal(err)
		}
		s.exportThrough(t, r, exporter)
	})
}

// serveGRPC serves api.example.com by gRPC, to those who have a good token.
func (s *sink) serveGRPC(t *testing.T, r *rig.Rig) {
	t.Helper()
	certificate := r.Certificate(t, rig.APIHost)
	server := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&certificate)),
		grpc.UnaryInterceptor(func(
			ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
		) (any, error) {
			if !honoured(ctx, r.AS) {
				return nil, status.Error(codes.Unauthenticated, "the token is not good")
			}
			return handle(ctx, req)
		}))
	collector.RegisterTraceServiceServer(server, s)
	listener := r.Listen(rig.APIHost)
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		server.Stop()
		serving.Wait()
	})
}

// honoured reports whether the authorization server honours the token of an RPC.
func honoured(ctx context.Context, as *cctest.Server) bool {
	req := httptest.NewRequest(http.MethodGet, "https://api.example.com/", nil)
	for _, value := range metadata.ValueFromIncomingContext(ctx, "authorization") {
		req.Header.Add("Authorization", value)
	}
	w := httptest.NewRecorder()
	as.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, req)
	return w.Code == http.StatusOK
}
