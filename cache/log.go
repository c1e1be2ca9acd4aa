package cache

import (
	"context"
	"log/slog"
)

// logTrace returns what writes a log. There is one warning of what callers do not see, and of what is about them all,
// until it is over.
func logTrace(l *slog.Logger) *Trace {
	return &Trace{
		CoolDown: func(ctx context.Context, i CoolDownInfo) {
			attrs := append(entryAttrs(i.Label, i.Key),
				slog.Any("error", i.Err), slog.Int("in_a_row", i.InARow), slog.Bool("shared", i.Shared))
			switch {
			case i.Ended:
				l.LogAttrs(ctx, slog.LevelInfo, "token fetches succeed again", attrs...)
				return
			case i.InARow == 1 && (i.Unseen || i.Shared):
				l.LogAttrs(ctx, slog.LevelWarn, "token fetch failed", append(attrs, slog.Time("until", i.Until))...)
				return
			}
			l.LogAttrs(ctx, slog.LevelDebug, "token fetch failed", append(attrs, slog.Time("until", i.Until))...)
		},
		Store: func(ctx context.Context, i StoreInfo) {
			level, msg := slog.LevelDebug, "token store"
			attrs := append(entryAttrs(i.Label, i.Key), slog.String("op", string(i.Op)), slog.Duration("took", i.Took))
			switch {
			case i.Err != nil:
				msg = "the token store is of no use; going on without it"
				attrs = append(attrs, slog.Any("error", i.Err))
				if i.Turned {
					level = slog.LevelWarn
				}
			case i.Turned:
				level, msg = slog.LevelInfo, "the token store is of use again"
			case i.Op == StoreGet && i.Found:
				msg, attrs = "token from the store", append(attrs, slog.Duration("left", i.Left))
			}
			l.LogAttrs(ctx, level, msg, attrs...)
		},
	}
}

func entryAttrs(label, key string) []slog.Attr {
	var attrs []slog.Attr
	if key != "" {
		attrs = append(attrs, slog.String("key", key))
	}
	if label != "" {
		attrs = append(attrs, slog.String("label", label))
	}
	return attrs
}

// log is for what is no event. No mutex is held.
func (c *Cache) log(level slog.Level, msg string, attrs ...slog.Attr) {
	if c.logger == nil {
		return
	}
	ctx := context.Background()
	c.logger.Call(ctx, func() { c.opt.Logger.LogAttrs(ctx, level, msg, attrs...) })
}

func (e *Entry) logSameTokenAgain() {
	e.cache.log(slog.LevelWarn, "the server gave the same token again that a resource had rejected",
		entryAttrs(e.label(), e.key)...)
}

func (c *Cache) logPanic(err error, stack []byte) {
	c.log(slog.LevelError, "panic in a call of code that is not the cache's",
		slog.Any("error", err), slog.String("stack", string(stack)))
}

func (c *Cache) logFetchOutlivesClose() {
	c.log(slog.LevelWarn, "a call of a Fetch, a Store or an Outdater ignored its context and outlives Close")
}
