package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	storeTimeout  = 500 * time.Millisecond // of one call of a Store
	firstStoreOff = time.Second            // the pause after a Store failed, doubling to
	maxStoreOff   = 30 * time.Second
	firstPoll     = 50 * time.Millisecond // between looks while another process fetches, growing to
	maxPoll       = 500 * time.Millisecond
	maxLeave      = time.Minute // between looks while another process fetches and the token lives
)

// A shared is the second level. It never fails: a Store that is down, slow or
// holds rubbish is a miss, and is left alone for a while.
type shared struct {
	cache  *Cache
	store  Store
	locker Locker // nil: the Store is none

	mu     sync.Mutex    // guards what follows
	off    time.Duration // how long the Store is left alone; 0: it works
	until  time.Time     // no call before this
	warned bool          // of what is wrong now
}

func newShared(c *Cache) *shared {
	if c.opt.Store == nil {
		return nil
	}
	locker, _ := c.opt.Store.(Locker)
	return &shared{cache: c, store: c.opt.Store, locker: locker}
}

// obtain gives e a token from the Store, or a new one, which it shares: Store,
// lock, Store again, server, Put, unlock.
func (h *shared) obtain(ctx context.Context, e *Entry) (*snapshot, error) {
	if s := h.get(ctx, e); s != nil {
		return s, nil
	}
	s, unlock, err := h.lock(ctx, e)
	if s != nil || err != nil {
		return s, err
	}
	defer unlock()
	locked := time.Now()
	s, err = e.ask(ctx)
	if err != nil {
		return nil, err
	}
	if h.locker != nil && time.Since(locked) > h.cache.lockTTL()/2 {
		// The lock may have gone to another, which asked after us: some
		// servers honour the last token only.
		if other := h.get(ctx, e); other != nil && s.expiry.before(other.expiry) {
			return other, nil
		}
	}
	h.put(ctx, e, s)
	return s, nil
}

var errBusy = errors.New("cache: another process is fetching")

// lock takes the right to fetch e's token. If another process has it, lock
// waits until that one has put its token into the Store, and gives that, or
// has lost the lock; but while e's token is only stale the error is errBusy.
// Without a Locker, or one that works, everybody may fetch.
func (h *shared) lock(ctx context.Context, e *Entry) (s *snapshot, unlock func(), err error) {
	nothing := func() {}
	if h.locker == nil {
		return nil, nothing, nil
	}
	for poll := firstPoll; ; poll = min(2*poll, maxPoll) {
		var unlock func(context.Context) error
		var mine bool
		err := h.call(ctx, func(ctx context.Context) error {
			u, ok, err := h.locker.TryLock(ctx, e.key, h.cache.lockTTL())
			if ok && ctx.Err() != nil { // Too late: nobody waits for it any more.
				u(context.WithoutCancel(ctx))
				return ctx.Err()
			}
			unlock, mine = u, ok
			return err
		})
		if err != nil {
			return nil, nothing, nil
		}
		if mine {
			release := func() {
				// Also when ctx has ended: others wait for it.
				h.call(context.WithoutCancel(ctx), unlock)
			}
			if s := h.get(ctx, e); s != nil {
				release()
				return s, nothing, nil
			}
			return nil, release, nil
		}
		if e.current.Load().phase(h.cache.at(time.Now())) == stale {
			return nil, nothing, errBusy
		}
		select {
		case <-time.After(poll/2 + rand.N(poll/2)):
		case <-ctx.Done():
			return nil, nothing, nil
		}
		if s := h.get(ctx, e); s != nil {
			return s, nothing, nil
		}
	}
}

// lockTTL leaves time for another try within one FetchTimeout when the holder
// of a lock has died.
func (c *Cache) lockTTL() time.Duration { return max(c.opt.FetchTimeout/3, time.Millisecond) }

// get gives what the Store holds for e, nil if that is no better than what e
// has.
func (h *shared) get(ctx context.Context, e *Entry) *snapshot {
	var data []byte
	err := h.call(ctx, func(ctx context.Context) (err error) {
		data, err = h.store.Get(ctx, e.key)
		return err
	})
	if err != nil {
		if err == ErrMiss {
			h.recovered()
		}
		return nil
	}
	now := time.Now()
	s, err := h.cache.readRecord(data, now)
	if err != nil {
		if !errors.Is(err, ErrMiss) {
			h.warn(err)
		}
		return nil
	}
	h.recovered()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rejections.knows(s.token.AccessToken) {
		return nil
	}
	if !s.news(e.current.Load(), h.cache.at(now)) {
		return nil
	}
	s.later()
	return s
}

// put shares a token, unless e knows that it was rejected. That is done even if
// ctx has ended: it has been paid for.
func (h *shared) put(ctx context.Context, e *Entry, s *snapshot) {
	e.mu.Lock()
	rejected := e.rejections.knows(s.token.AccessToken)
	e.mu.Unlock()
	if rejected {
		return
	}
	now := time.Now()
	data, err := h.cache.writeRecord(s, now)
	if err != nil {
		h.warn(err)
		return
	}
	err = h.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return h.store.Put(ctx, e.key, data, h.cache.at(now).until(s.expiry))
	})
	if err == nil {
		h.recovered()
	}
}

var errStoreOff = errors.New("cache: the store is left alone for a while")

// call calls the Store, on a goroutine that can be left behind, within a
// timeout of its own.
func (h *shared) call(ctx context.Context, f func(context.Context) error) error {
	h.mu.Lock()
	off := time.Now().Before(h.until)
	h.mu.Unlock()
	if off {
		return errStoreOff
	}
	limited, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_, err := run(h.cache, limited, 0, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	switch {
	case err == nil, err == ErrMiss:
		h.works()
	case errors.Is(err, ErrMiss):
		h.warn(err) // a record that does not open
	case ctx.Err() == nil && h.cache.life.Err() == nil: // else it is not the Store's fault
		h.leaveAlone()
		h.warn(err)
	}
	return err
}

func (h *shared) works() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.off = 0
}

// recovered ends what warn began.
func (h *shared) recovered() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.warned = false
}

// leaveAlone counts calls that fail together once.
func (h *shared) leaveAlone() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Now().Before(h.until) {
		return
	}
	h.off = min(max(2*h.off, firstStoreOff), maxStoreOff)
	h.until = time.Now().Add(h.off)
}

// warn says once what is wrong, until it is right again.
func (h *shared) warn(err error) {
	h.mu.Lock()
	warned := h.warned
	h.warned = true
	h.mu.Unlock()
	if !warned {
		h.cache.logStore(err)
	}
}
