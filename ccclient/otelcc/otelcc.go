package otelcc

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccclient/go-ccclient/ccclient"
)

// scope names this package as the source of metrics and spans.
const scope = "github.com/ccclient/go-ccclient/ccclient/otelcc"

// Options say whom to tell. The zero value tells the global providers.
type Options struct {
	// TracerProvider makes the spans. Nil: the global one.
	TracerProvider trace.TracerProvider

	// MeterProvider makes the metrics. Nil: the global one.
	MeterProvider metric.MeterProvider

	// ClientID adds the client id, as oauth.client.id, to the token requests, metrics and spans alike.
	ClientID bool
}

// New returns a Trace for Config.Trace, that of one client or of several. The gauges of a client are read until it is
// closed. Its error is that of a meter that makes no instrument, which those of OpenTelemetry's SDK do not return.
func New(o Options) (*ccclient.Trace, error) {
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	t := &telemetry{tracer: o.TracerProvider.Tracer(scope), withID: o.ClientID}
	if err := t.measure(o.MeterProvider.Meter(scope)); err != nil {
		return nil, fmt.Errorf("ccclient: otelcc: %w", err)
	}
	return &ccclient.Trace{
		Client:       t.clients.add,
		TokenRequest: t.tokenRequest,
		Discovery:    t.discovery,
		Waited:       t.waited,
		Served:       t.served,
		Rejected:     t.rejected,
		Store:        t.store,
	}, nil
}

// telemetry hears of what clients do.
type telemetry struct {
	instruments
	tracer  trace.Tracer
	withID  bool
	clients clients
}

func (t *telemetry) waited(ctx context.Context, i ccclient.WaitInfo) {
	attrs := []attribute.KeyValue{label(i.Label)}
	if i.Err != nil {
		attrs = append(attrs, errorType(i.Err))
	}
	t.waits.Record(ctx, i.Took.Seconds(), metric.WithAttributes(attrs...))
}

func (t *telemetry) served(_ context.Context, i ccclient.ServedInfo) { t.clients.serve(i.Source) }

func (t *telemetry) rejected(ctx context.Context, i ccclient.RejectInfo) {
	server := server(i.Host, i.Port)
	if i.Nonce && i.Healed { // That is how nonces are told.
		t.nonces.Add(ctx, 1, metric.WithAttributes(server...))
		return
	}
	healed := attribute.Bool("oauth.client.healed", i.Healed)
	t.rejections.Add(ctx, 1, metric.WithAttributes(append(server, healed)...))
}

func (t *telemetry) store(ctx context.Context, i ccclient.StoreInfo) {
	attrs := []attribute.KeyValue{attribute.String("oauth.client.store.operation", string(i.Op))}
	if i.Err != nil {
		attrs = append(attrs, errorType(i.Err))
	}
	t.stores.Record(ctx, i.Took.Seconds(), metric.WithAttributes(attrs...))
}
