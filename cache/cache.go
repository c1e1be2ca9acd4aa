package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
)

// ErrClosed is the error of everything after Close. Its text is that of a ccclient.Client, through which most see it.
var ErrClosed = errors.New("ccclient: the client is closed")

// closePatience is how long Close waits for a fetch that ignores its context.
const closePatience = 5 * time.Second

// A Fetch obtains a new token from wherever tokens come from. It runs with the values of the context of the caller who
// made it necessary, on a life of its own: FetchTimeout and Close end it. The Cache owns what it returns.
//
// Expiry says when the token ends; if it is zero, ExpiresIn does, in seconds from when the Fetch began; if that is zero
// too nobody knows, and Options.DefaultLifetime counts. An extra field "refresh_in" is heeded if it is there.
//
// Its error may say how it wants to cool down: see [CoolDowner] and [Outdater].
type Fetch func(ctx context.Context) (*oauth2.Token, error)

// A Cache holds one Entry for each kind of token that a process uses. All methods of a Cache and its Entries may be
// called concurrently.
type Cache struct {
	opt     Options
	id      uint64          // tells it from others that share a Store
	epoch   time.Time       // monotonic times count from here
	closing context.Context // ends with Close
	cancel  context.CancelFunc

	second  *secondLevel  // nil: no Store
	flights flights       // by key: one fetch at a time
	gate    gate          // what keeps all keys from the server
	uses    atomic.Uint64 // ticks at each use that is worth noting; orders Entries by recency
	slack   uint64        // how many ticks an Entry may lag behind before a use is worth noting
	coarse  bool          // with so many Entries that one use of each in a while is worth noting
	noting  bool          // each token that is served from memory is worth noting

	listeners []*listener // who hears of what happens; the first is the log, if there is one
	logger    *listener   // nil: there is no log

	mu      sync.Mutex // guards what follows, and Entry.place and Entry.stamp
	entries map[string]*Entry
	recency recencyHeap // of entries, least recently used first
	swept   time.Time   // when expired entries were last looked for
	running int         // goroutines that Close joins
	closed  bool
	idle    chan struct{} // closed when closed and running is 0
}

// New makes a Cache. It starts nothing; Close it when its tokens are no longer needed.
func New(o Options) *Cache {
	o = o.withDefaults()
	c := &Cache{
		opt:     o,
		id:      rand.Uint64(),
		epoch:   time.Now(),
		slack:   uint64(o.MaxKeys / 8),
		coarse:  o.MaxKeys >= coarseFrom,
		noting:  o.KeepFresh || o.CountServed,
		entries: make(map[string]*Entry),
		idle:    make(chan struct{}),
	}
	c.listen()
	c.second = newSecondLevel(c)
	c.closing, c.cancel = context.WithCancel(context.Background())
	return c
}

// Entry returns the entry of key; the same key gives the same Entry, with the Fetch that it was first made with. It
// does no I/O. The entry of a Cache that New has not made returns an error from its methods.
func (c *Cache) Entry(key string, f Fetch) *Entry { return c.Adopt(new(Entry), key, "", f) }

// Adopt is Entry with room for the entry that the caller has, in a struct of its own say: e becomes the entry of key,
// unless key has one already. It must be zero, and stay where it is. The label names it in logs and for a Trace.
func (c *Cache) Adopt(e *Entry, key, label string, f Fetch) *Entry {
	return c.adopt(e, key, label, f, false)
}

// AdoptLocal is Adopt for a token that stays in this process: it goes into no Store, and no lock is taken for it.
func (c *Cache) AdoptLocal(e *Entry, key, label string, f Fetch) *Entry {
	return c.adopt(e, key, label, f, true)
}

func (c *Cache) adopt(e *Entry, key, label string, f Fetch, local bool) *Entry {
	if c.closing == nil {
		e.key = key
		return e
	}
	c.mu.Lock()
	if known := c.entries[key]; known != nil {
		known.used.Store(c.uses.Add(1))
		c.mu.Unlock()
		return known
	}
	e.cache, e.key, e.fetch, e.local = c, key, f, local
	if label != "" {
		e.counts.Store(&counts{label: label})
	}
	victims := c.insert(e)
	c.mu.Unlock()
	c.evict(victims)
	return e
}

// MaxKeys returns how many tokens c holds at most: that of its Options, or the default.
func (c *Cache) MaxKeys() int { return c.opt.MaxKeys }

// Close ends background work, fails those who wait with ErrClosed, and joins what it ended; a fetch that ignores its
// context is waited for 5 s at most. Tokens held are forgotten. It is idempotent.
func (c *Cache) Close() error {
	if c.closing == nil {
		return nil // New has not made it; there is nothing to end.
	}
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		if c.running == 0 {
			close(c.idle)
		}
	}
	entries := c.entries
	c.entries, c.recency = nil, nil
	c.mu.Unlock()

	c.cancel()
	for _, e := range entries {
		e.forget()
	}
	patience, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	select {
	case <-c.idle:
	case <-patience.Done():
		c.logFetchOutlivesClose()
	}
	for _, l := range c.listeners {
		l.Close(patience)
	}
	return nil
}

func (c *Cache) lookUp(key string) *Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[key]
}

// Format prints nothing of what c holds.
func (c *Cache) Format(s fmt.State, _ rune) { fmt.Fprint(s, "cache.Cache") }

// begin and end bracket whatever Close has to join. begin reports false once the cache is closed; join is for what
// begins inside of such brackets, which may have to tidy up after Close.
func (c *Cache) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running++
	return true
}

func (c *Cache) join() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running++
}

func (c *Cache) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if c.closed && c.running == 0 {
		close(c.idle)
	}
}
