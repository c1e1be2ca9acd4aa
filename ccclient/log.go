package ccclient

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// logTrace returns what writes a log of what this package does: requests at debug level, since callers hear of failures
// and the cache warns of those that nobody hears of.
func logTrace(l *slog.Logger) *Trace {
	return &Trace{
		TokenRequest: func(ctx context.Context, i TokenRequestInfo) (context.Context, func(TokenRequestDone)) {
			if !l.Enabled(ctx, slog.LevelDebug) {
				return nil, nil
			}
			return nil, func(d TokenRequestDone) {
				l.LogAttrs(ctx, slog.LevelDebug, "token request", requestAttrs(&i, &d)...)
			}
		},
		Discovery: func(ctx context.Context, i DiscoveryInfo) (context.Context, func(DiscoveryDone)) {
			return nil, func(d DiscoveryDone) {
				took := slog.Duration("took", d.Took)
				switch {
				case d.Err == nil:
					l.LogAttrs(ctx, slog.LevelDebug, "issuer metadata", took)
				case d.Kept:
					l.LogAttrs(ctx, slog.LevelWarn, "issuer metadata not refreshed; the old ones stay in use",
						took, slog.Any("error", d.Err))
				default:
					l.LogAttrs(ctx, slog.LevelDebug, "issuer metadata", took, slog.Any("error", d.Err))
				}
			}
		},
		Granted: func(ctx context.Context, i GrantInfo) {
			attrs := append(labelAttr(i.Label), slog.String("host", i.Host),
				slog.String("missing", strings.Join(i.Missing, " ")),
				slog.String("granted", strings.Join(i.Granted, " ")))
			l.LogAttrs(ctx, slog.LevelWarn, "the server granted fewer scopes than were asked for", attrs...)
		},
		Rejected: func(ctx context.Context, i RejectInfo) {
			attrs := append(labelAttr(i.Label), slog.String("host", i.Host), slog.Int("port", i.Port),
				slog.Int("status", i.StatusCode), slog.String("code", i.Error), slog.Bool("healed", i.Healed))
			msg := "an API rejected the token"
			if i.Nonce {
				msg = "an API refused the DPoP proof"
			}
			l.LogAttrs(ctx, slog.LevelDebug, msg, attrs...)
		},
	}
}

// requestAttrs returns what there is to say of an attempt at a token request.
func requestAttrs(i *TokenRequestInfo, d *TokenRequestDone) []slog.Attr {
	attrs := append(labelAttr(i.Label), slog.String("host", i.Host), slog.Int("port", i.Port),
		slog.String("method", i.Method), slog.String("reason", string(i.Reason)), slog.Int("attempt", i.Attempt),
		slog.Duration("took", d.Took))
	add := func(a slog.Attr) { attrs = append(attrs, a) }
	if d.StatusCode != 0 {
		add(slog.Int("status", d.StatusCode))
	}
	if len(i.Scopes) > 0 {
		add(slog.String("scopes", strings.Join(i.Scopes, " ")))
	}
	if d.Err == nil {
		if d.Scopes != nil {
			add(slog.String("granted", strings.Join(d.Scopes, " ")))
		}
		add(slog.Duration("lifetime", time.Until(d.Expiry).Round(time.Second)))
		return attrs
	}
	if d.Code != "" {
		add(slog.String("code", string(d.Code)))
	}
	add(slog.String("error", d.Err.Error()))
	if d.Again {
		add(slog.Duration("wait", d.Wait))
	}
	return attrs
}

func labelAttr(label string) []slog.Attr {
	if label == "" {
		return nil
	}
	return []slog.Attr{slog.String("label", label)}
}

// storeUnused tells that tokens go into no Store, and why.
func (o *observer) storeUnused(why string) { o.warn("tokens do not go into Cache.Store: " + why) }

// steppedUp tells that from now on a token is spent that has what a resource asked for.
func (o *observer) steppedUp(label string, scopes []string) {
	o.write(slog.LevelInfo, "a resource asked for more: tokens have it from now on",
		append(labelAttr(label), slog.Any("scopes", scopes))...)
}

// notSteppedUp tells that there is no token that has what a resource asked for.
func (o *observer) notSteppedUp(label string, err error) {
	o.warn("a resource asked for more, and there is no token that has it",
		append(labelAttr(label), slog.Any("error", err))...)
}
