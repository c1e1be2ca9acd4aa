package cache

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"golang.org/x/oauth2"
)

func TestLifetimeIsJudgedOnce(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		o       Options
		expiry  time.Duration // after the request was sent; 0: not said
		in      int64         // ExpiresIn
		extra   map[string]any
		took    time.Duration // from sending to receiving
		refresh [2]time.Duration
		gone    time.Duration
		end     time.Duration
	}{
		"an hour":            {expiry: time.Hour, took: s, refresh: [2]time.Duration{2700 * s, 2880 * s}, gone: 3590 * s, end: 3600 * s},
		"three seconds":      {expiry: 3 * s, took: 200 * time.Millisecond, refresh: [2]time.Duration{2250 * time.Millisecond, 2400 * time.Millisecond}, gone: 2700 * time.Millisecond, end: 3 * s},
		"nobody says":        {refresh: [2]time.Duration{225 * s, 240 * s}, gone: 290 * s, end: 300 * s},
		"nobody says, given": {o: Options{DefaultLifetime: 1000 * s}, took: s, refresh: [2]time.Duration{750 * s, 800 * s}, gone: 990 * s, end: 1000 * s},
		"a million years":    {expiry: 250 * 365 * 24 * time.Hour, refresh: [2]time.Duration{maxLifetime * 3 / 4, maxLifetime * 4 / 5}, gone: maxLifetime - 10*s, end: maxLifetime},
		"margin at most a tenth": {o: Options{ExpiryMargin: time.Hour}, expiry: 1000 * s,
			refresh: [2]time.Duration{750 * s, 800 * s}, gone: 900 * s, end: 1000 * s},
		"refresh no later than the margin": {o: Options{RefreshAt: 0.99}, expiry: 10 * s,
			refresh: [2]time.Duration{9 * s, 9 * s}, gone: 9 * s, end: 10 * s},
		"negative margin": {o: Options{ExpiryMargin: -s}, expiry: 1000 * s,
			refresh: [2]time.Duration{750 * s, 800 * s}, gone: 1000 * s, end: 1000 * s},
		"several attempts": {expiry: 1050 * s, in: 1000, took: 60 * s,
			refresh: [2]time.Duration{800 * s, 850 * s}, gone: 1040 * s, end: 1050 * s},
		"refresh_in":                     {expiry: 1000 * s, extra: map[string]any{"refresh_in": 400.0}, took: s, refresh: [2]time.Duration{400 * s, 400 * s}, gone: 990 * s, end: 1000 * s},
		"refresh_in after the expiry":    {expiry: 1000 * s, extra: map[string]any{"refresh_in": 4000.0}, refresh: [2]time.Duration{750 * s, 800 * s}, gone: 990 * s, end: 1000 * s},
		"refresh_in of no use":           {expiry: 1000 * s, extra: map[string]any{"refresh_in": "soon"}, refresh: [2]time.Duration{750 * s, 800 * s}, gone: 990 * s, end: 1000 * s},
		"refresh_in negative":            {expiry: 1000 * s, extra: map[string]any{"refresh_in": -1.0}, refresh: [2]time.Duration{750 * s, 800 * s}, gone: 990 * s, end: 1000 * s},
		"RefreshAt out of range":         {o: Options{RefreshAt: 17}, expiry: 1000 * s, refresh: [2]time.Duration{990 * s, 990 * s}, gone: 990 * s, end: 1000 * s},
		"RefreshAt below its own jitter": {o: Options{RefreshAt: 0.01}, expiry: 1000 * s, refresh: [2]time.Duration{s, 10 * s}, gone: 990 * s, end: 1000 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cache := New(c.o)
				defer cache.Close()
				sent := time.Now()
				tok := &oauth2.Token{AccessToken: "a", ExpiresIn: c.in}
				if c.expiry != 0 {
					tok.Expiry = sent.Add(c.expiry)
				}
				if c.extra != nil {
					tok = tok.WithExtra(c.extra)
				}
				before := *tok
				time.Sleep(c.took)
				for range 100 {
					snap, err := cache.newSnapshot(tok, sent, time.Now())
					if err != nil {
						t.Fatal(err)
					}
					if got := time.Duration(snap.turnsStale().mono); got < c.refresh[0] || got > c.refresh[1] {
						t.Errorf("stale after %v, want %v to %v", got, c.refresh[0], c.refresh[1])
					}
					if got := time.Duration(snap.expiry.add(-snap.margin).mono); got != c.gone {
						t.Errorf("gone after %v, want %v", got, c.gone)
					}
					if got := time.Duration(snap.expiry.mono); got < c.end || got > c.end+c.took {
						t.Errorf("expires after %v, want %v", got, c.end)
					}
					if snap.token.Expiry.IsZero() {
						t.Error("the token's Expiry is not set")
					}
				}
				if tok.Expiry != before.Expiry {
					t.Error("the fetch's token was modified")
				}
			})
		})
	}
}

func TestExpiresInCountsWhereExpiryIsMissing(t *testing.T) {
	c := New(Options{})
	sent := time.Now()
	for said, want := range map[int64]time.Duration{
		0:             5 * time.Minute,
		40:            40 * time.Second,
		math.MaxInt64: maxLifetime,
	} {
		s, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", ExpiresIn: said}, sent, sent.Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.token.Expiry.Sub(sent); got != want {
			t.Errorf("expires_in %d: expires after %v, want %v", said, got, want)
		}
	}
	if _, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", ExpiresIn: -1}, sent, sent); !errors.Is(err,
		ErrExpired) {
		t.Errorf("expires_in -1 gives %v, want ErrExpired", err)
	}
}

func TestTokenThatComesExpiredIsAnErrorOfItsOwn(t *testing.T) {
	c := New(Options{})
	now := time.Now()
	for _, expiry := range []time.Time{now, now.Add(-time.Second), time.Unix(0, 0)} {
		if _, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: expiry}, now, now); !errors.Is(err,
			ErrExpired) {
			t.Errorf("expiry %v gives %v, want ErrExpired", expiry, err)
		}
	}
	for _, tok := range []*oauth2.Token{nil, {}} {
		if _, err := c.newSnapshot(tok, now, now); err == nil {
			t.Errorf("%v is no error", tok)
		}
	}
}

// shiftMonotonic gives t with its monotonic reading moved by d, its wall clock as it was: what a suspended host sees,
// or a stepped wall clock.
func shiftMonotonic(tb testing.TB, t time.Time, d time.Duration) time.Time {
	r := t
	*(*int64)(unsafe.Add(unsafe.Pointer(&r), 8)) += int64(d)
	if r.Round(0) != t.Round(0) || r.Sub(t) != d {
		tb.Fatal("time.Time is not laid out as this test believes")
	}
	return r
}

func TestExpiryCountsByWhicheverClockSaysSooner(t *testing.T) {
	c := New(Options{})
	now := time.Now()
	s, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: now.Add(time.Hour)}, now, now)
	if err != nil {
		t.Fatal(err)
	}
	const d = 2 * time.Hour
	for name, then := range map[string]time.Time{
		"both":                           now.Add(d),
		"monotonic only (wall set back)": shiftMonotonic(t, now, d),
		"wall only (host was suspended)": shiftMonotonic(t, now.Add(d), -d),
	} {
		if got := s.phase(c.at(then)); got != gone {
			t.Errorf("%s: phase %v, want gone", name, got)
		}
	}
	if got := s.phase(c.at(now)); got != fresh {
		t.Errorf("at first: phase %v, want fresh", got)
	}
}

func TestExpiryWithoutMonotonicReadingStillCountsByBoth(t *testing.T) {
	c := New(Options{})
	now := time.Now()
	s, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: now.Add(time.Hour).Round(0)}, now, now)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.phase(c.at(shiftMonotonic(t, now, 2*time.Hour))); got != gone {
		t.Errorf("phase %v, want gone", got)
	}
}

func TestPause(t *testing.T) {
	const s = time.Second
	plain, wrong := CoolDown{}, CoolDown{Permanent: true}
	later := func(d time.Duration) CoolDown { return CoolDown{RetryAfter: d} }
	for name, c := range map[string]struct {
		said  CoolDown
		row   int
		alive bool
		draw  float64
		want  time.Duration
	}{
		"first":                     {plain, 1, false, 0, s},
		"first, jitter":             {plain, 1, false, 0.5, s}, // never more often
		"fourth":                    {plain, 4, false, 0, 8 * s},
		"fourth, jitter":            {plain, 4, false, 0.5, 7 * s},
		"no live token: 10 s":       {plain, 5, false, 0, 10 * s},
		"long row":                  {plain, 1 << 40, false, 0, 10 * s},
		"live token: 60 s":          {plain, 7, true, 0, 60 * s},
		"permanent":                 {wrong, 1, false, 0, 5 * s},
		"permanent, fourth":         {wrong, 4, false, 0, 40 * s},
		"permanent: 60 s":           {wrong, 5, false, 0, 60 * s},
		"Retry-After":               {later(100 * s), 1, false, 0, 100 * s},
		"Retry-After, jitter":       {later(100 * s), 1, false, 0.5, 105 * s},
		"Retry-After an hour most":  {later(100 * time.Hour), 1, false, 0.9, time.Hour},
		"Retry-After without end":   {later(math.MaxInt64), 1, false, 0.9, time.Hour},
		"Retry-After of an instant": {later(1), 1, false, 0.5, 1050 * time.Millisecond},
		"Retry-After of no meaning": {later(-s), 1, false, 0, s},
	} {
		if got := pauseAfter(c.said, c.row, c.alive, c.draw); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPauseFollowsTheNeed(t *testing.T) {
	const s = time.Second
	at := func(d time.Duration) instant { return instant{int64(d), int64(d)} }
	token := &snapshot{expiry: at(1000 * s), margin: 10 * s}
	for name, c := range map[string]struct {
		why   error
		row   int
		at    time.Duration
		token *snapshot
		want  time.Duration
	}{
		"a living token":                 {errors.New("x"), 7, 800 * s, token, 860 * s},
		"it is to be replaced first":     {errors.New("x"), 7, 970 * s, token, 990 * s},
		"it runs out":                    {errors.New("x"), 7, 995 * s, token, 1000 * s},
		"none":                           {errors.New("x"), 7, 800 * s, nil, 810 * s},
		"Retry-After, and it runs out":   {retryAfterError(60 * s), 1, 970 * s, token, 1030 * s},
		"permanent, and there is none":   {permanentError{}, 7, 800 * s, nil, 860 * s},
		"permanent, and it expires soon": {permanentError{}, 7, 970 * s, token, 990 * s},
	} {
		f := (*backoff)(nil).after(newFailure(c.why), at(c.at), 0)
		f.row = c.row
		if got := f.until(c.token, at(c.at)); got != at(c.want) {
			t.Errorf("%s: until %v, want %v", name, time.Duration(got.mono), c.want)
		}
	}
}

type permanentError struct{ error }

func (permanentError) CoolDown() CoolDown { return CoolDown{Permanent: true} }

type retryAfterError time.Duration

func (retryAfterError) Error() string        { return "later" }
func (e retryAfterError) CoolDown() CoolDown { return CoolDown{RetryAfter: time.Duration(e)} }

func TestLifeCountsFromTheSendingThoughTheHostSlept(t *testing.T) {
	c := New(Options{})
	sent := time.Now()
	const slept = 2 * time.Hour
	woke := shiftMonotonic(t, sent.Add(slept), -slept) // The monotonic clock stood still.
	for name, tok := range map[string]*oauth2.Token{
		"Expiry":                           {AccessToken: "a", Expiry: sent.Add(time.Hour)},
		"Expiry without monotonic reading": {AccessToken: "a", Expiry: sent.Add(time.Hour).Round(0)},
		"ExpiresIn":                        {AccessToken: "a", ExpiresIn: 3600},
		"nobody says":                      {AccessToken: "a"},
	} {
		if s, err := c.newSnapshot(tok, sent, woke); !errors.Is(err, ErrExpired) {
			t.Errorf("%s: %+v, %v, want ErrExpired", name, s, err)
		}
	}
	const longer = 3 * time.Hour
	s, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: sent.Add(longer)}, sent, woke)
	if err != nil {
		t.Fatal(err)
	}
	if left := c.at(woke).until(s.expiry); left != longer-slept {
		t.Errorf("%v left, want %v", left, longer-slept)
	}
	if left := s.token.Expiry.Sub(woke); left != longer-slept {
		t.Errorf("the token says %v, want %v", left, longer-slept)
	}
	if s.life != longer {
		t.Errorf("a life of %v, want %v", s.life, longer)
	}

	// The wall clock was set back in between: the monotonic one has gone on.
	back := shiftMonotonic(t, sent.Add(-slept), 2*slept)
	if s, err := c.newSnapshot(&oauth2.Token{AccessToken: "a", Expiry: sent.Add(time.Hour)}, sent,
		back); !errors.Is(err, ErrExpired) {
		t.Errorf("%+v, %v, want ErrExpired", s, err)
	}
}

func TestNoRefreshIsDueWithinASecondOfTheSending(t *testing.T) {
	c := New(Options{})
	sent := time.Now()
	for _, life := range []time.Duration{time.Millisecond, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond,
		2 * time.Second, time.Hour} {
		s, err := c.newSnapshot((&oauth2.Token{AccessToken: "a",
			Expiry: sent.Add(life)}).WithExtra(map[string]any{"refresh_in": 0.001}), sent, sent)
		if err != nil {
			t.Fatal(err)
		}
		if due := time.Duration(s.turnsStale().mono - c.at(sent).mono); due < time.Second && due != life-s.margin {
			t.Errorf("a token of %v turns stale after %v", life, due)
		}
		if s.sent() != c.at(sent).mono {
			t.Errorf("a token of %v: sent at %d, want %d", life, s.sent(), c.at(sent).mono)
		}
	}
}
