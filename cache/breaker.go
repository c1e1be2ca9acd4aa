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
	faulty bool          // something is wrong, which was told
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

// mended says that what the Store holds is in order too. It reports whether something was wrong before.
func (b *breaker) mended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.faulty
	b.faulty = false
	return was
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

// fault says that something is wrong. It reports whether that is the first since all was in order.
func (b *breaker) fault() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := !b.faulty
	b.faulty = true
	return first
}
