package cache

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// A gate is before the server, for all keys of a Cache. It is open until a failure is about all of them (see
// CoolDown.Shared). When that has cooled down, one flight goes through, and the others wait for what becomes of it: a
// success of any key opens the gate.
type gate struct {
	failed atomic.Pointer[cooldown] // nil: open
	over   atomic.Pointer[cooldown] // that has ended, and nobody has been told; nil: none

	opened atomic.Int64 // when the server last gave a token (instant.wall)

	mu    sync.Mutex    // guards what follows, and the storing of failed
	probe chan struct{} // closed when the flight that went through has ended; nil: none has
}

// enter lets a flight through that has seen f, the failure that has cooled down or is to be probed, nil if the gate was
// open; or returns what the flight has to wait for before it looks again. One that probes leaves through leave.
func (g *gate) enter(f *cooldown) (probes bool, busy <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.failed.Load() != f:
		return false, lookAgain
	case f == nil:
		return false, nil
	case g.probe != nil:
		return false, g.probe
	}
	g.probe = make(chan struct{})
	return true, nil
}

// lookAgain is a channel that nobody has to wait for.
var lookAgain = func() <-chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}()

// shut reports whether the gate was shut since a flight went through that probes for f, or for none.
func (g *gate) shut(f *cooldown) bool {
	latest := g.failed.Load()
	return latest != nil && latest != f
}

// leave sends those who wait back to look at how things are now.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.probe)
	g.probe = nil
}

// fail closes the gate. Requests that were under way together count once.
func (g *gate) fail(why failure, sent, now instant) *cooldown {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.failed.Load()
	f := last.after(why, now, rand.Float64())
	if last != nil && sent.before(last.at) {
		f.row = last.row
		if f.until(nil, now).before(last.until(nil, now)) {
			return last // The server has asked for more already.
		}
	}
	g.failed.Store(f)
	return f
}

// adopt closes the gate for a failure of another process.
func (g *gate) adopt(f *cooldown) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed.Store(g.failed.Load().longer(f, f.at))
}

// open says that the server has answered what it was asked.
func (g *gate) open(now instant) {
	g.opened.Store(now.wall)
	if g.failed.Load() == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over.Store(g.failed.Swap(nil))
}
