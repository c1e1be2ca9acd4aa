package cache

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/ccclient/go-ccclient/internal/redact"
)

const (
	firstPoll = 50 * time.Millisecond // between looks while another process fetches, growing to
	maxPoll   = 500 * time.Millisecond
	maxLeave  = time.Minute // between looks while another process fetches and the token lives
)

// A lease is the right to fetch for all who share a Store. The zero lease is that of somebody who fetches without.
type lease struct {
	unlock func(context.Context) error
	since  time.Time
}

// acquire takes the right to fetch for fl. While another process has it, acquire waits until that one has put its
// token, or word of its failure, into the Store, which is the outcome then; or has lost the lock. While the token is
// only stale nobody waits: the outcome is that token. With no outcome fl is to fetch, with the lease or, if there is no
// Locker, or none that works, or a lock that is not given back, without.
func (l *secondLevel) acquire(ctx context.Context, fl *flight) (o outcome, done bool) {
	if l.locker == nil {
		return outcome{}, false
	}
	e := fl.entry
	var patience time.Time // when the lock should have been given back; zero: it was not busy yet
	for poll := firstPoll; ; poll = min(2*poll, maxPoll) {
		budget := fl.store
		lent, mine, err := l.tryLock(ctx, fl)
		if err != nil {
			return outcome{}, false
		}
		if mine {
			fl.lease = lent
			if o, ok := l.lookUp(ctx, fl); ok {
				return o, true
			}
			if !patience.IsZero() && !l.putMark(ctx, fl) {
				// The one before has left nothing, and neither could we: let everybody ask, at once.
				l.release(ctx, fl)
			}
			return outcome{}, false
		}
		now := l.cache.now()
		if s := e.current.Load(); s.phase(now) == stale {
			return outcome{token: s, deferUntil: s.deferral(now)}, true
		}
		if patience.IsZero() {
			patience = time.Now().Add(l.cache.lockTTL() + maxPoll)
		}
		if time.Now().After(patience) && time.Now().After(fl.marked) {
			// Nobody gives it back. Others who wait for it see the mark, and wait on.
			l.tell(ctx, StoreInfo{
				Label: e.label(), Key: e.key, Op: StoreLock, Err: errNotGivenBack, Turned: l.breaker.fault(),
			})
			l.putMark(ctx, fl)
			return outcome{}, false
		}
		select {
		case <-time.After(poll/2 + rand.N(poll/2)):
		case <-ctx.Done():
			return outcome{}, false
		}
		if o, ok := l.lookUp(ctx, fl); ok {
			return o, true
		}
		if l.breaker.open() {
			return outcome{}, false
		}
		fl.store = budget // What it takes to see another process at work is not the Store's part.
	}
}

// tryLock takes a lock, or gives it back if it comes when nobody waits for it any more.
func (l *secondLevel) tryLock(ctx context.Context, fl *flight) (lent lease, mine bool, err error) {
	var late lease
	var got atomic.Pointer[lease]
	_, i, err := callStore(ctx, l, fl.entry, StoreLock, &fl.store, func(ctx context.Context) (struct{}, error) {
		since := time.Now()
		unlock, ok, err := l.locker.TryLock(ctx, fl.entry.key, l.cache.lockTTL())
		if ok && err == nil && !got.CompareAndSwap(nil, &lease{unlock, since}) {
			err = unlock(context.WithoutCancel(ctx))
		}
		return struct{}{}, err
	})
	if err != nil && got.CompareAndSwap(nil, &late) {
		l.tell(ctx, i)
		return lease{}, false, err
	}
	if h := got.Load(); h != nil {
		lent, i.Found = *h, true
	}
	l.tell(ctx, i)
	return lent, i.Found, nil
}

// release gives the right to fetch back, whatever happened: also when ctx has ended, and when the Store is being left
// alone. Others wait for it.
func (l *secondLevel) release(ctx context.Context, fl *flight) {
	if fl.lease.unlock == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	unlock, began := fl.lease.unlock, time.Now()
	_, err := callAside(ctx, l.cache, 0, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, unlock(ctx)
	})
	l.tell(ctx, StoreInfo{
		Label: fl.entry.label(), Key: fl.entry.key, Op: StoreUnlock, Took: time.Since(began),
		Err: redact.New().Scrub(err),
	})
	fl.lease = lease{}
}

// lasts reports whether the lease is surely still held, so that what it guards may be written.
func (h lease) lasts(c *Cache) bool { return h.unlock != nil && time.Since(h.since) < c.lockTTL()/2 }

// lockTTL leaves time for another try within one FetchTimeout when the holder of a lock has died.
func (c *Cache) lockTTL() time.Duration { return max(c.opt.FetchTimeout/3, time.Millisecond) }

// deferral returns until when (instant.mono) the refresh of a stale token can be left to another process: for a part of
// the time that remains.
func (s *snapshot) deferral(now instant) int64 {
	d := min(max((now.until(s.expiry)-s.margin)/8, firstPoll), maxLeave)
	return now.mono + int64(d/2+rand.N(d))
}
