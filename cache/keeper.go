package cache

import (
	"context"
	"time"
)

// unaskedMost is how long KeepFresh goes on for a token that nobody asks for.
const unaskedMost = 24 * time.Hour

// A keeper refreshes an Entry on time though nobody asks. Between refreshes it is a timer, not a goroutine. Entry.mu
// guards it.
type keeper struct {
	timer   *time.Timer
	lastUse instant // when somebody last asked, as far as was noted
}

// keep sets the timer for the next refresh, or try. e.mu is held.
func (e *Entry) keep() {
	c := e.cache
	if !c.opt.KeepFresh || e.evicted || c.life.Err() != nil {
		return
	}
	now := c.now()
	wait := time.Duration(0)
	if s := e.current.Load(); s != nil {
		wait = max(now.until(s.refresh()), time.Duration(s.refreshDue.Load()-now.mono))
	}
	if f := e.failed; f.cooling(now) {
		wait = now.until(f.until)
	}
	if e.keeper == nil {
		e.keeper = &keeper{lastUse: now}
		e.keeper.timer = time.AfterFunc(wait, e.refresh)
		return
	}
	e.keeper.timer.Reset(wait)
}

// refresh is what the timer calls.
func (e *Entry) refresh() {
	now := e.cache.now()
	e.mu.Lock()
	k := e.keeper
	if k == nil {
		e.mu.Unlock()
		return
	}
	if s := e.current.Load(); s != nil && s.wanted.Swap(false) {
		k.lastUse = now
	}
	tired := !now.before(k.lastUse.add(unaskedMost))
	e.mu.Unlock()
	if !tired {
		e.startFlight(context.Background(), false) // It lands by itself and sets the timer again.
	}
}

func (k *keeper) stop() {
	if k != nil {
		k.timer.Stop()
	}
}
