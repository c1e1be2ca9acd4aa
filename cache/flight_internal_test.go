package cache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// Between a caller's look and its flight another flight may land. What that
// brought is good enough.
func TestFlightThatComesTooLateFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		defer c.Close()
		requests := 0
		var outage error
		e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
			requests++
			return &oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Hour)}, outage
		})
		for range 3 {
			r := <-e.fly(t.Context(), false)
			if r.Err != nil || r.Val.(*oauth2.Token).AccessToken != "a" {
				t.Errorf("got %v, %v", r.Val, r.Err)
			}
		}
		if requests != 1 {
			t.Errorf("%d requests for a token that was there, want 1", requests)
		}

		e.Invalidate(&oauth2.Token{AccessToken: "a"})
		outage = errors.New("outage")
		for range 3 {
			if r := <-e.fly(t.Context(), false); r.Err != outage {
				t.Errorf("got %v, want the failure that cools down", r.Err)
			}
		}
		if requests != 2 {
			t.Errorf("%d requests while a failure cooled down, want 2", requests)
		}
	})
}
