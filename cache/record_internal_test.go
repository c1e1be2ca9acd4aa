package cache

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

// TestClocksThatDifferDoNoHarm has a token that lives until one hour after noon, written at noon by a host whose clock
// is off, read at times by the reader's clock.
func TestClocksThatDifferDoNoHarm(t *testing.T) {
	c := New(Options{})
	noon := time.Now()
	for name, x := range map[string]struct {
		off  time.Duration // the writer's clock is ahead
		read time.Duration // after noon
		most time.Duration // the life that the reader may believe in
		miss bool
	}{
		"same clock":               {0, 0, time.Hour, false},
		"same clock, later":        {0, 40 * time.Minute, 20 * time.Minute, false},
		"ahead, read at once":      {10 * time.Minute, 0, time.Hour, false},
		"ahead, read soon":         {10 * time.Minute, 5 * time.Minute, time.Hour, false},
		"behind, read at once":     {-10 * time.Minute, 0, 50 * time.Minute, false},
		"behind, read near expiry": {-10 * time.Minute, 55 * time.Minute, 0, true},
		"expired":                  {0, time.Hour, 0, true},
	} {
		written := noon.Add(x.off)
		s, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: written.Add(time.Hour)}, written, written)
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := c.writeRecord(s, nil, written)
		if err != nil {
			t.Fatal(err)
		}
		at := noon.Add(x.read)
		found, err := c.readRecord(data, at, true)
		r := found.token
		if x.miss {
			if !errors.Is(err, ErrMiss) {
				t.Errorf("%s: %v, want a miss", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		now := c.at(at)
		if left := now.until(r.expiry); left > x.most || left < x.most-time.Second {
			t.Errorf("%s: %v left, want %v", name, left, x.most)
		}
		if r.ahead < r.margin || r.margin != 10*time.Second {
			t.Errorf("%s: refresh %v and gone %v before the expiry", name, r.ahead, r.margin)
		}
	}
}

func TestReadersRefreshALittleAfterTheWriter(t *testing.T) {
	c := New(Options{})
	now := time.Now()
	s, _ := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: now.Add(time.Hour)}, now, now)
	data, _, _ := c.writeRecord(s, nil, now)
	drawn := make(map[time.Duration]bool)
	for range 20 {
		found, err := c.readRecord(data, now, true)
		r := found.token
		if err != nil {
			t.Fatal(err)
		}
		r.stagger()
		later := s.turnsStale().until(r.turnsStale())
		if later < -2*time.Millisecond || later > 3*time.Minute {
			t.Errorf("the reader refreshes %v after the writer", later)
		}
		drawn[later.Truncate(time.Second)] = true
	}
	if len(drawn) < 5 {
		t.Errorf("20 readers refresh at %d times", len(drawn))
	}
}

// extra reads a field of x/oauth2 that is not exported; should it go, this fails.
func TestExtraFieldsAreFound(t *testing.T) {
	tok := &oauth2.Token{AccessToken: "a"}
	if got := extra(tok); got != nil {
		t.Errorf("a token without extra fields gives %v", got)
	}
	tok = tok.WithExtra(map[string]any{"a": 1.0, "b": "x"})
	if got := extra(tok); len(got) != 2 || got["a"] != 1.0 || got["b"] != "x" {
		t.Errorf("got %v", got)
	}
	tok = tok.WithExtra("something else")
	if got := extra(tok); got != nil {
		t.Errorf("got %v", got)
	}
}

func FuzzRecord(f *testing.F) {
	c := New(Options{})
	now := time.Unix(1_700_000_000, 0)
	s, _ := c.newSnapshot((&oauth2.Token{AccessToken: "a", TokenType: "DPoP",
		Expiry: now.Add(time.Hour)}).WithExtra(map[string]any{"scope": "a"}), now, now)
	data, _, err := c.writeRecord(s, nil, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	failed := (*backoff)(nil).after(newFailure(retryAfterError(time.Minute)), c.at(now), 0)
	other := New(Options{})
	for _, s := range []*snapshot{nil, s} {
		if data, _, err = other.writeRecord(s, failed, now); err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	if data, err = other.writeMark(now); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"v":1,"access_token":"x","written":1,"refresh":-9223372036854775808,"expiry":9223372036854775807,"life":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := c.readRecord(data, now, false)
		if err != nil {
			return
		}
		at := c.at(now)
		if f := found.failed; f != nil {
			if left := at.until(f.until(nil, at)); left > maxRetryAfter || f.row < 1 || f.at.wall > at.wall ||
				f.err.Error() == "" {
				t.Errorf("%q gives a failure that cools down for %v: %+v", data, left, f)
			}
		}
		if left := found.marked.Sub(now); left > c.lockTTL() {
			t.Errorf("%q marks a fetch for %v", data, left)
		}
		s := found.token
		if s == nil {
			return
		}
		for _, b := range []byte(s.token.AccessToken) {
			if b < ' ' || b > '~' {
				t.Errorf("%q gives the token %q", data, s.token.AccessToken)
			}
		}
		if at.until(s.expiry) > unsealedLife {
			t.Errorf("%q gives a token that lives for %v", data, at.until(s.expiry))
		}
		if s.token.AccessToken == "" || s.token.Expiry.IsZero() || at.until(s.expiry) <= 0 ||
			at.until(s.expiry) > maxLifetime ||
			s.margin < 0 || s.ahead < s.margin {
			t.Errorf("%q gives %+v", data, s)
		}
	})
}
