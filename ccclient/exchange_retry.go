package ccclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/backoff"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// fetch gets a new token for what form asks, in as many attempts as it may take. Its error is an [*Error].
func (x *exchanger) fetch(ctx context.Context, form url.Values) (*oauth2.Token, error) {
	left := repetitions{retries: x.retry.MaxAttempts - 1, secret: 1, nonce: 1, moved: 1}
	for number := 1; ; number++ {
		tok, e, wait, again := x.fetchOnce(ctx, form, number, &left)
		if e == nil {
			return tok, nil
		}
		if !again {
			return nil, e
		}
		if !backoff.Sleep(ctx, wait) {
			return nil, e.endedBy(ctx)
		}
	}
}

// fetchOnce finds out where to ask, makes one exchange there, and says whether there is to be another, after a pause.
func (x *exchanger) fetchOnce(
	ctx context.Context, form url.Values, number int, left *repetitions,
) (tok *oauth2.Token, e *Error, wait time.Duration, again bool) {
	end, began := func(TokenRequestDone) {}, time.Now()
	ep, e := x.endpoints.locate(ctx)
	if e == nil {
		var traced context.Context
		traced, end = x.observer.tokenRequest(ctx, x.requestInfo(ctx, ep, form, number))
		began = time.Now()
		tok, e = x.exchange(traced, ep, form)
	} else {
		e.client, e.host = x.clientID, ep.Host()
		e = x.concealEarly(ctx, e)
	}
	done := TokenRequestDone{Took: time.Since(began)}
	if e == nil {
		noteFailure(ctx, nil)
		done.StatusCode, done.Expiry = http.StatusOK, tok.Expiry
		if scope, ok := tok.Extra("scope").(string); ok && len(x.observer.all) > 0 {
			done.Scopes = strings.Fields(redact.New(x.recent.All()...).Clean(scope))
		}
		end(done)
		return tok, nil, 0, false
	}
	e.Attempts = number
	noteFailure(ctx, e)
	if ctx.Err() != nil {
		e = e.endedBy(ctx)
	} else {
		wait, again = x.repeat(ctx, ep, e, left)
	}
	told := *e // The one that callers get may still be changed.
	done.StatusCode, done.Code, done.Err, done.Again, done.Wait = e.StatusCode, e.Code, &told, again, wait
	end(done)
	return nil, e, wait, again
}

// requestInfo says what an attempt at a token request is.
func (x *exchanger) requestInfo(
	ctx context.Context, ep endpoint.Endpoint, form url.Values, attempt int,
) TokenRequestInfo {
	host, port := ep.HostPort()
	label, _ := ctx.Value(labelKey{}).(string)
	return TokenRequestInfo{
		ClientID: x.clientID, Label: label, Host: host, Port: port, Method: x.endpoints.auth.name,
		GrantType: cmp.Or(form.Get("grant_type"), clientCredentials), Scopes: strings.Fields(form.Get("scope")),
		Reason: cache.ReasonOf(ctx), Attempt: attempt,
	}
}

// Repetitions are those that one token request has left, of each kind.
type repetitions struct {
	retries int // of what may pass, each after a pause
	secret  int // at once, with the secret that has taken the refused one's place
	nonce   int // at once, with the DPoP nonce that came
	moved   int // at once, where the metadata say that the token endpoint is now
}

// repeat takes the repetition that may mend e, if one is left and its pause fits into ctx.
func (x *exchanger) repeat(
	ctx context.Context, ep endpoint.Endpoint, e *Error, left *repetitions,
) (wait time.Duration, again bool) {
	switch {
	case e.outlook == outlook.NonceOnly && left.nonce > 0:
		left.nonce--
		return 0, true
	case e.refusesClient() && left.secret > 0 && e.Outdated(ctx):
		left.secret--
		return 0, true
	case left.moved > 0 && gone(e) && x.endpoints.moved(ctx, ep):
		left.moved--
		return 0, true
	case e.foresees() == outlook.Passing && left.retries > 0:
		wait = e.RetryAfter + backoff.Full(x.retry.MinBackoff, x.retry.MaxBackoff, x.retry.MaxAttempts-1-left.retries)
		left.retries--
		return wait, wait < timeLeft(ctx)
	}
	return 0, false
}

// longestPause is that where the context sets no deadline. A Retry-After beyond it is the error's at once, and the
// cache's to wait out.
const longestPause = 30 * time.Second

// timeLeft returns how long ctx has, or the longest pause of one without a deadline.
func timeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return longestPause
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
