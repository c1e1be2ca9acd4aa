package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// grace is how long a fetch whose context has ended may take to say so before
// those who wait for it are sent away.
const grace = time.Second

// fly joins the flight of e's key, or starts it. The leader's values reach the
// fetch, its cancellation does not. probe says that a failure is cooling down
// and is first to be asked whether its cause has gone.
func (e *Entry) fly(ctx context.Context, probe bool) <-chan singleflight.Result {
	ctx = context.WithoutCancel(ctx)
	return e.cache.flights.DoChan(e.key, func() (any, error) {
		return e.flight(ctx, probe)
	})
}

func (e *Entry) flight(ctx context.Context, probe bool) (any, error) {
	c := e.cache
	if !c.begin() {
		return nil, ErrClosed
	}
	defer c.end()
	left := int64(0) // until then (instant.mono) another process refreshes
	defer func() { e.land(left) }()
	ctx, cancel := context.WithTimeout(ctx, c.opt.FetchTimeout)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()

	now := c.at(time.Now())
	e.mu.Lock()
	held, f := e.current.Load(), e.failed
	e.mu.Unlock()
	// Another flight may have landed since the caller looked.
	if held.phase(now) == fresh {
		return held.token, nil
	}
	if f.cooling(now) {
		if !probe {
			return nil, f.err
		}
		if h := c.shared; h != nil {
			if s := h.get(ctx, e); s != nil {
				return e.publish(s, held)
			}
		}
		if !f.outdated(ctx, c) {
			return nil, f.err
		}
	}

	s, err := e.obtain(ctx)
	for err == errBusy {
		now := c.at(time.Now())
		if s = e.current.Load(); s.phase(now) == stale {
			left = s.leave(now)
			return s.token, nil
		}
		s, err = e.obtain(ctx) // It was invalidated meanwhile, or nears its end.
	}
	var tok *oauth2.Token
	if err == nil {
		tok, err = e.publish(s, held)
	}
	if err != nil && c.life.Err() == nil {
		e.mu.Lock()
		now := c.at(time.Now())
		f := e.fail(err, now)
		unseen := e.current.Load().phase(now) != gone
		e.mu.Unlock()
		c.logFetchFailed(e.key, f, unseen)
	}
	return tok, err
}

// obtain gets a token, from the second level if there is one.
func (e *Entry) obtain(ctx context.Context) (*snapshot, error) {
	if h := e.cache.shared; h != nil {
		return h.obtain(ctx, e)
	}
	return e.ask(ctx)
}

// ask gets a new token.
func (e *Entry) ask(ctx context.Context) (*snapshot, error) {
	sent := time.Now()
	e.mu.Lock()
	e.rejections.spend(e.cache.at(sent))
	e.mu.Unlock()
	tok, err := run(e.cache, ctx, grace, e.fetch)
	if err != nil {
		return nil, err
	}
	return e.cache.newSnapshot(e.noYounger(tok, sent), sent, time.Now())
}

// noYounger gives tok the expiry that is known of it, if it is the current token
// once more and nobody says how long it lives now. Some servers give one token
// until it has expired, with what is left of its life in whole seconds, and so
// 0 in the last of them.
func (e *Entry) noYounger(tok *oauth2.Token, sent time.Time) *oauth2.Token {
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

// publish hands a new token to everybody, in place of the one that was held when
// it was asked for. One that the resource has already rejected is handed out
// too, there being no other.
func (e *Entry) publish(s, held *snapshot) (*oauth2.Token, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cache.life.Err() != nil {
		return nil, ErrClosed
	}
	if now := e.current.Load(); now != held && now.phase(e.cache.at(time.Now())) == fresh && !now.rejected {
		return now.token, nil // Fetch got it meanwhile, and asked later.
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

// land prepares for what comes after a flight, however it ended.
func (e *Entry) land(left int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.current.Load(); s != nil {
		s.look.Store(e.nextLook(s, left))
	}
	e.keep()
}

// nextLook is when a stale token is to be looked at again, if its refresh is left
// to another process until left. e.mu is held.
func (e *Entry) nextLook(s *snapshot, left int64) int64 {
	look := left
	if f := e.failed; f != nil {
		look = max(look, f.until.mono)
		if outdater(f.err) != nil {
			look = min(look, f.asked.add(probeEvery).mono)
		}
	}
	if s.rejected {
		look = min(look, e.rejections.next.mono)
	}
	return look
}

// run calls f on a goroutine of its own, which Close joins, so that a panic or
// a runtime.Goexit in f is an error like others, and an f that ignores its
// context holds up nobody: grace is how long it may take to notice. The caller
// is inside of begin and end.
func run[T any](c *Cache, ctx context.Context, grace time.Duration, f func(context.Context) (T, error)) (T, error) {
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
		r := result{err: errors.New("cache: the call ended its goroutine")}
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
		return result{}.val, fmt.Errorf("cache: the call ignores that its context has ended: %w", context.Cause(ctx))
	}
}

// panicked makes an error of a panic. A value that is not the runtime's own
// may hold a secret; only its type is told.
func panicked(p any) error {
	if e, ok := p.(runtime.Error); ok {
		return fmt.Errorf("cache: the call panicked: %w", e)
	}
	return fmt.Errorf("cache: the call panicked with a %T", p)
}
