package rpc

import (
	"context"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"google.golang.org/grpc"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// NewHTTPExporter returns an exporter of spans by OTLP over HTTP.
func NewHTTPExporter(ctx context.Context, client *ccclient.Client) (*otlptrace.Exporter, error) {
	return otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL("https://api.example.com/v1/traces"),
		otlptracehttp.WithHTTPClient(client.HTTPClient()),
	)
}

// NewGRPCExporter returns an exporter of spans by OTLP over gRPC.
func NewGRPCExporter(
	ctx context.Context, client *ccclient.Client, endpoint string, opts ...grpc.DialOption,
) (*otlptrace.Exporter, error) {
	opts = append(opts, grpccreds.DialOptions(client, grpccreds.Options{})...)
	return otlptracegrpc.New(ctx,
		otlptracegrpc.WithEndpoint(endpoint), // "collector.example.com:4317"
		otlptracegrpc.WithDialOption(opts...),
	)
}
