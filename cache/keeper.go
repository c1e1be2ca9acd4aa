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

// keepPace is the least time between what KeepFresh does for one token of its own accord.
const keepPace = time.Second

// keep sets the timer for the next refresh, or try. e.mu is held.
func (e *Entry) keep(now instant) {
	c := e.cache
	if !c.opt.KeepFresh || e.evicted || c.closing.Err() != nil {
		return
	}
	wait := time.Duration(0)
	s := e.current.Load()
	if f := e.coolingDown(now); f != nil {
		wait = now.until(f.until(s, now))
	} else if s != nil {
		wait = max(now.until(s.turnsStale()), time.Duration(s.refreshDue.Load()-now.mono))
	}
	wait = max(wait, keepPace)
	if e.keeper == nil {
		e.keeper = &keeper{lastUse: now}
		e.keeper.timer = time.AfterFunc(wait, e.refreshKept)
		return
	}
	e.keeper.timer.Reset(wait)
}

// refreshKept is what the timer calls.
func (e *Entry) refreshKept() {
	e.mu.Lock()
	defer e.mu.Unlock()
	k := e.keeper
	if k == nil {
		return
	}
	now := e.cache.now()
	if s := e.current.Load(); s != nil && s.wanted.Swap(false) {
		k.lastUse = now
	}
	if now.before(k.lastUse.add(unaskedMost)) {
		e.join(context.Background(), nil, now) // It sets the timer again when it lands.
	}
}

func (k *keeper) stop() {
	if k != nil {
		k.timer.Stop()
	}
}
