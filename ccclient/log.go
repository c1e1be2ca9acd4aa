package ccclient

import (
	"context"
	"log/slog"
	"time"
)

// A logger is where this package logs: attempts, at debug level, since callers hear of failures and the cache warns of
// those that nobody hears of. The zero logger is silent.
type logger struct{ to *slog.Logger }

// attempt tells of one attempt at a token request to host; err is nil if it brought a token, wait is the pause before
// the next one.
func (l logger) attempt(ctx context.Context, host string, n int, took time.Duration, err error, wait time.Duration) {
	if l.to == nil || !l.to.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("host", host), slog.Int("attempt", n), slog.Duration("took", took)}
	if label, ok := ctx.Value(labelKey{}).(string); ok {
		attrs = append(attrs, slog.String("label", label))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()), slog.Duration("wait", wait))
	}
	l.to.LogAttrs(ctx, slog.LevelDebug, "token request", attrs...)
}

// metadataKept tells that the issuer's metadata could not be refreshed, which callers do not notice.
func (l logger) metadataKept(err error) {
	if l.to != nil {
		l.to.Warn("issuer metadata not refreshed; the old ones stay in use", slog.Any("error", err))
	}
}

// storeUnused tells that tokens go into no Store, and why.
func (l logger) storeUnused(why string) {
	if l.to != nil {
		l.to.Warn("tokens do not go into Cache.Store: " + why)
	}
}

// scopesMissing tells that a token was granted less than was asked for.
func (l logger) scopesMissing(host, label string, missing, granted string) {
	if l.to == nil {
		return
	}
	l.to.Warn("the server granted fewer scopes than were asked for", labelled(label,
		slog.String("host", host), slog.String("missing", missing), slog.String("granted", granted))...)
}

// steppedUp tells that from now on a token is spent that has what a resource asked for.
func (l logger) steppedUp(label string, scopes []string) {
	if l.to != nil {
		l.to.Info("a resource asked for more: tokens have it from now on",
			labelled(label, slog.Any("scopes", scopes))...)
	}
}

// notSteppedUp tells that there is no token that has what a resource asked for.
func (l logger) notSteppedUp(label string, err error) {
	if l.to != nil {
		l.to.Warn("a resource asked for more, and there is no token that has it",
			labelled(label, slog.Any("error", err))...)
	}
}

// labelled returns attrs with label among them, if that is not empty.
func labelled(label string, attrs ...any) []any {
	if label == "" {
		return attrs
	}
	return append(attrs, slog.String("label", label))
}

// sealHint is what to do where a Store's keys would have to hold a secret.
const sealHint = "wrap the Store with cache.Seal, so that its keys do not give that away"

// labelKey is for the Label of the Target that a token request is made for.
type labelKey struct{}

// withLabel returns a context with which attempts are logged under label, if that is not empty.
func withLabel(ctx context.Context, label string) context.Context {
	if label == "" {
		return ctx
	}
	return context.WithValue(ctx, labelKey{}, label)
}
