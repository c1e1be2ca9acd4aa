package cache

import (
	"sync"
	"time"
)

const (
	firstStoreOff = time.Second // the pause after a Store failed, doubling to
	maxStoreOff   = 30 * time.Second
)

// A breaker keeps callers from a Store that fails, for a while.
type breaker struct {
	mu     sync.Mutex    // guards what follows
	off    time.Duration // how long the Store is left alone; 0: it works
	until  time.Time     // no call before this
	warned bool          // of what is wrong now
}

func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.until)
}

// reset says that a call has worked.
func (b *breaker) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.off = 0
}

// healthy says that what the Store holds is in order too: the next fault is worth a warning again.
func (b *breaker) healthy() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.warned = false
}

// trip leaves the Store alone. Calls that fail together count once.
func (b *breaker) trip() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Now().Before(b.until) {
		return
	}
	b.off = min(max(2*b.off, firstStoreOff), maxStoreOff)
	b.until = time.Now().Add(b.off)
}

// claimWarning reports whether a fault is the first one since all was in order, and notes that it is warned of.
func (b *breaker) claimWarning() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.warned
	b.warned = true
	return first
}
