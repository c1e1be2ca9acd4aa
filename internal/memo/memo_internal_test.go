package memo

import (
	"hash/maphash"
	"testing"
)

func TestValuesOfOneHashAreToldApart(t *testing.T) {
	var m Memo[int]
	m.Init(10, func(*int) bool { return true })
	const hash = 7
	for i := range 5 {
		is := func(v *int) bool { return *v == i }
		if m.Find(hash, is) != nil {
			t.Errorf("%d is found before it was added", i)
		}
		v := m.Add(hash, &i, is)
		if again := i; m.Find(hash, is) != v || m.Add(hash, &again, is) != v || m.Find(hash+1, is) != nil {
			t.Errorf("%d is not found by its hash, or by another", i)
		}
	}
}

func TestMemoHoldsLittleMoreThanIsNeeded(t *testing.T) {
	const usual = 100
	needed := 0 // values from this one on are
	var m Memo[int]
	m.Init(usual, func(v *int) bool { return *v >= needed })
	seed := maphash.MakeSeed()
	find := func(i int) *int {
		return m.Find(maphash.Comparable(seed, i), func(v *int) bool { return *v == i })
	}
	for i := range 10 * usual {
		needed = i - usual
		m.Add(maphash.Comparable(seed, i), &i, func(v *int) bool { return *v == i })
		for j := max(0, needed+1); j <= i; j++ {
			if v := find(j); v == nil || *v != j {
				t.Fatalf("after %d, %d is lost", i, j)
			}
		}
		if slots := len(m.table.Load().slots); m.Len() > m.most || slots > 2*m.most {
			t.Fatalf("%d values in %d slots", m.Len(), slots)
		}
	}
	if find(0) != nil {
		t.Error("what nobody needs is remembered")
	}
}

func TestMemoGrowsWithWhatIsNeeded(t *testing.T) {
	var m Memo[int]
	m.Init(0, func(*int) bool { return true })
	for i := range 1000 {
		m.Add(uint64(i), &i, func(v *int) bool { return *v == i })
	}
	for i := range 1000 {
		if v := m.Find(uint64(i), func(v *int) bool { return *v == i }); v == nil || *v != i {
			t.Fatalf("%d is lost", i)
		}
	}
}

func TestFindingAllocatesNothing(t *testing.T) {
	var m Memo[int]
	m.Init(10, func(*int) bool { return true })
	one := 1
	m.Add(7, &one, func(v *int) bool { return *v == one })
	if n := testing.AllocsPerRun(100, func() {
		if m.Find(7, func(v *int) bool { return *v == one }) == nil {
			t.Error("it is not found")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
