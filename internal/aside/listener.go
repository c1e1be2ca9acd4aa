package aside

import "context"

// A Listener is somebody who hears of events: To has a func for each kind, which may be nil. One that hangs does not
// keep others from hearing.
type Listener[T any] struct {
	To *T
	Caller
}

// Tell calls the func of each listener that of returns, if it has one, with i, one after the other.
func Tell[T, I any](ctx context.Context, all []*Listener[T], of func(*T) func(context.Context, I), i I) {
	for _, l := range all {
		if f := of(l.To); f != nil {
			l.Call(ctx, func() { f(ctx, i) })
		}
	}
}

// Begin is Tell for what has an end: of the contexts that the funcs return, the values are those of the context that
// Begin returns. end tells them, the last first, what has become of it.
func Begin[T, I, D any](
	ctx context.Context, all []*Listener[T], of func(*T) func(context.Context, I) (context.Context, func(D)), i I,
) (_ context.Context, end func(D)) {
	end = func(D) {}
	for _, l := range all {
		f := of(l.To)
		if f == nil {
			continue
		}
		var given context.Context
		var done func(D)
		before, outer := ctx, end
		if !l.Call(ctx, func() { given, done = f(before, i) }) {
			continue
		}
		if given != nil {
			ctx = valued{before, given}
		}
		if done != nil {
			end = func(d D) {
				l.Call(before, func() { done(d) })
				outer(d)
			}
		}
	}
	return ctx, end
}

// A valued context has the values of another, and ends when the first one does.
type valued struct {
	context.Context
	values context.Context
}

func (v valued) Value(key any) any {
	if value := v.values.Value(key); value != nil {
		return value
	}
	return v.Context.Value(key)
}
