package cache_test

import (
	"sync"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

func TestInvalidateNamesTheTokenItRejects(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.want("token-1")
		r.invalidate("token-1")
		r.want("token-2")
		r.invalidate("token-1") // a late 401 for the old token
		r.Invalidate(nil)
		r.invalidate("")
		r.want("token-2")
		time.Sleep(2 * time.Minute) // Spacing has nothing to do with it.
		r.invalidate("token-1")
		r.want("token-2")
		r.wantRequests(2)
	})
}

func TestLateRejectionsOfOneTokenCauseOneFetch(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.want("token-1")
		r.set(func(s *server) { s.delay = 100 * time.Millisecond })
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond / 500)
				r.invalidate("token-1")
				if tok, _ := r.token(); tok != "token-2" {
					t.Errorf("got %s after the rejection, want token-2", tok)
				}
			})
		}
		wg.Wait()
		r.wantRequests(2)
	})
}

func TestInvalidationDuringAFetchIsNotLost(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = 100 * time.Second
		r.want("token-1")
		r.set(func(s *server) { s.delay = 2 * time.Second })
		time.Sleep(80 * time.Second)
		r.want("token-1") // a background refresh starts
		r.invalidate("token-1")
		if tok, waited := r.token(); tok != "token-2" || waited != 2*time.Second {
			t.Errorf("got %s after %v, want to wait for token-2", tok, waited)
		}
		r.wantRequests(2)
	})
}

func TestForcedRefreshesAreSpaced(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = 24 * time.Hour
		// A resource that answers 401 to everything, 100 times a second.
		start := time.Now()
		for time.Since(start) < 5*time.Minute {
			tok, waited := r.token()
			if waited != 0 {
				t.Fatalf("waited %v", waited)
			}
			r.invalidate(tok)
			time.Sleep(10 * time.Millisecond)
		}
		// The first at once, then not before 1, 2, 4, ... 32, 60, 60 s.
		for i := 2; i < len(r.times); i++ {
			want := min(time.Second<<(i-2), time.Minute)
			if got := r.times[i].Sub(r.times[i-1]); (got - want).Abs() > 10*time.Millisecond {
				t.Errorf("forced refresh %d came %v after the one before, want %v", i, got, want)
			}
		}
		if got := r.times[1].Sub(start); got > 10*time.Millisecond {
			t.Errorf("the first forced refresh came after %v, want at once", got)
		}
		r.wantRequests(1 + 1 + 6 + 3)
	})
}

func TestSpacingStartsAnewAfterAMinuteWithoutRejection(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		for range 3 {
			n := r.requests()
			tok, _ := r.token()
			r.invalidate(tok)
			tok, _ = r.token()
			r.wantRequests(max(n, 1) + 1)
			time.Sleep(500 * time.Millisecond)
			r.invalidate(tok) // too soon: remembered
			r.want(tok)
			time.Sleep(500*time.Millisecond - 1)
			r.want(tok)
			time.Sleep(time.Nanosecond)
			if next, _ := r.token(); next == tok { // acted on
				t.Errorf("after the spacing %s is still handed out", tok)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestRejectionInsideTheSpacingIsSettledByARefresh(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.want("token-1")
		r.invalidate("token-1")
		r.want("token-2")
		r.invalidate("token-2") // remembered
		r.Refresh(t.Context())
		time.Sleep(time.Minute)
		r.want("token-3")
		r.wantRequests(3)
	})
}

func TestSameTokenAgainAfterARejectionDoesNotLoop(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.same = "same"
		r.want("same")
		r.invalidate("same")
		r.want("same") // there being no other
		r.wantRequests(2)
		time.Sleep(10 * time.Minute)
		r.want("same")
		r.wantRequests(2)
	})
}
