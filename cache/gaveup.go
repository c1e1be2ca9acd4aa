package cache

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A GaveUp is the error for a caller whose context ended while it waited for a token. The fetch goes on for others.
type GaveUp struct {
	Since time.Time // when the caller began to wait
	Last  error     // why the last fetch failed; nil if none has since there was a token. errors.Is does not look at it
	Err   error     // the context's error
}

// Error says since when the caller waited, and what had failed.
func (e *GaveUp) Error() string {
	text := fmt.Sprintf("ccclient: gave up waiting for a token: %v: it was asked for at %s",
		e.Err, e.Since.UTC().Format(time.RFC3339))
	if e.Last != nil {
		text += "; the last failure: " + strings.TrimPrefix(e.Last.Error(), "ccclient: ")
	}
	return text
}

// Unwrap returns the context's error.
func (e *GaveUp) Unwrap() error { return e.Err }

// gaveUp returns the error of a caller that began to wait at since and whose ctx has ended.
func (e *Entry) gaveUp(ctx context.Context, since time.Time) error {
	err := &GaveUp{Since: since, Err: ctx.Err()}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range [...]*backoff{e.failed, e.cache.gate.failed.Load()} {
		if f != nil {
			err.Last = f.err
		}
	}
	return err
}
