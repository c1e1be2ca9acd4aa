package cache

import (
	"context"
	"errors"
	"time"
)

// storeTimeout bounds one call of a Store.
const storeTimeout = 500 * time.Millisecond

// A secondLevel is what lies behind a Cache's own memory. It never fails: a Store that is down, slow or holds rubbish is
// a miss, and is left alone for a while.
type secondLevel struct {
	cache   *Cache
	store   Store
	locker  Locker // nil: the Store is none
	breaker breaker
}

func newSecondLevel(c *Cache) *secondLevel {
	if c.opt.Store == nil {
		return nil
	}
	locker, _ := c.opt.Store.(Locker)
	return &secondLevel{cache: c, store: c.opt.Store, locker: locker}
}

// token gives e a token from the Store, or a new one, which it shares: Store, lock, Store again, server, Put, unlock.
func (l *secondLevel) token(ctx context.Context, e *Entry) (*snapshot, error) {
	if s := l.get(ctx, e); s != nil {
		return s, nil
	}
	s, held, err := l.lease(ctx, e)
	if s != nil || err != nil {
		return s, err
	}
	defer l.release(ctx, held)
	leased := time.Now()
	s, err = e.fetchNew(ctx)
	if err != nil {
		return nil, err
	}
	if l.locker != nil && time.Since(leased) > l.cache.lockTTL()/2 {
		// The lock may have gone to another, which asked after us: some servers honour the last token only.
		if other := l.get(ctx, e); other != nil && s.expiry.before(other.expiry) {
			return other, nil
		}
	}
	l.put(ctx, e, s)
	return s, nil
}

// get returns what the Store holds for e, nil if that does not improve on what e has.
func (l *secondLevel) get(ctx context.Context, e *Entry) *snapshot {
	var data []byte
	err := l.call(ctx, func(ctx context.Context) (err error) {
		data, err = l.store.Get(ctx, e.key)
		return err
	})
	if err != nil {
		if err == ErrMiss {
			l.breaker.healthy()
		}
		return nil
	}
	read := time.Now()
	s, err := l.cache.readRecord(data, read)
	if err != nil {
		if !errors.Is(err, ErrMiss) {
			l.warn(err)
		}
		return nil
	}
	l.breaker.healthy()
	now := l.cache.at(read)
	e.mu.Lock()
	defer e.mu.Unlock()
	held := e.current.Load()
	s.capExpiry(held)
	if e.rejections.knows(s.token.AccessToken) || !s.improvesOn(held, now) {
		return nil
	}
	s.stagger()
	return s
}

// put shares a token, unless e knows that it was rejected. That is done even if ctx has ended: it has been paid for.
func (l *secondLevel) put(ctx context.Context, e *Entry, s *snapshot) {
	e.mu.Lock()
	rejected := e.rejections.knows(s.token.AccessToken)
	e.mu.Unlock()
	if rejected {
		return
	}
	now := time.Now()
	data, err := l.cache.writeRecord(s, now)
	if err != nil {
		l.warn(err)
		return
	}
	err = l.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return l.store.Put(ctx, e.key, data, l.cache.at(now).until(s.expiry))
	})
	if err == nil {
		l.breaker.healthy()
	}
}

var errStoreOff = errors.New("cache: the store is left alone for a while")

// call calls the Store, on a goroutine that can be left behind, within a timeout of its own.
func (l *secondLevel) call(ctx context.Context, f func(context.Context) error) error {
	if l.breaker.open() {
		return errStoreOff
	}
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := callAside(limited, l.cache, 0, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	switch {
	case err == nil, err == ErrMiss:
		l.breaker.reset()
	case errors.Is(err, ErrMiss):
		l.warn(err) // a record that does not open
	case ctx.Err() == nil && l.cache.life.Err() == nil: // else it is not the Store's fault
		l.breaker.trip()
		l.warn(err)
	}
	return err
}

// warn says once what is wrong, until it is right again.
func (l *secondLevel) warn(err error) {
	if l.breaker.claimWarning() {
		l.cache.logStore(err)
	}
}
