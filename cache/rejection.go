package cache

import (
	"slices"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/fingerprint"
)

const (
	firstSpacing = time.Second
	maxSpacing   = time.Minute
	spacingEnds  = time.Minute // without a rejection
	rememberMost = 4           // rejected tokens
)

// rejections is what an Entry knows of tokens that a resource rejected. Entry.mu guards its fields.
type rejections struct {
	tokens []fingerprint.Print // of the last few, oldest first: a miss wherever they lie
	last   instant             // when the last one came
	next   instant             // no forced refresh before this
	step   time.Duration       // how long the last pause between forced refreshes was
	forced bool                // a token was dropped, and none has been asked for yet
}

// Invalidate says that a resource rejected a token. If it is still the current one, the next Token fetches another.
//
// A resource that rejects everything does not cause a fetch each time: the first forced refresh is at once, the next
// not before 1 s, doubling to 60 s, and 60 s without a rejection start that anew. In between the token is still handed
// out; the rejection is remembered until the next refresh may be.
func (e *Entry) Invalidate(rejected *oauth2.Token) {
	if e.cache == nil || rejected == nil || rejected.AccessToken == "" {
		return
	}
	e.counted().rejected.Add(1)
	e = e.lockServing()
	defer e.mu.Unlock()
	r := e.rejections
	if r == nil {
		r = &rejections{}
		e.rejections = r
	}
	r.remember(rejected.AccessToken)
	s := e.current.Load()
	if s == nil || s.token.AccessToken != rejected.AccessToken {
		return // It has been replaced, or is about to be.
	}
	now := e.cache.now()
	if r.step > 0 && !now.before(r.last.add(spacingEnds)) {
		r.step, r.next = 0, now
	}
	r.last = now
	if r.step > 0 && now.before(r.next) {
		if !s.rejected {
			e.current.Store(s.rejectedUntil(r.next))
		}
		return
	}
	e.drop(r)
}

// heedRejection acts on a remembered rejection once it may. e.mu is held.
func (e *Entry) heedRejection(now instant) {
	if s := e.current.Load(); s != nil && s.rejected && !now.before(e.rejections.next) {
		e.drop(e.rejections)
	}
}

// drop makes the current token gone. e.mu is held.
func (e *Entry) drop(r *rejections) {
	e.current.Store(nil)
	r.forced = true
}

// spend notes that a token is asked for, which is what is spaced: one that another process left in the Store costs
// nobody anything. Entry.mu is held.
func (r *rejections) spend(now instant) {
	if r != nil && r.forced {
		r.forced = false
		r.step = min(max(2*r.step, firstSpacing), maxSpacing)
		r.next = now.add(r.step)
	}
}

func (r *rejections) remember(token string) {
	if r.knows(token) {
		return
	}
	if len(r.tokens) == rememberMost {
		r.tokens = slices.Delete(r.tokens, 0, 1)
	}
	r.tokens = append(r.tokens, fingerprint.Of(token))
}

func (r *rejections) knows(token string) bool {
	return r != nil && len(r.tokens) > 0 && slices.Contains(r.tokens, fingerprint.Of(token))
}
