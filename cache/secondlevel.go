package cache

import (
	"context"
	"errors"
	"time"

	"github.com/ccclient/go-ccclient/internal/redact"
)

// storeTimeout bounds one call of a Store, and all of them together that a caller has to wait for.
const storeTimeout = 500 * time.Millisecond

// A secondLevel is what lies behind a Cache's own memory. It never fails: a Store that is down, slow or holds rubbish
// is a miss, and is left alone for a while.
type secondLevel struct {
	cache   *Cache
	store   Store
	locker  Locker // nil: the Store is none
	sealed  bool   // who can write to the Store cannot make up a record
	breaker breaker
}

func newSecondLevel(c *Cache) *secondLevel {
	l := &secondLevel{cache: c, store: c.opt.Store}
	switch s := c.opt.Store.(type) {
	case nil:
		return nil
	case *sealed, *sealedLocker:
		l.sealed = true
		l.locker, _ = s.(Locker)
	default:
		l.locker, _ = s.(Locker)
	}
	return l
}

// find gets fl a token that is not in the Store yet: lock, Store again, server. What it brings is shared later.
func (l *secondLevel) find(ctx context.Context, fl *flight) outcome {
	if o, ok := l.acquire(ctx, fl); ok {
		return o
	}
	o := fl.fetchNew(ctx)
	if o.err == errLookAgain {
		l.release(ctx, fl)
		return o
	}
	if o.err == nil && l.locker != nil && fl.lease.unlock != nil && !fl.lease.lasts(l.cache) {
		// The lock may have gone to another, which asked after us: some servers honour the last token only.
		if theirs, _ := l.get(ctx, fl); theirs != nil && o.token.expiry.before(theirs.expiry) {
			return outcome{token: theirs, new: true}
		}
	}
	return o
}

// share tells the others what came of a flight that has landed, and gives the lease back. That is done even if ctx has
// ended: a token has been paid for.
func (l *secondLevel) share(ctx context.Context, fl *flight, o outcome, failed *backoff) {
	ctx = context.WithoutCancel(ctx)
	switch {
	case o.fetched:
		l.put(ctx, fl.entry, o.token)
	case failed == nil || fl.lease.unlock == nil:
	case fl.lease.lasts(l.cache):
		l.putFailure(ctx, fl.entry, failed)
	default: // The lock may have gone to another, which has had more luck.
		fl.store = storeTimeout
		if _, ok := l.lookUp(ctx, fl); !ok {
			l.putFailure(ctx, fl.entry, failed)
		}
	}
	l.release(ctx, fl)
}

// lookUp returns what the Store says, if that makes a difference.
func (l *secondLevel) lookUp(ctx context.Context, fl *flight) (outcome, bool) {
	s, f := l.get(ctx, fl)
	switch {
	case s != nil:
		return outcome{token: s, new: true}, true
	case f != nil:
		return outcome{err: f.err, adopted: f}, true
	}
	return outcome{}, false
}

// get returns the token that the Store holds, nil if that does not improve on what fl's entry has; or else a failure of
// another process that is cooling down and not known yet.
func (l *secondLevel) get(ctx context.Context, fl *flight) (*snapshot, *backoff) {
	e := fl.entry
	found, i, err := callStore(ctx, l, e, StoreGet, &fl.store, func(ctx context.Context) (reading, error) {
		data, err := l.store.Get(ctx, e.key)
		if err != nil {
			return reading{}, hideToken(err, e.current.Load())
		}
		return l.cache.readRecord(data, time.Now(), l.sealed)
	})
	now := l.cache.now()
	if s := found.token; s != nil {
		i.Found, i.Left = true, now.until(s.expiry)
	}
	l.tell(ctx, i)
	if err != nil {
		return nil, nil
	}
	fl.marked = found.marked
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := found.token; s != nil && !e.rejections.knows(s.token.AccessToken) {
		held := e.current.Load()
		s.capExpiry(held)
		if s.improvesOn(held, now) {
			s.stagger()
			if f := l.cache.gate.failed.Load(); f != nil && found.failed == nil && f.at.wall < found.sent {
				l.cache.gate.forgive(now) // Another process has had a success since.
			}
			return s, nil
		}
	}
	f := found.failed
	if f == nil {
		return nil, nil
	}
	known := e.failed
	if f.said.Shared {
		known = l.cache.gate.failed.Load()
	}
	switch {
	case known != nil && known.origin == f.origin:
	case f.said.Shared && f.at.wall <= l.cache.gate.opened.Load(): // It is over, and nobody has said so here.
	case now.before(f.until(e.current.Load(), now)):
		return nil, f
	case known == nil || known.at.wall < f.at.wall:
		e.adopt(f) // It is over, but the row goes on.
	}
	return nil, nil
}

// put shares a token, unless e knows that it was rejected.
func (l *secondLevel) put(ctx context.Context, e *Entry, s *snapshot) {
	e.mu.Lock()
	rejected := e.rejections.knows(s.token.AccessToken)
	e.mu.Unlock()
	if !rejected {
		l.putRecord(ctx, e, s, nil)
	}
}

// putFailure leaves word of a failure, beside the token if one lives.
func (l *secondLevel) putFailure(ctx context.Context, e *Entry, f *backoff) {
	e.mu.Lock()
	s := e.current.Load()
	if s.phase(l.cache.now()) == gone || e.rejections.knows(s.token.AccessToken) {
		s = nil
	}
	e.mu.Unlock()
	l.putRecord(ctx, e, s, f)
}

func (l *secondLevel) putRecord(ctx context.Context, e *Entry, s *snapshot, f *backoff) {
	data, ttl, err := l.cache.writeRecord(s, f, time.Now())
	if err != nil {
		l.tell(ctx, StoreInfo{Label: e.label(), Key: e.key, Op: StorePut, Err: err, Turned: l.breaker.fault()})
		return
	}
	limit := storeTimeout
	_, i, _ := callStore(ctx, l, e, StorePut, &limit, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, hideToken(l.store.Put(ctx, e.key, data, ttl), s)
	})
	l.tell(ctx, i)
}

// hideToken returns err, of a Store, as it may be logged: one that quotes the command that failed quotes the record.
func hideToken(err error, s *snapshot) error {
	if s == nil {
		return redact.New().Scrub(err)
	}
	return redact.New(s.token.AccessToken).Scrub(err)
}

// isMiss reports whether a Store holds nothing, rather than something that it cannot read.
func isMiss(err error) bool { return errors.Is(err, ErrMiss) && !errors.Is(err, ErrUnreadable) }

// putMark tells others who wait that fl's fetch has begun. To all else it is a miss. It reports whether the Store takes
// writes.
func (l *secondLevel) putMark(ctx context.Context, fl *flight) bool {
	data, err := l.cache.writeMark(time.Now())
	if err != nil {
		return false
	}
	_, i, err := callStore(ctx, l, fl.entry, StorePut, &fl.store, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, l.store.Put(ctx, fl.entry.key, data, l.cache.lockTTL())
	})
	l.tell(ctx, i)
	return err == nil
}

var (
	errStoreOff     = errors.New("cache: the store is left alone for a while")
	errNotGivenBack = errors.New("cache: a lock in the store was not given back in its time")
)

// callStore calls the Store for e, on a goroutine that can be left behind, for limit at most, which it reduces by the
// time that it took. What there is to tell of the call is for the caller to complete.
func callStore[T any](
	ctx context.Context, l *secondLevel, e *Entry, op StoreOp, limit *time.Duration,
	f func(context.Context) (T, error),
) (val T, i StoreInfo, err error) {
	if *limit <= 0 || l.breaker.open() {
		return val, i, errStoreOff
	}
	limited, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	began := time.Now()
	val, err = callAside(limited, l.cache, 0, f)
	hurried := *limit < storeTimeout/2 && limited.Err() != nil // Others had used up the time.
	i = StoreInfo{Label: e.label(), Key: e.key, Op: op, Took: time.Since(began)}
	*limit -= i.Took
	switch {
	case err == nil, isMiss(err):
		l.breaker.reset()
		i.Turned = (op == StoreGet || op == StorePut) && l.breaker.mended()
		return val, i, err
	case errors.Is(err, ErrUnreadable): // It has answered all the same.
		l.breaker.reset()
		i.Turned = l.breaker.fault()
	case ctx.Err() == nil && l.cache.closing.Err() == nil && !hurried: // else it is not the Store's fault
		l.breaker.trip()
		i.Turned = l.breaker.fault()
	}
	i.Err = err
	return val, i, err
}

// tell tells everybody of a call of the Store, if it was made.
func (l *secondLevel) tell(ctx context.Context, i StoreInfo) {
	if i.Op != "" {
		l.cache.tellStore(ctx, i)
	}
}
