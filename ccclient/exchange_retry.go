package ccclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/backoff"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/outlook"
)

// fetch gets a new token from ep for what form asks, in as many attempts as it may take. Its error is an [*Error].
func (x *exchanger) fetch(ctx context.Context, ep endpoint.Endpoint, form url.Values) (*oauth2.Token, error) {
	left := repetitions{retries: x.retry.MaxAttempts - 1, secret: 1, nonce: 1}
	for attempt := 1; ; attempt++ {
		began := time.Now()
		tok, e := x.attempt(ctx, ep, form)
		if e == nil {
			noteFailure(ctx, nil)
			x.log.attempt(ctx, ep.Host(), attempt, time.Since(began), nil, 0)
			return tok, nil
		}
		e.Attempts = attempt
		noteFailure(ctx, e)
		if ctx.Err() != nil {
			return nil, e.endedBy(ctx)
		}
		wait, again := left.take(ctx, e, x.retry)
		x.log.attempt(ctx, ep.Host(), attempt, time.Since(began), e, wait)
		if !again {
			return nil, e
		}
		if !backoff.Sleep(ctx, wait) {
			return nil, e.endedBy(ctx)
		}
	}
}

// Repetitions are those that one token request has left, of each kind.
type repetitions struct {
	retries int // of what may pass, each after a pause
	secret  int // at once, with the secret that has taken the refused one's place
	nonce   int // at once, with the DPoP nonce that came
}

// take takes the repetition that may mend e, if one is left and its pause fits into ctx.
func (n *repetitions) take(ctx context.Context, e *Error, r Retry) (wait time.Duration, again bool) {
	switch {
	case e.outlook == outlook.NonceOnly && n.nonce > 0:
		n.nonce--
		return 0, true
	case e.refusesClient() && n.secret > 0 && e.Outdated(ctx):
		n.secret--
		return 0, true
	case e.foresees() == outlook.Passing && n.retries > 0:
		wait = e.RetryAfter + backoff.Full(r.MinBackoff, r.MaxBackoff, r.MaxAttempts-1-n.retries)
		n.retries--
		return wait, wait < timeLeft(ctx)
	}
	return 0, false
}

// patience is the longest pause where the context sets no deadline. A Retry-After beyond it is the error's at once, and
// the cache's to wait out.
const patience = 30 * time.Second

// timeLeft returns how long ctx has, or the patience of one without a deadline.
func timeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return patience
}

// endedBy returns e for when the end of ctx is why there is no further attempt: that must be recognisable, whatever
// cause the context was given.
func (e *Error) endedBy(ctx context.Context) *Error {
	switch {
	case e.Err == nil:
		e.Err = ctx.Err()
	case !errors.Is(e.Err, ctx.Err()):
		e.Err = fmt.Errorf("%w: %w", e.Err, ctx.Err())
	}
	return e
}
