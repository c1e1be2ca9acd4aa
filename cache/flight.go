package cache

import (
	"context"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// startFlight joins the flight of e's key, or starts it. The leader's values reach the fetch, its cancellation does not.
// probe says that the caller has claimed the probe of a failure that is cooling down.
func (e *Entry) startFlight(ctx context.Context, probe bool) <-chan singleflight.Result {
	ctx = context.WithoutCancel(ctx)
	return e.cache.flights.DoChan(e.key, func() (any, error) {
		return e.runFlight(ctx, probe)
	})
}

// runFlight gets a token for all who wait: as the table in decide.go says, from the second level if there is one, and
// from the server.
func (e *Entry) runFlight(ctx context.Context, probe bool) (any, error) {
	c := e.cache
	if !c.begin() {
		return nil, ErrClosed
	}
	defer c.end()
	deferUntil := int64(0) // until then (instant.mono) another process refreshes
	defer func() { e.endFlight(deferUntil) }()
	ctx, cancel := context.WithTimeout(ctx, c.opt.FetchTimeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()

	e.mu.Lock()
	v := e.view(c.now())
	v.due, v.probeDue = true, v.cooling && probe // both are claimed by whoever started this flight
	held, f := e.current.Load(), e.failed
	e.mu.Unlock()
	switch decide(v) {
	case serve:
		return held.token, nil
	case refuse:
		return nil, f.err
	}
	if v.cooling {
		if c.second != nil {
			if s := c.second.get(ctx, e); s != nil {
				return e.publish(s, held)
			}
		}
		if !f.outdated(ctx, c) {
			return nil, f.err
		}
	}

	s, err := e.nextToken(ctx)
	for err == errBusy {
		now := c.now()
		if s = e.current.Load(); s.phase(now) == stale {
			deferUntil = s.deferral(now)
			return s.token, nil
		}
		s, err = e.nextToken(ctx) // It was invalidated meanwhile, or nears its end.
	}
	var tok *oauth2.Token
	if err == nil {
		tok, err = e.publish(s, held)
	}
	if err != nil && c.life.Err() == nil {
		e.mu.Lock()
		now := c.now()
		f := e.fail(err, now)
		unseen := e.current.Load().phase(now) != gone
		e.mu.Unlock()
		c.logFetchFailed(e.key, f, unseen)
	}
	return tok, err
}

// nextToken gets a token, from the second level if there is one.
func (e *Entry) nextToken(ctx context.Context) (*snapshot, error) {
	if l := e.cache.second; l != nil {
		return l.token(ctx, e)
	}
	return e.fetchNew(ctx)
}

// fetchNew gets a token from the server.
func (e *Entry) fetchNew(ctx context.Context) (*snapshot, error) {
	sent := time.Now()
	e.mu.Lock()
	e.rejections.spend(e.cache.at(sent))
	e.mu.Unlock()
	tok, err := callAside(ctx, e.cache, grace, e.fetch)
	if err != nil {
		return nil, err
	}
	return e.cache.newSnapshot(e.keepKnownExpiry(tok, sent), sent, time.Now())
}

// keepKnownExpiry returns tok with the expiry that is known of it, if it is the current token once more and nobody says
// how long it lives now. Some servers give one token until it has expired, with what is left of its life in whole
// seconds, and so 0 in the last of them.
func (e *Entry) keepKnownExpiry(tok *oauth2.Token, sent time.Time) *oauth2.Token {
	s := e.current.Load()
	if s == nil || s.token.ExpiresIn <= 0 || tok == nil || tok.AccessToken != s.token.AccessToken ||
		!tok.Expiry.IsZero() || tok.ExpiresIn != 0 {
		return tok
	}
	expiry := sent.Add(time.Second)
	if s.token.Expiry.After(expiry) {
		expiry = s.token.Expiry
	}
	tok = withExpiry(tok, expiry)
	tok.ExpiresIn = s.token.ExpiresIn
	return tok
}

// publish hands a new token to everybody, in place of the one that was held when it was asked for. One that the resource
// has already rejected is handed out too, there being no other.
func (e *Entry) publish(s, held *snapshot) (*oauth2.Token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cache.life.Err() != nil {
		return nil, ErrClosed
	}
	if latest := e.current.Load(); latest != held && latest.phase(e.cache.now()) == fresh && !latest.rejected {
		return latest.token, nil // Refresh got it meanwhile, and asked later.
	}
	if e.rejections.knows(s.token.AccessToken) {
		e.cache.logSameTokenAgain(e.key)
	}
	e.failed = nil
	if e.rejections != nil {
		e.rejections.forced = false
	}
	if !e.evicted {
		e.current.Store(s)
		e.keep()
	}
	return s.token, nil
}

// endFlight prepares for what comes after a flight, however it ended.
func (e *Entry) endFlight(deferUntil int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.scheduleRefresh(deferUntil)
	e.keep()
}

// scheduleRefresh says when a stale token is to be refreshed next. e.mu is held.
func (e *Entry) scheduleRefresh(deferUntil int64) {
	s := e.current.Load()
	if s == nil {
		return
	}
	var spaced *rejections
	if s.rejected {
		spaced = e.rejections
	}
	s.refreshDue.Store(nextRefresh(e.failed, spaced, deferUntil))
}

// nextRefresh returns when (instant.mono) the next refresh of a stale token is due: not before deferUntil, which leaves
// it to another process, nor before a failure has cooled down, unless its error may know better; but a rejected token is
// replaced as soon as the spacing allows. Each may be nil or zero.
func nextRefresh(f *cooldown, spaced *rejections, deferUntil int64) int64 {
	due := deferUntil
	if f != nil {
		due = max(due, f.until.mono)
		if outdater(f.err) != nil {
			due = min(due, f.probedAt.add(probeEvery).mono)
		}
	}
	if spaced != nil {
		due = min(due, spaced.next.mono)
	}
	return due
}
