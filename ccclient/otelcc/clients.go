package otelcc

import (
	"maps"
	"sync"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
)

// clients are those that are told of, from New to Close, and how many tokens they have handed out.
type clients struct {
	mu     sync.Mutex                  // guards what follows; not held while a client is asked
	open   map[*ccclient.Client]uint64 // how many tokens each had served from memory when it was last read
	served map[cache.Source]int64
}

// add notes that c is open, until closed is called.
func (cs *clients) add(c *ccclient.Client) (closed func()) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = make(map[*ccclient.Client]uint64)
	}
	cs.open[c] = 0
	return func() { cs.remove(c) }
}

func (cs *clients) remove(c *ccclient.Client) {
	all := c.Status() // what it has served since it was last read
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.count(c, all)
	delete(cs.open, c)
}

// serve counts a token that was handed out.
func (cs *clients) serve(from cache.Source) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.addServed(from, 1)
}

func (cs *clients) addServed(from cache.Source, n int64) {
	if cs.served == nil {
		cs.served = make(map[cache.Source]int64)
	}
	cs.served[from] += n
}

// count counts what c, whose tokens are all, has served from memory. cs.mu is held.
func (cs *clients) count(c *ccclient.Client, all []ccclient.TokenStatus) {
	last, open := cs.open[c]
	if !open {
		return
	}
	var sum uint64
	for _, s := range all {
		sum += s.Counts.Served
	}
	if sum > last { // less, when tokens that nobody uses were forgotten
		cs.addServed(cache.SourceMemory, int64(sum-last))
	}
	cs.open[c] = sum
}

// A state is that of the tokens with one label.
type state struct{ remaining, coolDown time.Duration }

// read returns how many tokens were handed out, by source, and how the tokens are, by label: of several with the same
// label, the least life and the longest cool-down. A token that nobody has asked for does not count.
func (cs *clients) read() (map[cache.Source]int64, map[string]state) {
	cs.mu.Lock()
	var open []*ccclient.Client
	for c := range cs.open {
		open = append(open, c)
	}
	cs.mu.Unlock()

	labels, now := make(map[string]state), time.Now()
	for _, c := range open {
		all := c.Status()
		cs.mu.Lock()
		cs.count(c, all)
		cs.mu.Unlock()
		for _, s := range all {
			if s.State == cache.StateNone && s.Counts.Fetches == 0 && s.InARow == 0 {
				continue
			}
			l := state{coolDown: max(0, s.CoolDown.Sub(now))}
			if s.State != cache.StateNone {
				l.remaining = s.Expiry.Sub(now)
			}
			if other, ok := labels[s.Label]; ok {
				l.remaining, l.coolDown = min(l.remaining, other.remaining), max(l.coolDown, other.coolDown)
			}
			labels[s.Label] = l
		}
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return maps.Clone(cs.served), labels
}
