package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// Between a caller's look and its flight another flight may land. What that brought is good enough.
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
			if s, err := flyOnce(e); err != nil || s.token.AccessToken != "a" {
				t.Errorf("got %v, %v", s, err)
			}
		}
		if requests != 1 {
			t.Errorf("%d requests for a token that was there, want 1", requests)
		}

		e.Invalidate(&oauth2.Token{AccessToken: "a"})
		outage = errors.New("outage")
		for range 3 {
			if _, err := flyOnce(e); err != outage {
				t.Errorf("got %v, want the failure that cools down", err)
			}
		}
		if requests != 2 {
			t.Errorf("%d requests while a failure cooled down, want 2", requests)
		}
	})
}

// What Fetch got was asked for later than what a flight under way brings.
func TestFlightDoesNotReplaceWhatFetchGotMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		defer c.Close()
		var requests atomic.Int64
		e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
			n := requests.Add(1)
			if n == 1 {
				time.Sleep(10 * time.Second)
			}
			return &oauth2.Token{AccessToken: fmt.Sprint(n), Expiry: time.Now().Add(time.Hour)}, nil
		})
		waiting := make(chan string, 1)
		go func() {
			tok, err := e.Token(t.Context())
			waiting <- fmt.Sprint(tok.AccessToken, err)
		}()
		time.Sleep(time.Second)
		if tok, err := e.Refresh(t.Context()); err != nil || tok.AccessToken != "2" {
			t.Fatalf("Fetch gave %v, %v", tok, err)
		}
		if got := <-waiting; got != "2<nil>" {
			t.Errorf("those who waited for the flight got %v, want the newer token", got)
		}
		time.Sleep(10 * time.Second)
		if tok, err := e.Token(t.Context()); err != nil || tok.AccessToken != "2" {
			t.Errorf("Token gave %v, %v, want what Fetch got", tok, err)
		}
	})
}

// flyOnce starts a flight, whatever the table says, and waits for it.
func flyOnce(e *Entry) (*snapshot, error) {
	e.mu.Lock()
	fl, news, _ := e.join(context.Background(), nil, e.cache.now())
	e.mu.Unlock()
	<-news
	return fl.token, fl.err
}

func TestTokenThatDiedBeforeItWasTakenIsNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{})
		defer c.Close()
		e := c.Entry("key", nil)
		s, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: time.Now().Add(time.Second)}, time.Now(),
			time.Now())
		if err != nil {
			t.Fatal(err)
		}
		landed := make(chan struct{})
		close(landed)
		fl := &flight{entry: e, token: s, news: landed}
		time.Sleep(time.Second)
		if tok, err := e.wait(t.Context(), time.Now(), fl, landed, 0); err != errLookAgain {
			t.Errorf("got %v, %v for a token that is dead", tok, err)
		}
	})
}
