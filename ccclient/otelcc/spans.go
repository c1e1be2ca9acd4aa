package otelcc

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
)

// tokenRequest begins the span of an attempt at a token request.
func (t *telemetry) tokenRequest(
	ctx context.Context, i ccclient.TokenRequestInfo,
) (context.Context, func(ccclient.TokenRequestDone)) {
	common := append(server(i.Host, i.Port), label(i.Label),
		attribute.String("oauth.grant_type", i.GrantType), attribute.String("oauth.client.reason", string(i.Reason)))
	if t.withID {
		common = append(common, attribute.String("oauth.client.id", i.ClientID))
	}
	attrs := append(common[:len(common):len(common)], attribute.String("http.request.method", "POST"))
	if i.Attempt > 1 {
		attrs = append(attrs, attribute.Int("http.request.resend_count", i.Attempt-1))
	}
	ctx, span := t.start(ctx, "POST token", i.Reason, attrs)
	return ctx, func(d ccclient.TokenRequestDone) {
		outcome := common[:len(common):len(common)]
		if d.StatusCode != 0 {
			status := attribute.Int("http.response.status_code", d.StatusCode)
			span.SetAttributes(status)
			outcome = append(outcome, status)
		}
		if d.Err != nil {
			outcome = append(outcome, errorType(d.Err))
		}
		t.requests.Record(ctx, d.Took.Seconds(), metric.WithAttributes(outcome...))
		if d.Again && d.Code == ccclient.UseDPoPNonce {
			t.nonces.Add(ctx, 1, metric.WithAttributes(server(i.Host, i.Port)...))
		}
		end(span, d.Err)
	}
}

// discovery begins the span of a fetch of metadata.
func (t *telemetry) discovery(
	ctx context.Context, i ccclient.DiscoveryInfo,
) (context.Context, func(ccclient.DiscoveryDone)) {
	attrs := append(server(i.Host, i.Port), attribute.String("http.request.method", "GET"))
	ctx, span := t.start(ctx, "GET metadata", cache.ReasonOf(ctx), attrs)
	return ctx, func(d ccclient.DiscoveryDone) { end(span, d.Err) }
}

// start starts a client span under the one in ctx, or, if nobody waits, one of its own with a link to that.
func (t *telemetry) start(
	ctx context.Context, name string, why ccclient.Reason, attrs []attribute.KeyValue,
) (context.Context, trace.Span) {
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attrs...), trace.WithTimestamp(time.Now()),
	}
	if why == cache.ReasonAhead {
		options = append(options, trace.WithNewRoot())
		if from := trace.SpanContextFromContext(ctx); from.IsValid() {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: from}))
		}
	}
	return t.tracer.Start(ctx, name, options...)
}

// end ends a span; err is why there is no result. Its text, which may have a server's words in it, is not told.
func end(span trace.Span, err error) {
	if err != nil {
		what := errorType(err)
		span.SetAttributes(what)
		span.SetStatus(codes.Error, what.Value.AsString())
	}
	span.End()
}
