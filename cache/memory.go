package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var errTTL = errors.New("cache: ttl must be positive")

// Memory returns a Store in this process's memory, which is a Locker too. It lets several Caches of one process share
// their tokens, and stands in for a shared store in tests: inside a testing/synctest bubble its ttls run on the
// bubble's clock.
//
// It drops what has expired as new data comes in, and runs no goroutine. It has no bound of its own: each Cache bounds
// the keys it uses.
func Memory() Store {
	return &memory{
		records: make(map[string]*memoryRecord),
		locks:   make(map[string]*memoryLock),
	}
}

type memory struct {
	mu      sync.Mutex // guards all below
	records map[string]*memoryRecord
	locks   map[string]*memoryLock
	sweepAt int // number of records and locks at which the expired ones are dropped
}

// Format prints nothing of what m holds: fmt would read it without the mutex.
func (m *memory) Format(s fmt.State, _ rune) { fmt.Fprint(s, "cache.Memory") }

type (
	memoryRecord struct {
		copy    func() []byte // a closure, since fmt prints whatever a field holds
		expires time.Time
	}
	memoryLock struct {
		expires time.Time
	}
)

func (m *memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[key]
	if !ok {
		return nil, ErrMiss
	}
	if !now.Before(r.expires) {
		delete(m.records, key)
		return nil, ErrMiss
	}
	return r.copy(), nil
}

func (m *memory) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ttl <= 0 {
		return errTTL
	}
	now := time.Now()
	own := bytes.Clone(data)
	r := &memoryRecord{
		copy:    func() []byte { return bytes.Clone(own) },
		expires: now.Add(ttl),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	m.records[key] = r
	return nil
}

func (m *memory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, key)
	return nil
}

func (m *memory) TryLock(
	ctx context.Context, key string, ttl time.Duration,
) (func(context.Context) error, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if ttl <= 0 {
		return nil, false, errTTL
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if l, held := m.locks[key]; held && now.Before(l.expires) {
		return nil, false, nil
	}
	m.sweep(now)
	own := &memoryLock{expires: now.Add(ttl)}
	m.locks[key] = own
	unlock := func(context.Context) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.locks[key] == own { // else it was lost to somebody else
			delete(m.locks, key)
		}
		return nil
	}
	return unlock, true, nil
}

// sweep drops what has expired whenever the number of things held has doubled since it last did, so that its cost is
// spread over the writes. m.mu is held.
func (m *memory) sweep(now time.Time) {
	const least = 64
	if len(m.records)+len(m.locks) < max(m.sweepAt, least) {
		return
	}
	for key, r := range m.records {
		if !now.Before(r.expires) {
			delete(m.records, key)
		}
	}
	for key, l := range m.locks {
		if !now.Before(l.expires) {
			delete(m.locks, key)
		}
	}
	m.sweepAt = 2 * (len(m.records) + len(m.locks))
}
