package cache

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
)

// refreshGrace is how long a fetch may take to say that the context of Refresh's caller has ended.
const refreshGrace = 10 * time.Millisecond

// Refresh gets a new token whatever is held, and publishes it, also to those who wait for a fetch under way. It joins
// no flight, heeds no cool-down, and runs on ctx alone: FetchTimeout does not bound it, and its failure cools nothing
// down.
func (e *Entry) Refresh(ctx context.Context) (*oauth2.Token, error) {
	if e.cache == nil {
		return nil, errZeroEntry
	}
	c := e.cache
	ctx = orBackground(ctx)
	e = e.readmitted()
	if !c.begin() {
		return nil, ErrClosed
	}
	defer c.end()
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	began := time.Now()
	s, err := e.fetchNew(context.WithValue(limited, reasonKey{}, ReasonForced), began, refreshGrace)
	switch {
	case c.closing.Err() != nil:
		return nil, ErrClosed
	case err != nil && errors.Is(err, errIgnoresContext) && ctx.Err() != nil:
		return nil, e.gaveUp(ctx, began)
	case err != nil:
		return nil, err
	}
	c.gate.answer(c.now())
	serving := e.lockServing()
	now := c.now()
	var n notice
	serving.publish(s, serving.current.Load(), now, &n)
	n.ended[1] = c.gate.over.Swap(nil)
	serving.scheduleRefresh(now, 0)
	serving.keep(now)
	c.flights.wake(e.key)
	serving.mu.Unlock()
	serving.tell(ctx, n)
	if l := serving.secondLevel(); l != nil {
		c.join()
		go func() { // Nobody waits for it, but Close.
			defer c.end()
			l.put(context.WithoutCancel(ctx), serving, s)
		}()
	}
	if s.phase(c.now()) == gone { // while a hook was told of it
		return nil, ErrExpired
	}
	return s.token, nil
}
