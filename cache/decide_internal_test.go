package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// TestTokenDoesWhatTheTableSays puts an Entry into each state of the table of decide, and observes what a Token does.
func TestTokenDoesWhatTheTableSays(t *testing.T) {
	const life = 1000 * time.Second
	outage := errors.New("outage")
	const serve, refresh, wait, briefly, refuse = "serve", "serve, refresh", "wait", "wait briefly", "refuse"
	for _, row := range []struct {
		age     time.Duration // of a token that lives 1000 s; negative: none
		running bool          // it is stale, and being refreshed
		failed  string        // "", "over", "cooling", "probe"
		store   bool
		want    string
	}{
		{0, false, "", false, serve},
		{0, false, "over", false, serve},
		{0, false, "cooling", false, serve},
		{0, false, "probe", false, serve},
		{900 * time.Second, true, "", false, serve},
		{900 * time.Second, true, "over", true, serve},
		{900 * time.Second, true, "cooling", false, serve},
		{900 * time.Second, true, "probe", false, serve},
		{900 * time.Second, false, "", false, refresh},
		{900 * time.Second, false, "", true, refresh},
		{900 * time.Second, false, "over", false, refresh},
		{900 * time.Second, false, "cooling", false, serve},
		{900 * time.Second, false, "probe", false, refresh},
		{995 * time.Second, false, "", false, wait},
		{995 * time.Second, false, "", true, briefly},
		{995 * time.Second, false, "over", false, briefly},
		{995 * time.Second, false, "cooling", false, serve},
		{995 * time.Second, false, "probe", false, refresh},
		{-1, false, "", false, wait},
		{-1, false, "", true, wait},
		{-1, false, "over", false, wait},
		{-1, false, "cooling", false, refuse},
		{-1, false, "probe", false, wait},
	} {
		t.Run(fmt.Sprintf("%v %v %s %v", row.age, row.running, row.failed, row.store), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{}
				if row.store {
					o.Store = Memory()
				}
				c := New(o)
				defer c.Close()
				requests := 0
				e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
					requests++
					time.Sleep(time.Second)
					return &oauth2.Token{AccessToken: "new", Expiry: time.Now().Add(life)}, nil
				})
				if row.age >= 0 {
					s, err := c.newSnapshot(&oauth2.Token{AccessToken: "old", Expiry: time.Now().Add(life)}, time.Now(), time.Now())
					if err != nil {
						t.Fatal(err)
					}
					if row.running {
						s.refreshDue.Store(never)
					}
					e.current.Store(s)
					time.Sleep(row.age)
				}
				now := c.at(time.Now())
				switch f := (&cooldown{err: outage, row: 1, probedAt: now, until: now.add(time.Minute)}); row.failed {
				case "over":
					f.until = now
					e.failed = f
				case "cooling":
					e.failed = f
				case "probe":
					f.err = errOutdated{f.err}
					f.probedAt = now.add(-time.Minute)
					e.failed = f
				}
				began := time.Now()
				tok, err := e.Token(t.Context())
				waited := time.Since(began)
				synctest.Wait()
				got := "?"
				switch {
				case err != nil && waited == 0 && requests == 0 && errors.Is(err, outage):
					got = refuse
				case err != nil:
					t.Error(err)
				case tok.AccessToken == "old" && waited == 0 && requests == 0:
					got = serve
				case tok.AccessToken == "old" && waited == 0 && requests == 1:
					got = refresh
				case tok.AccessToken == "old" && waited < 100*time.Millisecond && requests == 1:
					got = briefly
				case tok.AccessToken == "new" && waited == time.Second && requests == 1:
					got = wait
				}
				if got != row.want {
					t.Errorf("%s, want %s (%v after %v, %d requests)", got, row.want, tok, waited, requests)
				}
			})
		})
	}
}

type errOutdated struct{ error }

func (e errOutdated) Unwrap() error               { return e.error }
func (errOutdated) Outdated(context.Context) bool { return true }

// TestDecisionFollowsTheTable goes through every view that there is, the impossible ones included.
func TestDecisionFollowsTheTable(t *testing.T) {
	const no, over, cooling, probe = 0, 0, 1, 2
	table := map[phase]map[bool][3]action{ // by whether the refresh is due, then by column
		fresh:    {false: {serve, serve, serve}, true: {serve, serve, serve}},
		stale:    {false: {serve, serve, serve}, true: {serveRefresh, serve, serveRefresh}},
		expiring: {false: {wait, serve, serveRefresh}, true: {wait, serve, serveRefresh}},
		gone:     {false: {wait, refuse, wait}, true: {wait, refuse, wait}},
	}
	for phase, rows := range table {
		for due, columns := range rows {
			for column, want := range columns {
				for _, slow := range []bool{false, true} {
					v := view{phase: phase, due: due, cooling: column != no, probeDue: column == probe, slow: slow}
					if want == wait && phase == expiring && slow {
						want = waitBriefly
					}
					if got := decide(v); got != want {
						t.Errorf("%+v: action %d, want %d", v, got, want)
					}
				}
			}
			// A probe without a failure that cools down is none.
			v := view{phase: phase, due: due, probeDue: true}
			if got, want := decide(v), columns[over]; got != want {
				t.Errorf("%+v: action %d, want %d", v, got, want)
			}
		}
	}
}

func TestNextRefreshIsDueWhenAllAllowIt(t *testing.T) {
	at := func(d time.Duration) instant { return instant{int64(d), int64(d)} }
	plain, rotated := errors.New("x"), errOutdated{errors.New("x")}
	const s = time.Second
	for name, c := range map[string]struct {
		failed     *cooldown
		spaced     *rejections
		deferUntil time.Duration
		want       time.Duration
	}{
		"nothing in its way":              {nil, nil, 0, 0},
		"left to another process":         {nil, nil, 7 * s, 7 * s},
		"cooling down":                    {&cooldown{err: plain, until: at(30 * s), probedAt: at(3 * s)}, nil, 0, 30 * s},
		"cooling down, left for longer":   {&cooldown{err: plain, until: at(30 * s)}, nil, 40 * s, 40 * s},
		"the error may know better":       {&cooldown{err: rotated, until: at(30 * s), probedAt: at(3 * s)}, nil, 0, 4 * s},
		"rejected":                        {nil, &rejections{next: at(5 * s)}, 7 * s, 5 * s},
		"rejected, spaced for longer":     {nil, &rejections{next: at(9 * s)}, 7 * s, 7 * s},
		"rejected while it is cooled off": {&cooldown{err: plain, until: at(30 * s)}, &rejections{next: at(5 * s)}, 0, 5 * s},
	} {
		if got := nextRefresh(c.failed, c.spaced, int64(c.deferUntil)); got != int64(c.want) {
			t.Errorf("%s: after %v, want %v", name, time.Duration(got), c.want)
		}
	}
}
