package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstPoll = 50 * time.Millisecond // between looks while another process fetches, growing to
	maxPoll   = 500 * time.Millisecond
	maxLeave  = time.Minute // between looks while another process fetches and the token lives
)

var errBusy = errors.New("cache: another process is fetching")

// A lease is the right to fetch for all who share a Store.
type lease struct {
	unlock func(context.Context) error // nil: everybody may fetch
}

// lease takes the right to fetch e's token. While another process has it, lease waits until that one has put its token
// into the Store, and returns that, or has lost the lock; but while e's token is only stale the error is errBusy.
// Without a Locker, or one that works, everybody may fetch.
func (l *secondLevel) lease(ctx context.Context, e *Entry) (*snapshot, lease, error) {
	if l.locker == nil {
		return nil, lease{}, nil
	}
	for poll := firstPoll; ; poll = min(2*poll, maxPoll) {
		unlock, mine, err := l.tryLock(ctx, e)
		if err != nil {
			return nil, lease{}, nil
		}
		if mine {
			held := lease{unlock}
			if s := l.get(ctx, e); s != nil {
				l.release(ctx, held)
				return s, lease{}, nil
			}
			return nil, held, nil
		}
		if e.current.Load().phase(l.cache.now()) == stale {
			return nil, lease{}, errBusy
		}
		select {
		case <-time.After(poll/2 + rand.N(poll/2)):
		case <-ctx.Done():
			return nil, lease{}, nil
		}
		if s := l.get(ctx, e); s != nil {
			return s, lease{}, nil
		}
	}
}

func (l *secondLevel) tryLock(ctx context.Context, e *Entry) (unlock func(context.Context) error, mine bool, err error) {
	err = l.call(ctx, func(ctx context.Context) error {
		u, ok, err := l.locker.TryLock(ctx, e.key, l.cache.lockTTL())
		if ok && ctx.Err() != nil { // Too late: nobody waits for it any more.
			u(context.WithoutCancel(ctx))
			return ctx.Err()
		}
		unlock, mine = u, ok
		return err
	})
	return unlock, mine, err
}

// release gives the right to fetch back, also when ctx has ended: others wait for it.
func (l *secondLevel) release(ctx context.Context, held lease) {
	if held.unlock != nil {
		l.call(context.WithoutCancel(ctx), held.unlock)
	}
}

// lockTTL leaves time for another try within one FetchTimeout when the holder of a lock has died.
func (c *Cache) lockTTL() time.Duration { return max(c.opt.FetchTimeout/3, time.Millisecond) }

// deferral returns until when (instant.mono) the refresh of a stale token can be left to another process: for a part of
// the time that remains.
func (s *snapshot) deferral(now instant) int64 {
	d := min(max((now.until(s.expiry)-s.margin)/8, firstPoll), maxLeave)
	return now.mono + int64(d/2+rand.N(d))
}
