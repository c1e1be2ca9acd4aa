package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"golang.org/x/oauth2"
)

const recordVersion = 1

var errRecord = errors.New("cache: not a token record of this version")

// A record is a token in a Store, with what another process needs to judge it. Times are milliseconds since 1970 by the
// clock of the host that wrote them.
type record struct {
	Version     int            `json:"v"`
	AccessToken string         `json:"access_token"`
	TokenType   string         `json:"token_type,omitempty"`
	ExpiresIn   int64          `json:"expires_in,omitempty"`
	Written     int64          `json:"written"`
	Refresh     int64          `json:"refresh"`
	Expiry      int64          `json:"expiry"`
	Life        int64          `json:"life"` // in milliseconds
	Extra       map[string]any `json:"extra,omitempty"`
}

func (c *Cache) writeRecord(s *snapshot, now time.Time) ([]byte, error) {
	at := c.at(now)
	written := now.UnixMilli()
	data, err := json.Marshal(record{
		Version:     recordVersion,
		AccessToken: s.token.AccessToken,
		TokenType:   s.token.TokenType,
		ExpiresIn:   s.token.ExpiresIn,
		Written:     written,
		Refresh:     written + at.until(s.refresh()).Milliseconds(),
		Expiry:      written + at.until(s.expiry).Milliseconds(),
		Life:        s.life.Milliseconds(),
		Extra:       extra(s.token),
	})
	if err != nil {
		// Its text may quote a value.
		return nil, errors.New("cache: the token has an extra field that cannot be stored")
	}
	return data, nil
}

// readRecord judges a record by this host's clock. Where the writer's is ahead, so that the record seems to come from
// the future, the life that was left when it was written counts, so that a token is not believed to live longer than it
// can.
func (c *Cache) readRecord(data []byte, now time.Time) (*snapshot, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil || r.Version != recordVersion || r.AccessToken == "" {
		return nil, errRecord
	}
	const most = int64(maxLifetime / time.Millisecond)
	if r.Expiry < r.Written || r.Expiry-r.Written > most || r.Life < 0 || r.Life > most || r.Refresh > r.Expiry {
		return nil, errRecord
	}
	left := min(r.Expiry-now.UnixMilli(), r.Expiry-r.Written)
	if left <= 0 {
		return nil, fmt.Errorf("cache: an expired token: %w", ErrMiss)
	}
	tok := &oauth2.Token{
		AccessToken: r.AccessToken,
		TokenType:   r.TokenType,
		ExpiresIn:   r.ExpiresIn,
		Expiry:      now.Add(time.Duration(left) * time.Millisecond),
	}
	if r.Extra != nil {
		tok = tok.WithExtra(r.Extra)
	}
	s := &snapshot{token: tok, life: time.Duration(r.Life) * time.Millisecond}
	s.expiry = c.at(tok.Expiry)
	s.margin = min(c.opt.ExpiryMargin, s.life/10)
	s.ahead = s.margin
	if c.opt.RefreshAt < 1 {
		s.ahead = max(s.margin, time.Duration(r.Expiry-r.Refresh)*time.Millisecond)
	}
	return s, nil
}

// capExpiry corrects the expiry of s, read from a Store, if it is the token that is held: that has not become younger
// by going through a Store, not even if the clock of another process is ahead.
func (s *snapshot) capExpiry(held *snapshot) {
	if held == nil || held.token.AccessToken != s.token.AccessToken {
		return
	}
	if d := held.expiry.until(s.expiry); d > 0 {
		s.token.Expiry = s.token.Expiry.Add(-d)
		s.expiry = s.expiry.add(-d)
	}
}

// improvesOn reports whether s, read from a Store, is better than what is held.
func (s *snapshot) improvesOn(held *snapshot, now instant) bool {
	return s.phase(now) >= stale && s.phase(now) > held.phase(now)
}

// stagger moves a reader's refresh a little behind the writer's, each to a time of its own: the first to refresh spares
// the others the lock.
func (s *snapshot) stagger() {
	s.ahead = max(s.margin, s.ahead-time.Duration(rand.Float64()*0.05*float64(s.life)))
}

// extra returns the extra fields of a token. x/oauth2 tells their values by name but not their names; it keeps them in a
// map.
func extra(tok *oauth2.Token) map[string]any {
	raw := reflect.ValueOf(tok).Elem().FieldByName("raw")
	if raw.Kind() == reflect.Interface {
		raw = raw.Elem()
	}
	if raw.Kind() != reflect.Map || raw.Type().Key().Kind() != reflect.String || raw.Len() == 0 {
		return nil
	}
	fields := make(map[string]any, raw.Len())
	for _, name := range raw.MapKeys() {
		fields[name.String()] = tok.Extra(name.String())
	}
	return fields
}
