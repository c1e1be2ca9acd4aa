package cache

import (
	"container/heap"
	"time"

	"golang.org/x/oauth2"
)

// sweepEvery bounds how often a full cache looks through all its entries for expired ones.
const sweepEvery = time.Second

// With so many entries a use is noted once in 2^coarseBits nanoseconds, some 67 ms: order within that matters to
// nobody.
const (
	coarseFrom = 1000
	coarseBits = 26
)

// insert puts e among the entries and takes out those that have to make room. c.mu is held; the caller passes the
// victims to evict without it.
func (c *Cache) insert(e *Entry) (victims []*Entry) {
	if c.closed {
		return nil
	}
	e.used.Store(c.uses.Add(1))
	e.stamp = e.used.Load()
	c.entries[e.key] = e
	heap.Push(&c.recency, e)
	if len(c.entries) <= c.opt.MaxKeys {
		return nil
	}
	victims = c.sweep(time.Now())
	for len(c.entries) > c.opt.MaxKeys {
		victims = append(victims, c.leastRecentlyUsed())
	}
	return victims
}

// Evict forgets the token of e, and keeps it fresh no more, as if e had made room for others. Use of e brings it back.
func (e *Entry) Evict() {
	c := e.cache
	if c == nil {
		return
	}
	c.mu.Lock()
	if c.entries[e.key] == e {
		heap.Remove(&c.recency, int(e.place))
		delete(c.entries, e.key)
	}
	c.mu.Unlock()
	e.forget()
}

// Evicted reports whether e has made room for others, and has not been used since.
func (e *Entry) Evicted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.evicted
}

// Held returns the token that e holds, be it alive or not, and changes nothing; nil if there is none. It is for those
// who have to know it to keep it out of a text; do not modify it.
func (e *Entry) Held() *oauth2.Token {
	if s := e.current.Load(); s != nil {
		return s.token
	}
	return nil
}

// readmit makes e, which was evicted, known again, and returns the entry that serves its key: another one, if that was
// made in the meantime.
func (c *Cache) readmit(e *Entry) *Entry {
	c.mu.Lock()
	if other := c.entries[e.key]; other != nil {
		c.mu.Unlock()
		return other
	}
	victims := c.insert(e)
	e.mu.Lock()
	e.evicted = false
	e.mu.Unlock()
	c.mu.Unlock()
	c.evict(victims)
	return e
}

// evict finishes what insert began. c.mu is not held.
func (c *Cache) evict(victims []*Entry) {
	for _, e := range victims {
		e.forget()
	}
}

// sweep takes out the entries whose token has expired, if it has not looked for them just now.
func (c *Cache) sweep(now time.Time) (expired []*Entry) {
	if now.Sub(c.swept) < sweepEvery {
		return nil
	}
	c.swept = now
	at := c.at(now)
	live := c.recency[:0]
	for _, e := range c.recency {
		if s := e.current.Load(); s != nil && !at.before(s.expiry) {
			expired = append(expired, e)
			delete(c.entries, e.key)
			continue
		}
		live = append(live, e)
	}
	clear(c.recency[len(live):])
	c.recency = live
	for i, e := range c.recency {
		e.place = int32(i)
	}
	heap.Init(&c.recency)
	return expired
}

// leastRecentlyUsed takes out one entry. A use only moves Entry.used; the heap learns of it here, when it matters.
func (c *Cache) leastRecentlyUsed() *Entry {
	for {
		e := c.recency[0]
		if used := e.used.Load(); used != e.stamp {
			e.stamp = used
			heap.Fix(&c.recency, 0)
			continue
		}
		heap.Pop(&c.recency)
		delete(c.entries, e.key)
		return e
	}
}

// touch notes that e was used. What changes nothing is not written, so that readers share no cache line: an entry that
// is among the most recently used eighth of a full cache stays as it is, and, where there are very many, one that was
// used in this same stretch of time.
func (e *Entry) touch(now instant) {
	c := e.cache
	if c.coarse {
		stretch := uint32(now.mono >> coarseBits)
		if e.stretch.Load() == stretch {
			return
		}
		e.stretch.Store(stretch)
	}
	if c.uses.Load()-e.used.Load() > c.slack {
		e.used.Store(c.uses.Add(1))
	}
}

// recencyHeap orders entries by Entry.stamp, which Cache.mu guards.
type recencyHeap []*Entry

func (h recencyHeap) Len() int           { return len(h) }
func (h recencyHeap) Less(i, j int) bool { return h[i].stamp < h[j].stamp }
func (h recencyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}
func (h *recencyHeap) Push(x any) {
	e := x.(*Entry)
	e.place = int32(len(*h))
	*h = append(*h, e)
}
func (h *recencyHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return e
}
