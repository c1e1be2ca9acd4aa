package cache

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// A gate is before the server, for all keys of a Cache. While nothing good is known of the server, since it has not
// answered yet or a failure was about all keys (see CoolDown.Shared), one request goes ahead as the probe. The others
// wait for its answer, which lets all of them go. After that a few go at once without one.
type gate struct {
	failed  atomic.Pointer[backoff] // about all keys, and no answer since; nil: none
	over    atomic.Pointer[backoff] // that has ended, and nobody has been told; nil: none
	answers atomic.Uint64           // of the server, other than a failure about all keys
	opened  atomic.Int64            // when the last failure about all keys was known to be over (instant.wall)

	mu   sync.Mutex    // guards what follows, and the storing of failed
	out  int           // requests that no answer has come to
	last time.Time     // when the last of them went
	news chan struct{} // closed when there is something to look at; nil: nobody waits
}

// mostUnanswered is how many requests go ahead of the answer that the others wait for.
const mostUnanswered = 8

// enter waits until fl may ask the server: until an answer has come since fl began, or few enough are without one; but
// one that hangs is waited for no longer than patience before another goes. With errLookAgain things are not as fl has
// seen them. Who has entered leaves.
func (g *gate) enter(ctx context.Context, fl *flight, patience time.Duration) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for {
		if g.failed.Load() != fl.heeded {
			return errLookAgain
		}
		most, wait := 1, patience-time.Since(g.last)
		if fl.heeded == nil && g.answers.Load() > 0 {
			most = mostUnanswered
		}
		if g.out < most || g.answers.Load() != fl.answers || wait <= 0 {
			g.out++
			g.last = time.Now()
			return nil
		}
		if err := g.await(ctx, wait); err != nil {
			return err
		}
	}
}

// await waits for news, for so long at most. g.mu is held, but not meanwhile.
func (g *gate) await(ctx context.Context, most time.Duration) error {
	if g.news == nil {
		g.news = make(chan struct{})
	}
	news := g.news
	g.mu.Unlock()
	defer g.mu.Lock()
	t := time.NewTimer(most)
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// wake has those who wait look again. g.mu is held.
func (g *gate) wake() {
	if g.news != nil {
		close(g.news)
		g.news = nil
	}
}

// leave is for a request that has ended, when what came of it has been said.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.out--
	g.wake()
}

// fail shuts the gate. Requests that were under way together count once.
func (g *gate) fail(why failure, sent, now instant) *backoff {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.failed.Load()
	f := last.after(why, now, rand.Float64())
	f.asked = sent
	if last != nil && sent.before(last.at) {
		f.row = last.row
		if f.until(nil, now).before(last.until(nil, now)) {
			return last // The server has asked for more already.
		}
	}
	g.failed.Store(f)
	g.wake()
	return f
}

// adopt shuts the gate for a failure of another process.
func (g *gate) adopt(f *backoff) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed.Store(g.failed.Load().longer(f, f.at))
	g.wake()
}

// answer says that the server has answered what it was asked.
func (g *gate) answer(now instant) {
	g.answers.Add(1)
	g.forgive(now)
}

// forgive says that the failure is over, as a success of another process tells: the next request is a probe no more
// than it was before.
func (g *gate) forgive(now instant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened.Store(now.wall)
	if f := g.failed.Swap(nil); f != nil {
		g.over.Store(f)
	}
	g.wake()
}
