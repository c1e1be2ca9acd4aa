package ccclient

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/fingerprint"
	"github.com/ccclient/go-ccclient/internal/redact"
)

// News is what the requests for one token have brought lately that a person may have to know: nil in most clients.
type news struct {
	failure  string            // of the last attempt, as it is told, less the prefix; empty: it brought a token
	failedAt time.Time         // when that was
	granted  fingerprint.Print // of the last token's scopes, if some that were asked for are missing; zero: none are
}

// newsOf is where the news of a client are.
type newsOf = atomic.Pointer[news]

// update changes a copy of the news, from no news if there are none, and keeps it unless it is empty.
func update(at *newsOf, change func(*news)) {
	for {
		old := at.Load()
		var next news
		if old != nil {
			next = *old
		}
		change(&next)
		switch {
		case old == nil && next == news{} || old != nil && next == *old:
			return
		case next == news{}:
			if at.CompareAndSwap(old, nil) {
				return
			}
		case at.CompareAndSwap(old, &next):
			return
		}
	}
}

// newsKey is for where the news of a token request go.
type newsKey struct{}

func withNews(ctx context.Context, at *newsOf) context.Context {
	return context.WithValue(ctx, newsKey{}, at)
}

// noteFailure keeps what became of an attempt, for callers who give up before the last one: nil if it brought a token.
func noteFailure(ctx context.Context, e *Error) {
	at, ok := ctx.Value(newsKey{}).(*newsOf)
	if !ok {
		return
	}
	text, when := "", time.Time{}
	if e != nil {
		text, when = strings.TrimPrefix(e.Error(), errorPrefix), time.Now()
	}
	update(at, func(n *news) { n.failure, n.failedAt = text, when })
}

// gaveUp returns the error for a caller of c whose context has ended. Of the failure it has the text alone: that was
// not the end of the request.
func (c *Client) gaveUp(err *cache.GaveUp) error {
	text := fmt.Sprintf(": waited for %v, since %s",
		time.Since(err.Since).Round(time.Millisecond), err.Since.UTC().Format(time.RFC3339))
	if n := c.news.Load(); n != nil && n.failure != "" {
		ago := time.Since(n.failedAt).Round(time.Millisecond)
		text += fmt.Sprintf("; the last failure, %v ago: %s", ago, n.failure)
	} else if e, ok := errors.AsType[*Error](err.Last); ok {
		text += "; the last failure: " + strings.TrimPrefix(e.Error(), errorPrefix)
	}
	return fmt.Errorf("ccclient: gave up waiting for a token from %s: %w%s", c.registered().host, err.Err, text)
}

// noteGranted looks at what a new token was granted of the scopes that form asked for (RFC 6749, section 5.1), and
// tells of those that are missing, once for each set of scopes that is granted in their place.
func (c *Client) noteGranted(ctx context.Context, form url.Values, tok *oauth2.Token) {
	said, ok := tok.Extra("scope").(string)
	granted := strings.Fields(said)
	missing := missingScopes(form.Get("scope"), granted)
	if !ok || len(missing) == 0 { // a server that does not say grants what was asked for
		update(&c.news, func(n *news) { n.granted = fingerprint.Print{} })
		return
	}
	slices.Sort(granted)
	set, changed := fingerprint.Of(strings.Join(granted, " ")), false
	update(&c.news, func(n *news) { n.granted, changed = set, n.granted != set })
	if changed {
		r := c.registered()
		told := redact.New(r.exchanger.recent.All()...).Clean(strings.Join(granted, " "))
		r.observer.granted(ctx, GrantInfo{
			Label: c.target.Label, Host: r.host, Asked: strings.Fields(form.Get("scope")),
			Granted: strings.Fields(told), Missing: missing,
		})
	}
}

// missingScopes returns which of the scopes that were asked for are not among those granted. Entra ID's ".default" is
// none of those that it stands for.
func missingScopes(asked string, granted []string) (missing []string) {
	scopes := strings.Fields(asked)
	if len(scopes) == 1 {
		scopes = strings.Split(asked, ",") // for servers that have them so
	}
	for _, scope := range scopes {
		if scope != "" && scope != ".default" && !strings.HasSuffix(scope, "/.default") &&
			!slices.Contains(granted, scope) {
			missing = append(missing, scope)
		}
	}
	return missing
}
