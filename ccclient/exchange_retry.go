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

// fetch gets a new token from ep for what form asks, in as many attempts as it may take. Its error is an [*Error].
func (x *exchanger) fetch(ctx context.Context, ep endpoint.Endpoint, form url.Values) (*oauth2.Token, error) {
	left := repetitions{retries: x.retry.MaxAttempts - 1, secret: 1, nonce: 1}
	info := x.requestInfo(ctx, ep, form)
	for info.Attempt = 1; ; info.Attempt++ {
		tok, e, wait, again := x.observed(ctx, ep, form, info, &left)
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

// observed makes one attempt, and says whether there is to be another, after a pause.
func (x *exchanger) observed(
	ctx context.Context, ep endpoint.Endpoint, form url.Values, info TokenRequestInfo, left *repetitions,
) (tok *oauth2.Token, e *Error, wait time.Duration, again bool) {
	traced, end := x.observer.tokenRequest(ctx, info)
	began := time.Now()
	tok, e = x.attempt(traced, ep, form)
	done := TokenRequestDone{Took: time.Since(began)}
	if e == nil {
		noteFailure(ctx, nil)
		done.StatusCode, done.Expiry = http.StatusOK, tok.Expiry
		if scope, ok := tok.Extra("scope").(string); ok {
			done.Scopes = strings.Fields(redact.New(x.recent.All()...).Clean(scope))
		}
		end(done)
		return tok, nil, 0, false
	}
	e.Attempts = info.Attempt
	noteFailure(ctx, e)
	if ctx.Err() != nil {
		e = e.endedBy(ctx)
	} else {
		wait, again = left.take(ctx, e, x.retry)
	}
	told := *e // The one that callers get may still be changed.
	done.StatusCode, done.Code, done.Err, done.Again, done.Wait = e.StatusCode, e.Code, &told, again, wait
	end(done)
	return nil, e, wait, again
}

// requestInfo says what a token request is, but for the attempt.
func (x *exchanger) requestInfo(ctx context.Context, ep endpoint.Endpoint, form url.Values) TokenRequestInfo {
	host, port := ep.HostPort()
	label, _ := ctx.Value(labelKey{}).(string)
	return TokenRequestInfo{
		ClientID: x.clientID, Label: label, Host: host, Port: port, Method: factsOf(x.auth).name,
		GrantType: cmp.Or(form.Get("grant_type"), clientCredentials), Scopes: strings.Fields(form.Get("scope")),
		Reason: cache.ReasonOf(ctx),
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
