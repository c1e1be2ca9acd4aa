package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	recordVersion = 1
	maxRecord     = 256 << 10 // bytes; what is larger is rubbish
	maxExtras     = 128       // fields
	maxRecorded   = 1 << 10   // bytes

	// unsealedLife is how long a token from a Store that is not sealed is believed to live at most: who can write to
	// the Store cannot pin one for longer.
	unsealedLife = 24 * time.Hour

	// failureLife is how long after its pause word of a failure stays, so that a row goes on.
	failureLife = 2 * maxLivePause
)

var errRecord = fmt.Errorf("cache: not a token record of this version: %w", ErrUnreadable)

// A record is what lies under a key of a Store: a token, with what another process needs to judge it; word of a
// failure; both; or a mark. Times are milliseconds since 1970 by the clock of the host that wrote them.
type record struct {
	Version     int            `json:"v"`
	AccessToken string         `json:"access_token,omitempty"`
	TokenType   string         `json:"token_type,omitempty"`
	ExpiresIn   int64          `json:"expires_in,omitempty"`
	Written     int64          `json:"written"`
	Refresh     int64          `json:"refresh,omitempty"`
	Expiry      int64          `json:"expiry,omitempty"`
	Life        int64          `json:"life,omitempty"` // in milliseconds
	Extra       map[string]any `json:"extra,omitempty"`
	Failure     *failureRecord `json:"failure,omitempty"`
	Mark        uint64         `json:"mark,omitempty"` // the Cache that fetches though nobody gave the lock back
}

// A failureRecord is word of a failure. It holds nothing of its error but what that has put into its Record.
type failureRecord struct {
	By         uint64 `json:"by"` // the Cache that failed
	At         int64  `json:"at"`
	Row        int    `json:"row"`
	RetryAfter int64  `json:"retry_after,omitempty"` // in milliseconds
	Permanent  bool   `json:"permanent,omitempty"`
	Shared     bool   `json:"shared,omitempty"`
	Record     string `json:"record,omitempty"`
}

// FailedElsewhere is the error of a Token when another process, which shares the Store, has asked and failed: nobody
// else asks until that has cooled down.
type FailedElsewhere struct {
	Cause  CoolDown
	At     time.Time // when the other process failed
	Record string    // that of the other's error, if it is a Recorder; nobody has looked at what it says
}

// A Recorder is an error of a [Fetch] that has something to say to the other processes of a fleet: Record goes into the
// Store and comes out in their [FailedElsewhere]. It holds no secret and no text of a server, and at most 1 KiB. It is
// found with errors.As.
type Recorder interface {
	error
	Record() string
}

func (e *FailedElsewhere) Error() string {
	return "another process that shares the token store asked for a token, and failed"
}

// CoolDown returns that of the other's error.
func (e *FailedElsewhere) CoolDown() CoolDown { return e.Cause }

// writeRecord returns a record of s and f, each of which may be nil, and for how long it is worth keeping.
func (c *Cache) writeRecord(s *snapshot, f *backoff, now time.Time) (data []byte, ttl time.Duration, err error) {
	at := c.at(now)
	r := record{Version: recordVersion, Written: now.UnixMilli()}
	if s != nil {
		ttl = at.until(s.expiry)
		r.AccessToken, r.TokenType, r.ExpiresIn = s.token.AccessToken, s.token.TokenType, s.token.ExpiresIn
		r.Refresh = r.Written + at.until(s.turnsStale()).Milliseconds()
		r.Expiry = r.Written + ttl.Milliseconds()
		r.Life = max(s.life.Milliseconds(), ttl.Milliseconds())
		r.Extra = extra(s.token)
		if !legal(&r) {
			return nil, 0, errors.New("cache: a token that no server could have answered is not stored")
		}
	}
	if f != nil {
		ttl = max(ttl, at.until(f.until(s, at))+failureLife)
		r.Failure = &failureRecord{
			By: c.id, At: f.origin, Row: f.row,
			RetryAfter: f.said.RetryAfter.Milliseconds(), Permanent: f.said.Permanent, Shared: f.said.Shared,
			Record: recordOf(f.err),
		}
	}
	data, err = json.Marshal(r)
	if err != nil { // Its text may quote a value.
		return nil, 0, errors.New("cache: the token has an extra field that cannot be stored")
	}
	if len(data) > maxRecord {
		return nil, 0, fmt.Errorf("cache: a token with its extra fields is larger than %d bytes and is not stored", maxRecord)
	}
	return data, ttl, nil
}

// writeMark returns a record of neither.
func (c *Cache) writeMark(now time.Time) ([]byte, error) {
	return json.Marshal(record{Version: recordVersion, Written: now.UnixMilli(), Mark: c.id})
}

func recordOf(err error) string {
	r, ok := errors.AsType[Recorder](err)
	if !ok {
		return ""
	}
	if text := r.Record(); len(text) <= maxRecorded {
		return text
	}
	return ""
}

// A reading is what a record says to this process.
type reading struct {
	token  *snapshot // nil: none that lives
	failed *backoff  // nil: none
	marked time.Time // until then another process fetches
	sent   int64     // when the token was asked for, by the clock of the host that wrote it (ns)
}

// readRecord judges a record by this host's clock, and by the rules for what a server answers. Where the writer's clock
// is ahead, so that the record seems to come from the future, the life that was left when it was written counts, so
// that a token is not believed to live longer than it can.
func (c *Cache) readRecord(data []byte, now time.Time, sealed bool) (reading, error) {
	var r record
	if len(data) > maxRecord || json.Unmarshal(data, &r) != nil || r.Version != recordVersion || !legal(&r) {
		return reading{}, errRecord
	}
	found := reading{sent: (r.Expiry - r.Life) * int64(time.Millisecond)}
	if f := r.Failure; f != nil {
		found.failed = c.readFailure(f, now)
	}
	if r.AccessToken != "" {
		found.token = c.readToken(&r, now, sealed)
	}
	if age := now.Sub(time.UnixMilli(r.Written)); r.Mark != 0 && r.Mark != c.id && age >= 0 {
		found.marked = now.Add(c.lockTTL() - age)
	}
	if found.token == nil && found.failed == nil && found.marked.IsZero() {
		return reading{}, fmt.Errorf("cache: nothing that counts any more: %w", ErrMiss)
	}
	return found, nil
}

func (c *Cache) readToken(r *record, now time.Time, sealed bool) *snapshot {
	left := min(time.UnixMilli(r.Expiry).Sub(now), time.Duration(r.Expiry-r.Written)*time.Millisecond)
	life := time.Duration(r.Life) * time.Millisecond
	ahead := time.Duration(r.Expiry-r.Refresh) * time.Millisecond
	if left <= 0 {
		return nil
	}
	if !sealed && left > unsealedLife {
		left, life, ahead = unsealedLife, unsealedLife, 0
	}
	tok := &oauth2.Token{
		AccessToken: r.AccessToken,
		TokenType:   r.TokenType,
		ExpiresIn:   r.ExpiresIn,
		Expiry:      now.Add(left),
	}
	if r.Extra != nil {
		tok = tok.WithExtra(r.Extra)
	}
	s := &snapshot{token: tok, expiry: c.at(tok.Expiry), life: life}
	s.margin = min(c.opt.ExpiryMargin, life/10)
	switch {
	case c.opt.RefreshAt == 1:
		ahead = 0
	case ahead <= s.margin: // It would have everybody wait in the margin.
		ahead = life - c.refreshAfter(life, rand.Float64())
	}
	s.ahead = max(s.margin, ahead)
	return s
}

func (c *Cache) readFailure(f *failureRecord, now time.Time) *backoff {
	said := CoolDown{
		RetryAfter: time.Duration(f.RetryAfter) * time.Millisecond, Permanent: f.Permanent, Shared: f.Shared,
	}
	age := max(0, now.Sub(time.UnixMilli(f.At)))
	if age > maxRetryAfter || f.By == c.id {
		return nil
	}
	at := now.Add(-age)
	err := &FailedElsewhere{Cause: said, At: at, Record: f.Record}
	found := (*backoff)(nil).after(newFailure(err), c.at(at), rand.Float64())
	found.row, found.origin = f.Row, f.At
	found.probedAt.Store(c.at(now).mono)
	return found
}

// legal reports whether a record can have come about by what this package does with what a server may answer.
func legal(r *record) bool {
	const most = int64(maxLifetime / time.Millisecond)
	if f := r.Failure; f != nil {
		if f.Row < 1 || f.Row > 1<<30 || f.RetryAfter < 0 || f.RetryAfter > most || f.At < 0 || f.At > 1<<52 ||
			len(f.Record) > maxRecorded {
			return false
		}
	}
	if r.Written < 0 || r.Written > 1<<52 {
		return false
	}
	if r.AccessToken == "" {
		return r.Expiry == 0 && r.Extra == nil
	}
	for i := range len(r.AccessToken) { // RFC 6749, appendix A.12
		if c := r.AccessToken[i]; c < ' ' || c > '~' {
			return false
		}
	}
	switch strings.ToLower(r.TokenType) {
	case "", "bearer", "dpop":
	default:
		return false
	}
	for _, name := range [...]string{"access_token", "refresh_token", "id_token"} {
		delete(r.Extra, name)
	}
	return len(r.Extra) <= maxExtras && r.ExpiresIn >= 0 &&
		r.Life > 0 && r.Life <= most && // before the difference, which could overflow
		r.Expiry >= r.Written && r.Expiry-r.Written <= r.Life &&
		r.Refresh <= r.Expiry && r.Refresh >= r.Expiry-r.Life
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

// extra returns the extra fields of a token. x/oauth2 tells their values by name but not their names; it keeps them in
// a map.
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
