package aside_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/internal/aside"
)

// took returns how long f takes.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func TestCallIsWaitedForWithinReason(t *testing.T) {
	for name, test := range map[string]struct {
		takes, deadline time.Duration // 0: none
		want            time.Duration
		returned        bool
	}{
		"at once":                      {0, 0, 0, true},
		"soon":                         {40 * time.Millisecond, 0, 40 * time.Millisecond, true},
		"it hangs":                     {time.Hour, 0, 50 * time.Millisecond, false},
		"it hangs, and time is up":     {time.Hour, 20 * time.Millisecond, 30 * time.Millisecond, false},
		"soon after time was up":       {25 * time.Millisecond, 20 * time.Millisecond, 25 * time.Millisecond, true},
		"it hangs, and time was up":    {time.Hour, -1, 10 * time.Millisecond, false},
		"at once, though time was up":  {0, -1, 0, true},
		"a deadline behind the limits": {time.Hour, time.Minute, 50 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if test.deadline != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				var c aside.Caller
				var returned bool
				got := took(func() { returned = c.Call(ctx, func() { time.Sleep(test.takes) }) })
				if got != test.want || returned != test.returned {
					t.Errorf("%v after %v, want %v after %v", returned, got, test.returned, test.want)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

func TestOneThatHangsIsWaitedForOnceAndNotWithoutBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c aside.Caller
		var calls atomic.Int64
		hang := func() {
			calls.Add(1)
			time.Sleep(time.Hour)
		}
		if d := took(func() {
			for range 100 {
				c.Call(t.Context(), hang)
			}
		}); d != 50*time.Millisecond {
			t.Errorf("a hundred calls took %v", d)
		}
		synctest.Wait()
		if n := calls.Load(); n != 16 {
			t.Errorf("%d calls hang", n)
		}
		time.Sleep(2 * time.Hour)
		if !c.Call(t.Context(), func() {}) {
			t.Error("no call is made when all have returned")
		}
	})
}

func TestPanicsAndEndedGoroutinesAreNoReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told any
		c := aside.Caller{Panicked: func(p any, stack []byte) { told = p }}
		if c.Call(t.Context(), func() { panic("canary") }) || told != "canary" {
			t.Errorf("told of %v", told)
		}
		var silent aside.Caller
		if silent.Call(t.Context(), func() { panic("nobody is told") }) {
			t.Error("returned")
		}
		if !silent.Close(t.Context()) {
			t.Error("something is still running")
		}
	})
}

func TestCloseWaitsForWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c aside.Caller
		c.Call(t.Context(), func() { time.Sleep(time.Minute) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if c.Close(ctx) {
			t.Error("closed, while one hangs")
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if !c.Close(t.Context()) {
					t.Error("not closed")
				}
			})
		}
		wg.Wait()
	})
}

type key string

// hooks are what a listener has.
type hooks struct {
	begin func(context.Context, int) (context.Context, func(string))
	tell  func(context.Context, int)
}

func begin(h *hooks) func(context.Context, int) (context.Context, func(string)) { return h.begin }

func TestWhatBeginsIsEndedInReverseWithAllValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		named := func(name string, with func(context.Context) context.Context) *aside.Listener[hooks] {
			return &aside.Listener[hooks]{To: &hooks{begin: func(
				ctx context.Context, i int,
			) (context.Context, func(string)) {
				got = append(got, name)
				return with(ctx), func(d string) { got = append(got, d+" "+name) }
			}}}
		}
		all := []*aside.Listener[hooks]{
			named("one", func(ctx context.Context) context.Context { return context.WithValue(ctx, key("a"), 1) }),
			{To: &hooks{}},
			named("two", func(context.Context) context.Context { return nil }),
			{To: &hooks{begin: func(context.Context, int) (context.Context, func(string)) { panic("x") }}},
			named("three", func(context.Context) context.Context {
				ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key("b"), 2))
				cancel()
				return ctx
			}),
			{To: &hooks{begin: func(context.Context, int) (context.Context, func(string)) { return nil, nil }}},
		}
		ctx, end := aside.Begin(context.WithValue(t.Context(), key("c"), 3), all, begin, 0)
		end("end of")
		want := []string{"one", "two", "three", "end of three", "end of two", "end of one"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if ctx.Value(key("a")) != 1 || ctx.Value(key("b")) != 2 || ctx.Value(key("c")) != 3 {
			t.Error("a value is lost")
		}
		if ctx.Err() != nil {
			t.Error("a listener has ended the context")
		}
	})
}

func TestOneThatHangsKeepsNoOtherFromHearing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		heard := 0
		all := []*aside.Listener[hooks]{
			{To: &hooks{tell: func(context.Context, int) { time.Sleep(time.Hour) }}},
			{To: &hooks{tell: func(_ context.Context, i int) { heard += i }}},
		}
		for range 100 {
			aside.Tell(t.Context(), all, func(h *hooks) func(context.Context, int) { return h.tell }, 1)
		}
		if heard != 100 {
			t.Errorf("heard of %d events of 100", heard)
		}
		time.Sleep(2 * time.Hour)
	})
}
