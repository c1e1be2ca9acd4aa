package ccclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/backoff"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/outlook"
)

// Check asks the server for its metadata, if it is found by Issuer, and for a token, whatever is cached, and says of
// each mistake what a person should mend: in the configuration, the network, the certificates or a clock. Nil means
// that a token was had, with all scopes that were asked for, and that the clocks agree to a minute. It is for start-up
// and for diagnosis: each call is a token request, which heeds no cool-down and runs on ctx. The token becomes the
// current one, and those before it may be good no longer.
//
// Its error is an [*Error] with a Hint, or several that errors.Join has joined; or ErrClosed, or ctx's.
func (c *Client) Check(ctx context.Context) error {
	if !c.made() {
		return errNotMade()
	}
	if ctx == nil {
		ctx = context.Background()
	}
	r, now := c.registered(), new(clock)
	ctx = context.WithValue(ctx, clockKey{}, now)
	err := r.exchanger.checkMetadata(ctx)
	if err == nil {
		var tok *oauth2.Token
		if tok, err = c.Refresh(ctx); err == nil {
			err = c.checkGranted(tok)
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		err = r.mended(e)
	}
	if wrong := r.checkClock(now); wrong != nil {
		return errors.Join(wrong, err)
	}
	return err
}

// checkMetadata looks at the issuer's metadata anew. Its error is an [*Error], or ErrClosed.
func (x *exchanger) checkMetadata(ctx context.Context) error {
	e := &x.endpoints
	if e.discoverer == nil {
		return nil
	}
	for attempt := 1; ; attempt++ {
		_, err := e.discoverer.Refetch(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, context.Canceled) && ctx.Err() == nil:
			return ErrClosed
		}
		failed := e.undiscovered(err)
		failed.client, failed.host, failed.Attempts = x.clientID, endpoint.Host(e.issuer), attempt
		failed = x.concealEarly(ctx, failed)
		if failed.outlook != outlook.Passing || attempt >= x.retry.MaxAttempts ||
			!backoff.Sleep(ctx, backoff.Full(x.retry.MinBackoff, x.retry.MaxBackoff, attempt-1)) {
			return failed
		}
	}
}

// checkGranted returns what of the scopes that were asked for tok lacks.
func (c *Client) checkGranted(tok *oauth2.Token) error {
	said, ok := tok.Extra("scope").(string)
	target := c.goal()
	missing := missingScopes(target.form().Get("scope"), strings.Fields(said))
	if !ok || len(missing) == 0 {
		return nil
	}
	return c.registered().failed(&Error{
		Err:     fmt.Errorf("the token lacks scopes that were asked for: %s", strings.Join(missing, " ")),
		Hint:    "allow them for this client at the server, or take them out of Scopes",
		outlook: outlook.Settled,
	})
}

// mended returns e with a hint what to mend, where it has none that says so.
func (r *registration) mended(e *Error) *Error {
	if hint := r.remedy(e); hint != "" {
		cp := *e
		cp.Hint = hint
		if e.Hint != "" {
			cp.Hint = e.Hint + "; " + hint
		}
		return &cp
	}
	return e
}

func (r *registration) remedy(e *Error) string {
	_, unconfigured := errors.AsType[*unconfigured](e.Err)
	switch {
	case e.Code == InvalidScope:
		return "correct Scopes, or have the server allow them for this client"
	case e.Code == InvalidTarget:
		return "correct Resources and Audience, or have the server allow them for this client"
	case e.Hint != "":
		return ""
	case unconfigured:
		return "put it there, or correct Auth"
	case e.unasked:
		return "see what Auth, or the source of its secret or key, needs"
	case errors.Is(e, context.Canceled):
		return ""
	case link.TimedOut(e.Err):
		return "check the host, and the firewalls and proxies on the way (HTTPS_PROXY, NO_PROXY)"
	case e.StatusCode == http.StatusTooManyRequests:
		return "too much is asked of the server, by this client or by others: find out by whom"
	case e.StatusCode >= 500:
		return "nothing is wrong here: the server has to be mended, or will recover"
	case errors.Is(e, ErrExpired):
		return "set the clock that is wrong"
	case e.StatusCode == 0:
		return "check that the server runs, and what is on the way to it"
	}
	return "see what the server logged about this request"
}

// maxSkew is how far clocks may be apart: a minute is what servers commonly tolerate in an assertion.
const maxSkew = time.Minute

// checkClock returns whether this machine's clock and the server's are too far apart.
func (r *registration) checkClock(c *clock) error {
	ahead := time.Duration(c.ahead.Load())
	if ahead.Abs() < maxSkew {
		return nil
	}
	which := "behind"
	if ahead < 0 {
		which = "ahead of"
	}
	return r.failed(&Error{
		Err: fmt.Errorf("this machine's clock is about %v %s the server's",
			ahead.Abs().Round(10*time.Second), which),
		Hint:    "set the one that is wrong, by NTP say: the lives of tokens, assertions and certificates depend on it",
		outlook: outlook.Settled,
	})
}
