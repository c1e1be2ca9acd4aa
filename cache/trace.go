package cache

import (
	"context"
	"time"

	"github.com/ccclient/go-ccclient/internal/aside"
)

// A Trace hears of what a Cache does, for metrics and logs. Every func may be nil; what is nil costs nothing. A token
// from memory is no event: it costs nothing in any case.
//
// The funcs are called as the handlers of Options.Logger are: with no mutex held, concurrently, each on a goroutine of
// its own, for which what comes next waits for 50 ms at most, and for 10 ms after the end of ctx. So they may use the
// Cache, and one that hangs or panics harms nobody: until it has returned others are not waited for, and while 16 hang
// there are no more calls.
type Trace struct {
	Waited   func(ctx context.Context, i WaitInfo)
	Served   func(ctx context.Context, i ServedInfo)
	CoolDown func(ctx context.Context, i CoolDownInfo)
	Store    func(ctx context.Context, i StoreInfo)
}

// A Reason says why a token is asked for. See [ReasonOf].
type Reason string

const (
	ReasonCold     Reason = "cold"     // there is none: the first, or the one before was evicted
	ReasonAhead    Reason = "ahead"    // it is stale, and refreshed in the background; nobody waits
	ReasonExpired  Reason = "expired"  // it has expired, or is about to: within Options.ExpiryMargin
	ReasonRejected Reason = "rejected" // it was given to Invalidate
	ReasonForced   Reason = "forced"   // by Refresh
)

// reasonKey is for the Reason of a fetch.
type reasonKey struct{}

// ReasonOf returns why a [Fetch] that got ctx was called; empty if ctx is not that of one.
func ReasonOf(ctx context.Context) Reason {
	reason, _ := ctx.Value(reasonKey{}).(Reason)
	return reason
}

// A Source says where a token came from that was handed out.
type Source string

const (
	SourceMemory Source = "memory" // it was there, and nobody waited
	SourceFlight Source = "flight" // from a fetch, or a look into the Store, that another caller had begun
	SourceStore  Source = "store"  // from the Store
	SourceServer Source = "server" // from a Fetch
)

// A WaitInfo is about a caller of Token who had to wait.
type WaitInfo struct {
	Label string        // of the Entry
	Took  time.Duration // how long
	Err   error         // what the caller got; nil: a token
}

// A ServedInfo is about a caller of Token who got a token that was not in memory.
type ServedInfo struct {
	Label  string
	Source Source // SourceFlight, SourceStore or SourceServer
}

// A CoolDownInfo is about the time after a failed fetch in which the server is left alone. It begins with each failure;
// those in a row follow each other without an end between them. It ends with a success.
type CoolDownInfo struct {
	Label  string    // of the Entry; empty if it is shared
	Key    string    // that of the Entry; empty if it is shared
	Shared bool      // its error says that it is about all keys of the Cache
	Ended  bool      // the server has answered; InARow is how many failures had gone before
	Err    error     // what has failed; when it has ended, the last failure
	InARow int       // how many failures, one after the other; 1: the first
	Until  time.Time // when the server may be asked again, unless the cause goes before; zero if it has ended
	Unseen bool      // there is a living token, so that callers notice nothing
}

// A StoreOp is what is done with a Store.
type StoreOp string

const (
	StoreGet    StoreOp = "get"
	StorePut    StoreOp = "put"
	StoreLock   StoreOp = "lock"
	StoreUnlock StoreOp = "unlock"
)

// A StoreInfo is about one call of a Store.
type StoreInfo struct {
	Label  string // of the Entry
	Key    string // that of the Entry
	Op     StoreOp
	Took   time.Duration
	Err    error // the Store failed, took too long, or what it holds is no record; a miss is no error
	Turned bool  // Err is the first since all was in order, or all is in order again

	Found bool          // StoreGet: there was a living token. StoreLock: the lock was free
	Left  time.Duration // StoreGet: of the life of the token that was found
}

// A listener hears of what a Cache does: the log, and Options.Trace.
type listener = aside.Listener[Trace]

// listen sets out who hears of what c does.
func (c *Cache) listen() {
	if c.opt.Logger != nil {
		c.logger = &listener{To: logTrace(c.opt.Logger)}
		c.listeners = append(c.listeners, c.logger)
	}
	if t := c.opt.Trace; t != nil {
		own := *t
		l := &listener{To: &own}
		l.Panicked = func(p any, stack []byte) { c.logPanic(panicked(p), stack) }
		c.listeners = append(c.listeners, l)
	}
}

func (c *Cache) tellWaited(ctx context.Context, i WaitInfo) {
	aside.Tell(ctx, c.listeners, func(t *Trace) func(context.Context, WaitInfo) { return t.Waited }, i)
}

func (c *Cache) tellServed(ctx context.Context, i ServedInfo) {
	aside.Tell(ctx, c.listeners, func(t *Trace) func(context.Context, ServedInfo) { return t.Served }, i)
}

func (c *Cache) tellStore(ctx context.Context, i StoreInfo) {
	aside.Tell(ctx, c.listeners, func(t *Trace) func(context.Context, StoreInfo) { return t.Store }, i)
}

// A notice is what there is to tell of a fetch that has ended.
type notice struct {
	again bool        // the server has given a token again that the resource had rejected
	began *backoff    // the failure; nil: none
	ended [2]*backoff // failures that are over: of the key, and of all
}

// tell tells everybody. e.mu is not held.
func (e *Entry) tell(ctx context.Context, n notice) {
	if n.again {
		e.logSameTokenAgain()
	}
	for _, f := range n.ended {
		e.tellCoolDown(ctx, f, true)
	}
	e.tellCoolDown(ctx, n.began, false)
}

// tellCoolDown tells of f, which has begun, or has ended; nil is none.
func (e *Entry) tellCoolDown(ctx context.Context, f *backoff, ended bool) {
	if f == nil || len(e.cache.listeners) == 0 {
		return
	}
	now, s := e.cache.now(), e.current.Load()
	i := CoolDownInfo{
		Shared: f.said.Shared, Ended: ended, Err: f.err, InARow: f.row, Unseen: s.phase(now) != gone,
	}
	if !i.Shared {
		i.Label, i.Key = e.label(), e.key
	}
	if !ended {
		i.Until = f.until(s, now).time()
	}
	aside.Tell(ctx, e.cache.listeners, func(t *Trace) func(context.Context, CoolDownInfo) { return t.CoolDown }, i)
}
