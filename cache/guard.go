package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// fetchGrace is how long a fetch whose context has ended may take to say so before those who wait for it are sent away.
const fetchGrace = time.Second

// callAside calls f on a goroutine that can be left behind, so that a panic or a runtime.Goexit in f is an error like
// others, and an f that ignores its context holds up nobody for longer than grace after ctx has ended. Close joins the
// goroutine; the caller is inside of begin and end.
func callAside[T any](
	ctx context.Context, c *Cache, grace time.Duration, f func(context.Context) (T, error),
) (T, error) {
	type result struct {
		val T
		err error
	}
	if ctx.Err() != nil {
		return result{}.val, context.Cause(ctx)
	}
	done := make(chan result, 1)
	c.join()
	go func() { // Owned by c: end tells Close.
		defer c.end()
		r := result{err: &panicError{errors.New("the call ended its goroutine")}}
		defer func() {
			if p := recover(); p != nil {
				r.err = panicked(p)
				c.logPanic(r.err, debug.Stack())
			}
			done <- r
		}()
		r.val, r.err = f(ctx)
	}()
	select {
	case r := <-done:
		return r.val, r.err
	case <-ctx.Done():
	}
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case r := <-done:
		return r.val, r.err
	case <-t.C:
	}
	select {
	case r := <-done: // at the same moment
		return r.val, r.err
	default:
		return result{}.val, fmt.Errorf("%w: %w", errIgnoresContext, context.Cause(ctx))
	}
}

var errIgnoresContext = errors.New("the call ignores that its context has ended")

// panicked makes an error of a panic. A value that is not the runtime's own may hold a secret; only its type is told.
func panicked(p any) error {
	if e, ok := p.(runtime.Error); ok {
		return &panicError{fmt.Errorf("the call panicked: %w", e)}
	}
	return &panicError{fmt.Errorf("the call panicked with a %T", p)}
}

type panicError struct{ error }

func (e *panicError) Unwrap() error { return e.error }
