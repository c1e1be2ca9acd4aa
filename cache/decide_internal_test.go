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
					s, err := c.newSnapshot(&oauth2.Token{AccessToken: "old", Expiry: time.Now().Add(life)}, time.Now(),
						time.Now())
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
				why := error(outage)
				if row.failed == "probe" {
					why = errOutdated{outage}
				}
				f := (*backoff)(nil).after(newFailure(why), now, 0)
				f.row = 4 // 8 s
				switch row.failed {
				case "":
					f = nil
				case "over":
					f.at = now.add(-time.Hour)
				case "probe":
					f.probedAt.Store(now.add(-time.Minute).mono)
				}
				e.failed = f
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
	const no, cooling, probe = 0, 1, 2
	table := map[phase]map[bool][3]action{ // by whether the refresh is due, then by column
		fresh:    {false: {serve, serve, serve}, true: {serve, serve, serve}},
		stale:    {false: {serve, serve, serve}, true: {serveRefresh, serve, serveRefresh}},
		expiring: {false: {wait, serve, serveRefresh}, true: {wait, serve, serveRefresh}},
		gone:     {false: {wait, refuse, wait}, true: {wait, refuse, wait}},
	}
	seen := 0
	for phase, rows := range table {
		for due, columns := range rows {
			for bits := range 16 {
				v := view{phase: phase, due: due, cooling: bits&1 != 0, probeDue: bits&2 != 0, slow: bits&4 != 0,
					justNow: bits&8 != 0}
				column := no // A probe without a failure that cools down is none.
				switch {
				case v.cooling && v.probeDue:
					column = probe
				case v.cooling:
					column = cooling
				}
				want := columns[column]
				if phase == expiring && want == wait && v.slow {
					want = waitBriefly
				}
				if phase == expiring && v.justNow {
					want = serve
				}
				if got := decide(v); got != want {
					t.Errorf("%+v: action %d, want %d", v, got, want)
				}
				seen++
			}
		}
	}
	if seen != 128 {
		t.Errorf("%d views, want 128", seen)
	}
}

func TestNextRefreshIsDueWhenAllAllowIt(t *testing.T) {
	at := func(d time.Duration) instant { return instant{int64(d), int64(d)} }
	plain, rotated := newFailure(errors.New("x")), newFailure(errOutdated{errors.New("x")})
	const s = time.Second
	token := &snapshot{expiry: at(1000 * s), margin: 10 * s, ahead: 200 * s, life: 1000 * s}
	ends := &snapshot{expiry: at(802 * s), margin: 0, ahead: 200 * s, life: 1000 * s}
	now := at(800 * s)
	failed := func(why failure, row int, probed time.Duration) *backoff {
		f := (*backoff)(nil).after(why, now, 0)
		f.row = row
		f.probedAt.Store(int64(probed))
		return f
	}
	for name, c := range map[string]struct {
		token      *snapshot
		failed     *backoff
		spaced     *rejections
		deferUntil time.Duration
		want       time.Duration
	}{
		"nothing in its way":              {token, nil, nil, 0, 801 * s},
		"nothing in its way, near an end": {ends, nil, nil, 0, 800*s + 250*time.Millisecond},
		"left to another process":         {token, nil, nil, 807 * s, 807 * s},
		"left until a time gone by":       {token, nil, nil, 5 * s, 801 * s},
		"cooling down":                    {token, failed(plain, 6, 0), nil, 0, 832 * s},
		"cooling down, left for longer":   {token, failed(plain, 6, 0), nil, 840 * s, 840 * s},
		"cooling down for an hour":        {token, failed(newFailure(retryAfterError(time.Hour)), 1, 0), nil, 0, 860 * s},
		"the error may know better":       {token, failed(rotated, 6, 803*s), nil, 0, 804 * s},
		"it might have known long ago":    {token, failed(rotated, 6, 3*s), nil, 0, 801 * s},
		"rejected":                        {token, nil, &rejections{next: at(805 * s)}, 807 * s, 805 * s},
		"rejected, spaced for longer":     {token, nil, &rejections{next: at(809 * s)}, 807 * s, 807 * s},
		"rejected while it cools down":    {token, failed(plain, 6, 0), &rejections{next: at(805 * s)}, 0, 805 * s},
	} {
		if got := nextRefresh(now, c.token, c.failed, c.spaced, int64(c.deferUntil)); got != int64(c.want) {
			t.Errorf("%s: after %v, want %v", name, time.Duration(got), c.want)
		}
	}
}
