// Package memo remembers values by their hashes, in bounded memory, for readers in a hurry.
package memo

import (
	"sync"
	"sync/atomic"
)

// A Memo remembers values by their hashes. To find one takes no lock and no allocation: it is a look into a table that
// is replaced as a whole when it grows.
//
// It is bounded without hearing of values that nobody needs any more: before it holds more than it may, it drops those.
type Memo[V any] struct {
	most   int // values that it may hold
	needed func(*V) bool
	table  atomic.Pointer[table[V]]

	mu    sync.Mutex // guards what follows, and writing to the table
	count int        // of values in the table
}

const least = 16 // slots, and values beyond a quarter more than are needed

// Init prepares m for values of which about as many as usual are needed at a time, as needed reports. It holds a
// quarter more, and more only if all of these are needed.
func (m *Memo[V]) Init(usual int, needed func(*V) bool) {
	m.most = usual + usual/4 + least
	m.needed = needed
	m.table.Store(newTable[V](least))
}

// Find returns the value with this hash that is reports true for; nil if none is remembered.
func (m *Memo[V]) Find(hash uint64, is func(*V) bool) *V {
	t := m.table.Load()
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		slot := &t.slots[i]
		v := slot.value.Load()
		if v == nil {
			return nil
		}
		if slot.hash.Load() == hash && is(v) {
			return v
		}
	}
}

// Add remembers v, which has this hash and which is reports true for, and returns it, or the value that is remembered
// in its place.
func (m *Memo[V]) Add(hash uint64, v *V, is func(*V) bool) *V {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.Find(hash, is); known != nil {
		return known
	}
	t := m.table.Load()
	if m.count >= m.most {
		t, m.count = t.copy(len(t.slots), m.needed)
		m.table.Store(t)
	}
	if 4*(m.count+1) > 3*len(t.slots) {
		t, m.count = t.copy(2*len(t.slots), func(*V) bool { return true })
		m.table.Store(t)
	}
	t.insert(hash, v)
	m.count++
	return v
}

// Len returns how many values are remembered.
func (m *Memo[V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count
}

// All returns the values that are remembered, in no order.
func (m *Memo[V]) All() (values []*V) {
	t := m.table.Load()
	for i := range t.slots {
		if v := t.slots[i].value.Load(); v != nil {
			values = append(values, v)
		}
	}
	return values
}

// A table is a hash table with linear probing, three quarters full at most. A slot is written once.
type table[V any] struct {
	mask  uint64 // the number of slots, a power of two, less one
	slots []slot[V]
}

type slot[V any] struct {
	hash  atomic.Uint64 // written before value
	value atomic.Pointer[V]
}

func newTable[V any](slots int) *table[V] {
	return &table[V]{mask: uint64(slots) - 1, slots: make([]slot[V], slots)}
}

func (t *table[V]) insert(hash uint64, v *V) {
	i := hash & t.mask
	for t.slots[i].value.Load() != nil {
		i = (i + 1) & t.mask
	}
	t.slots[i].hash.Store(hash)
	t.slots[i].value.Store(v)
}

// copy returns a table with the values of t that keep reports true for, and their number.
func (t *table[V]) copy(slots int, keep func(*V) bool) (*table[V], int) {
	next, n := newTable[V](slots), 0
	for i := range t.slots {
		if v := t.slots[i].value.Load(); v != nil && keep(v) {
			next.insert(t.slots[i].hash.Load(), v)
			n++
		}
	}
	return next, n
}
