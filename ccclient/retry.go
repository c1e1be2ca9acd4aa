package ccclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/backoff"
)

// Retry bounds the attempts at one token request. Attempted again are network
// errors, save certificates that do not verify, the statuses 408, 425, 429 and
// 5xx, and temporarily_unavailable; each time with fresh credentials. Pauses are
// random between zero and a backoff that doubles from MinBackoff to MaxBackoff
// (full jitter), after a Retry-After if the server sent one. There is no pause
// that the context's deadline would cut short: the error comes at once instead.
//
// Beside these attempts, a request is repeated once at once if the client was
// refused and its secret turns out to have changed, and once if the server asks
// for a DPoP nonce.
type Retry struct {
	MaxAttempts    int           // 0: 3; 1: no retry
	AttemptTimeout time.Duration // of one attempt, authentication included; 0: 10 s
	MinBackoff     time.Duration // 0: 200 ms
	MaxBackoff     time.Duration // 0: 2 s
}

func (r Retry) withDefaults() Retry {
	if r.MaxAttempts <= 0 {
		r.MaxAttempts = 3
	}
	if r.AttemptTimeout <= 0 {
		r.AttemptTimeout = 10 * time.Second
	}
	if r.MinBackoff <= 0 {
		r.MinBackoff = 200 * time.Millisecond
	}
	if r.MaxBackoff <= 0 {
		r.MaxBackoff = 2 * time.Second
	}
	return r
}

// patience bounds a pause when the context has no deadline: who asks without
// one does not mean to wait out a Retry-After of an hour.
const patience = 30 * time.Second

// try gets a token from ep, in as many attempts as it may take.
func (r *requester) try(ctx context.Context, ep endpoint, form url.Values) (*oauth2.Token, *failure) {
	var rotated, nonce bool // what has been repeated at once
	for attempts, tries := 1, 1; ; attempts++ {
		began := time.Now()
		tok, f := r.attempt(ctx, ep, form)
		if f == nil {
			r.log.attempt(ctx, ep, attempts, time.Since(began), nil, 0)
			return tok, nil
		}
		f.err.Attempts = attempts
		again, wait := false, time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return nil, f.ended(ctx)
		case f.wantsNonce && !nonce:
			again, nonce = true, true
		case f.refused() && !rotated && f.Outdated(ctx):
			again, rotated = true, true
		case f.temporary && tries < r.retry.MaxAttempts:
			wait = f.err.RetryAfter + backoff.Full(r.retry.MinBackoff, r.retry.MaxBackoff, tries-1)
			again = wait < left(ctx)
			tries++
		}
		r.log.attempt(ctx, ep, attempts, time.Since(began), f, wait)
		if !again {
			return nil, f
		}
		if !sleep(ctx, wait) {
			return nil, f.ended(ctx)
		}
	}
}

// left is how long ctx has, or the patience of one without a deadline.
func left(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return patience
}

// sleep reports whether d went by before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ended is f when the caller's context is why there is no further attempt: that
// must be recognisable, whatever cause the context was given.
func (f *failure) ended(ctx context.Context) *failure {
	switch err := f.err.Err; {
	case err == nil:
		f.err.Err = ctx.Err()
	case !errors.Is(err, ctx.Err()):
		f.err.Err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return f
}
