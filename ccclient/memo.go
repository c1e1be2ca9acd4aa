package ccclient

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// A memo remembers the clients that For has made, by what their tokens are for. To find one takes no lock and no
// allocation: a hash of the target's text, and a look into a table that is replaced as a whole when it grows.
//
// It is bounded without hearing of evictions: before it holds a quarter more than the cache may, it drops the clients
// whose tokens the cache no longer keeps. One that a program still holds works on.
type memo struct {
	seed  maphash.Seed
	most  int // clients that it may hold
	table atomic.Pointer[memoTable]

	mu    sync.Mutex // guards what follows, and writing to the table
	count int        // of clients in the table
}

const memoLeast = 16 // slots, and clients beyond a quarter more than the cache's

func (m *memo) init(maxKeys int) {
	m.seed = maphash.MakeSeed()
	m.most = maxKeys + maxKeys/4 + memoLeast
	m.table.Store(newMemoTable(memoLeast))
}

// find returns the client whose token is for target, which has this hash; nil if none is remembered.
func (m *memo) find(hash uint64, target *Target) *Client {
	t := m.table.Load()
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		slot := &t.slots[i]
		c := slot.client.Load()
		if c == nil {
			return nil
		}
		if slot.hash.Load() == hash && c.target.same(target) {
			return c
		}
	}
}

// add remembers c, and returns it, or the client that is remembered for the same target.
func (m *memo) add(hash uint64, c *Client) *Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.find(hash, &c.target); known != nil {
		return known
	}
	t := m.table.Load()
	if m.count >= m.most {
		t, m.count = t.copy(len(t.slots), func(c *Client) bool { return !c.tokens.Evicted() })
		m.table.Store(t)
	} else if 4*(m.count+1) > 3*len(t.slots) {
		t, m.count = t.copy(2*len(t.slots), func(*Client) bool { return true })
		m.table.Store(t)
	}
	t.insert(hash, c)
	m.count++
	return c
}

// A memoTable is a hash table with linear probing, three quarters full at most. A slot is written once.
type memoTable struct {
	mask  uint64 // the number of slots, a power of two, less one
	slots []memoSlot
}

type memoSlot struct {
	hash   atomic.Uint64 // written before client
	client atomic.Pointer[Client]
}

func newMemoTable(slots int) *memoTable {
	return &memoTable{mask: uint64(slots) - 1, slots: make([]memoSlot, slots)}
}

func (t *memoTable) insert(hash uint64, c *Client) {
	i := hash & t.mask
	for t.slots[i].client.Load() != nil {
		i = (i + 1) & t.mask
	}
	t.slots[i].hash.Store(hash)
	t.slots[i].client.Store(c)
}

// copy returns a table with the clients of t that keep reports true for, and their number.
func (t *memoTable) copy(slots int, keep func(*Client) bool) (*memoTable, int) {
	next, n := newMemoTable(slots), 0
	for i := range t.slots {
		if c := t.slots[i].client.Load(); c != nil && keep(c) {
			next.insert(t.slots[i].hash.Load(), c)
			n++
		}
	}
	return next, n
}

// hash returns a hash of what t asks for. The order of scopes and of parameters does not change it.
func (m *memo) hash(t *Target) (h uint64) {
	for _, scope := range t.Scopes {
		h += maphash.String(m.seed, scope)
	}
	if t.Audience != "" {
		h = mix(h, maphash.String(m.seed, t.Audience))
	}
	for _, resource := range t.Resources {
		h = mix(h, maphash.String(m.seed, resource))
	}
	var params uint64
	for name, values := range t.EndpointParams {
		param := maphash.String(m.seed, name)
		for _, value := range values {
			param = mix(param, maphash.String(m.seed, value))
		}
		params += param
	}
	return h ^ params
}

// mix returns a hash of two, in this order. The factor is odd and has no pattern in its bits.
func mix(a, b uint64) uint64 { return a*0x9E3779B97F4A7C15 + b }

// same reports whether t and u ask for the same: scopes in any order, labels aside.
func (t *Target) same(u *Target) bool {
	return t.Audience == u.Audience && sameScopes(t.Scopes, u.Scopes) && slices.Equal(t.Resources, u.Resources) &&
		maps.EqualFunc(t.EndpointParams, u.EndpointParams, slices.Equal)
}

// sameScopes reports whether a and b have the same scopes, each as often.
func sameScopes(a, b []string) bool {
	if len(a) != len(b) || slices.Equal(a, b) {
		return len(a) == len(b)
	}
	for _, scope := range a {
		if count(a, scope) != count(b, scope) {
			return false
		}
	}
	return true
}

func count(list []string, s string) (n int) {
	for _, e := range list {
		if e == s {
			n++
		}
	}
	return n
}
