package cache_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

func TestNothingRunsUnaskedWithoutKeepFresh(t *testing.T) {
	inBubble(t, cache.Options{}, func(t *testing.T, r *rig) {
		r.lifetime = time.Minute
		r.want("token-1")
		time.Sleep(48 * time.Hour)
		r.wantRequests(1)
	})
}

func TestKeepFreshRefreshesOnTimeThoughNobodyAsks(t *testing.T) {
	inBubble(t, cache.Options{KeepFresh: true}, func(t *testing.T, r *rig) {
		r.lifetime, r.delay = 1000*time.Second, time.Second
		time.Sleep(time.Hour)
		r.wantRequests(0) // from the first Token on
		r.token()
		time.Sleep(10_000 * time.Second)
		synctest.Wait()
		if n := r.requests(); n < 13 || n > 14 {
			t.Errorf("%d requests in ten lives, want one each 750 to 800 s", n)
		}
		if _, waited := r.token(); waited != 0 {
			t.Errorf("a caller waited %v", waited)
		}
	})
}

func TestKeepFreshGoesOnAfterFailures(t *testing.T) {
	inBubble(t, cache.Options{KeepFresh: true}, func(t *testing.T, r *rig) {
		r.lifetime = 100 * time.Second
		r.want("token-1")
		r.set(func(s *server) { s.err = errors.New("outage") })
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := r.requests(); n < 10 || n > 100 {
			t.Errorf("%d requests in an outage of 10 min", n)
		}
		r.set(func(s *server) { s.err = nil })
		time.Sleep(10 * time.Second)
		if _, waited := r.token(); waited != 0 {
			t.Errorf("a caller waited %v", waited)
		}
	})
}

func TestKeepFreshEndsAfterADayUnasked(t *testing.T) {
	inBubble(t, cache.Options{KeepFresh: true}, func(t *testing.T, r *rig) {
		r.want("token-1")
		time.Sleep(12 * time.Hour)
		r.token()
		time.Sleep(23 * time.Hour)
		synctest.Wait()
		n := r.requests()
		if n < 35*60/50 {
			t.Errorf("%d requests in 35 h with tokens of one hour", n)
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if more := r.requests() - n; more > 3 {
			t.Errorf("%d requests after a day unasked", more)
		}
		n = r.requests()
		time.Sleep(48 * time.Hour)
		r.wantRequests(n)

		// Asked again, it goes on.
		r.token()
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if r.requests() < n+10 {
			t.Errorf("%d requests in 10 h after it was asked again", r.requests()-n)
		}
	})
}

func TestKeepFreshEndsWithEviction(t *testing.T) {
	inBubble(t, cache.Options{KeepFresh: true, MaxKeys: 1}, func(t *testing.T, r *rig) {
		r.want("token-1")
		r.Cache.Entry("other", r.fetch)
		time.Sleep(20 * time.Hour)
		r.wantRequests(1)
	})
}
