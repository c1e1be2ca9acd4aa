package cache

import (
	"context"
	"errors"
	"math/rand/v2"
)

// land publishes what the flight found or notes its failure, which it returns if it is one for the fleet, says when the
// next refresh is due, and sends everybody to look.
func (fl *flight) land(ctx context.Context, o *outcome) *backoff {
	c := fl.entry.cache
	var why failure
	if o.err != nil {
		why = newFailure(o.err)
	}
	e := fl.entry.lockServing()
	now := c.now()
	var failed *backoff
	var n notice
	switch {
	case c.closing.Err() != nil:
		o.err = ErrClosed // A token is shared all the same.
	case o.new:
		if !fl.asked.IsZero() {
			c.gate.answer(now)
		}
		var current *snapshot
		current = e.publish(o.token, fl.held, now, &n)
		o.fetched = o.fetched && current == o.token
		o.token = current
	case o.adopted != nil:
		e.adopt(o.adopted)
		n.began = o.adopted
	case !fl.asked.IsZero():
		failed = e.fail(why, c.at(fl.asked), now, fl.heeded != nil)
		n.began = failed
	}
	removed := e.evicted
	if n.ended[1] = c.gate.over.Swap(nil); n != (notice{}) {
		// Before those who wait see it. Who comes now is served, or refused, without a flight.
		e.mu.Unlock()
		e.tell(ctx, n)
		e = fl.entry.lockServing()
		now = c.now()
	}
	e.scheduleRefresh(now, o.deferUntil)
	e.keep(now)
	fl.token, fl.source, fl.err = o.token, o.source(), o.err
	c.flights.land(fl)
	e.mu.Unlock()

	if fl.inside {
		c.gate.leave()
	}
	if removed || why.said.Local || errors.As(o.err, new(*panicError)) {
		return nil // It is nobody else's business.
	}
	return failed
}

// publish hands a new token to everybody, in place of the one that was held when it was asked for, and returns the one
// that is current then. One that the resource has already rejected is handed out too, there being no other. n gets
// what is to be told. e.mu is held.
func (e *Entry) publish(s, held *snapshot, now instant, n *notice) (current *snapshot) {
	if latest := e.current.Load(); latest != held && latest.phase(now) == fresh && !latest.rejected {
		return latest // Refresh got it meanwhile, and asked later.
	}
	n.ended[0], e.failed = e.failed, nil
	if e.rejections != nil {
		e.rejections.forced = false
	}
	if !e.evicted {
		e.current.Store(s)
	}
	n.again = e.rejections.knows(s.token.AccessToken)
	return s
}

// fail notes that a fetch failed: for all keys, if the error says so, or for this one. When the one that probes for all
// fails in a way that says nothing (it hung, it panicked), that is no better than what was. But it may be this key
// alone: it pauses for longer, so that another is the next to probe. e.mu is held.
func (e *Entry) fail(why failure, sent, now instant, probing bool) *backoff {
	g := &e.cache.gate
	if why.said.Shared || probing && !why.tells {
		f := g.fail(why, sent, now)
		e.failed = nil
		if !why.said.Shared {
			e.failed = f.after(why, now, rand.Float64())
		}
		return f
	}
	if last := g.failed.Load(); why.answered && (last == nil || why.tells && !sent.before(last.at)) {
		g.answer(now) // to say what is wrong with this key
	}
	e.failed = e.failed.after(why, now, rand.Float64())
	e.failed.asked = sent
	return e.failed
}

// adopt notes a failure of another process. e.mu is held.
func (e *Entry) adopt(f *backoff) {
	if f.said.Shared {
		e.failed = nil
		e.cache.gate.adopt(f)
		return
	}
	e.failed = e.failed.longer(f, f.at)
}

// scheduleRefresh says when a stale token is to be refreshed next. e.mu is held.
func (e *Entry) scheduleRefresh(now instant, deferUntil int64) {
	s := e.current.Load()
	if s == nil {
		return
	}
	var spaced *rejections
	if s.rejected {
		spaced = e.rejections
	}
	s.refreshDue.Store(nextRefresh(now, s, e.coolingDown(now), spaced, deferUntil))
}

// nextRefresh returns when (instant.mono) a refresh of s is due after one that has ended now: not before deferUntil,
// which leaves it to another process, nor before the failure f has cooled down, unless its error may know better, but
// never at once; a rejected token is replaced as soon as the spacing allows. f and spaced may be nil.
func nextRefresh(now instant, s *snapshot, f *backoff, spaced *rejections, deferUntil int64) int64 {
	due := deferUntil
	if f != nil {
		due = max(due, f.until(s, now).mono)
		if f.outdater != nil {
			due = min(due, f.probedAt.Load()+int64(probeEvery))
		}
		due = min(due, now.add(maxLivePause).mono) // A success of another key may have ended it.
	}
	due = max(due, now.add(s.pace(now)).mono)
	if spaced != nil {
		due = min(due, spaced.next.mono)
	}
	return due
}
