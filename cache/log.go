package cache

import (
	"context"
	"log/slog"
	"time"
)

const (
	logPatience = 50 * time.Millisecond // for a handler, before things go on without it
	maxLogging  = 16                    // lines that handlers have not returned from; what comes then is dropped
)

// log calls the handler on a goroutine that can be left behind: it may itself need a token, of this very key. No mutex
// is held, and the caller is inside of begin and end.
func (c *Cache) log(level slog.Level, msg string, attrs ...slog.Attr) {
	if c.opt.Logger == nil {
		return
	}
	if c.logging.Add(1) > maxLogging {
		c.logging.Add(-1)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), logPatience)
	defer cancel()
	callAside(ctx, c, 0, func(context.Context) (struct{}, error) {
		defer c.logging.Add(-1)
		c.opt.Logger.LogAttrs(context.Background(), level, msg, attrs...)
		return struct{}{}, nil
	})
}

// logFetchFailed warns of what callers do not see, since they have a living token; they see the rest themselves.
func (c *Cache) logFetchFailed(key string, f *cooldown, unseen bool) {
	level := slog.LevelDebug
	if unseen {
		level = slog.LevelWarn
	}
	c.log(level, "token fetch failed", slog.String("key", key), slog.Any("error", f.err), slog.Int("in_a_row", f.row))
}

func (c *Cache) logSameTokenAgain(key string) {
	c.log(slog.LevelWarn, "the server gave the same token again that a resource had rejected", slog.String("key", key))
}

func (c *Cache) logPanic(err error, stack []byte) {
	c.log(slog.LevelError, "panic in a token fetch", slog.Any("error", err), slog.String("stack", string(stack)))
}

func (c *Cache) logFetchOutlivesClose() {
	c.log(slog.LevelWarn, "a token fetch ignored its context and outlives Close")
}

func (c *Cache) logStore(err error) {
	c.log(slog.LevelWarn, "the token store is of no use; going on without it", slog.Any("error", err))
}
