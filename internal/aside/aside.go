// Package aside calls code that is somebody else's, hooks and log handlers, so that it can harm nobody: it may hang,
// panic, or use the library itself.
package aside

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

const (
	patience = 50 * time.Millisecond // for a call, before things go on without it
	grace    = 10 * time.Millisecond // the same, once the context has ended
	maxHung  = 16                    // calls that were not waited for any longer, and have not returned
)

// A Caller makes calls. The zero Caller is ready for use.
type Caller struct {
	// Panicked, if set, is told of a panic in a call, on the goroutine of that.
	Panicked func(p any, stack []byte)

	mu      sync.Mutex    // guards what follows
	running int           // calls that have not returned
	hung    int           // those of them that nobody waits for
	idle    chan struct{} // closed when running is 0; nil: nobody waits for that
}

// Call calls f on a goroutine of its own and waits for it, for 50 ms at most, and for 10 ms at most once ctx has ended.
// It reports whether f has returned: only then may the caller look at what f has written. A call that was not waited
// for any longer hangs: until it has returned others are not waited for at all, and while 16 hang there are no more.
func (c *Caller) Call(ctx context.Context, f func()) (returned bool) {
	k := &call{done: make(chan struct{})}
	c.mu.Lock()
	if c.hung >= maxHung {
		c.mu.Unlock()
		return false
	}
	c.running++
	if k.left = c.hung > 0; k.left {
		c.hung++
	}
	c.mu.Unlock()

	go func() { // Close joins it.
		defer c.end(k)
		defer func() {
			if p := recover(); p != nil && c.Panicked != nil {
				c.Panicked(p, debug.Stack())
			}
		}()
		f()
		k.returned = true
	}()
	if k.left {
		return false
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-k.done:
		return k.returned
	case <-t.C:
	case <-ctx.Done():
		t.Reset(grace)
		select {
		case <-k.done:
			return k.returned
		case <-t.C:
		}
	}
	return c.leave(k)
}

// A call is one of them.
type call struct {
	done     chan struct{} // closed when it has ended
	returned bool          // rather than panicked; written before done is closed
	ended    bool          // Caller.mu guards it, and left
	left     bool          // nobody waits for it
}

// leave counts a call among those that hang, unless it has ended at the same moment.
func (c *Caller) leave(k *call) (returned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.ended {
		return k.returned
	}
	k.left = true
	c.hung++
	return false
}

func (c *Caller) end(k *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.ended = true
	close(k.done)
	if k.left {
		c.hung--
	}
	if c.running--; c.running == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// Close waits until all calls have returned, or until ctx ends. It reports which.
func (c *Caller) Close(ctx context.Context) bool {
	c.mu.Lock()
	if c.running == 0 {
		c.mu.Unlock()
		return true
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
		return true
	case <-ctx.Done():
		return false
	}
}
