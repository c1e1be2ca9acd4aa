package otelcc

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// instruments are those that are written to when something happens; the others are read from the clients.
type instruments struct {
	requests   metric.Float64Histogram
	waits      metric.Float64Histogram
	stores     metric.Float64Histogram
	rejections metric.Int64Counter
	nonces     metric.Int64Counter
}

// buckets are those of HTTP durations in the semantic conventions, in seconds.
var buckets = metric.WithExplicitBucketBoundaries(
	0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
)

// measure makes the instruments.
func (t *telemetry) measure(m metric.Meter) error {
	var errs [8]error
	t.requests, errs[0] = m.Float64Histogram("oauth.client.token.request.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of attempts at token requests."))
	t.waits, errs[1] = m.Float64Histogram("oauth.client.token.wait.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("How long callers waited for a token that was not in memory."))
	t.stores, errs[2] = m.Float64Histogram("oauth.client.store.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of calls of the token store."))
	t.rejections, errs[3] = m.Int64Counter("oauth.client.api.rejections", metric.WithUnit("{response}"),
		metric.WithDescription("Responses of APIs that rejected a token."))
	t.nonces, errs[4] = m.Int64Counter("oauth.client.dpop.nonce_retries", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that were repeated with the DPoP nonce that a server wanted."))

	served, err := m.Int64ObservableCounter("oauth.client.token.served", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens that were handed out."))
	errs[5] = err
	remaining, err := m.Float64ObservableGauge("oauth.client.token.remaining", metric.WithUnit("s"),
		metric.WithDescription("What is left of a token's life; 0: there is no token."))
	errs[6] = err
	coolDown, err := m.Float64ObservableGauge("oauth.client.cooldown", metric.WithUnit("s"),
		metric.WithDescription("For how long the token server is still left alone after a failure; 0: it is not."))
	errs[7] = err
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	_, err = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		sources, labels := t.clients.read()
		for source, n := range sources {
			o.ObserveInt64(served, n, metric.WithAttributes(attribute.String("oauth.client.source", string(source))))
		}
		for name, l := range labels {
			with := metric.WithAttributes(label(name))
			o.ObserveFloat64(remaining, l.remaining.Seconds(), with)
			o.ObserveFloat64(coolDown, l.coolDown.Seconds(), with)
		}
		return nil
	}, served, remaining, coolDown)
	return err
}
