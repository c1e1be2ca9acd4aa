package cache

import (
	"context"
	"log/slog"
)

// logFetchFailed warns of what callers do not see, since they have a living token; they see the rest themselves.
func (c *Cache) logFetchFailed(key string, f *cooldown, unseen bool) {
	level := slog.LevelDebug
	if unseen {
		level = slog.LevelWarn
	}
	c.opt.Logger.LogAttrs(context.Background(), level, "token fetch failed",
		slog.String("key", key), slog.Any("error", f.err), slog.Int("in_a_row", f.row))
}

func (c *Cache) logSameTokenAgain(key string) {
	c.opt.Logger.Warn("the server gave the same token again that a resource had rejected", slog.String("key", key))
}

func (c *Cache) logPanic(err error, stack []byte) {
	c.opt.Logger.Error("panic in a token fetch", slog.Any("error", err), slog.String("stack", string(stack)))
}

func (c *Cache) logFetchOutlivesClose() {
	c.opt.Logger.Warn("a token fetch ignored its context and outlives Close")
}

func (c *Cache) logStore(err error) {
	c.opt.Logger.Warn("the token store is of no use; going on without it", slog.Any("error", err))
}
