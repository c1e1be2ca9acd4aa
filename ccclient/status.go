package ccclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/backoff"
)

// A TokenStatus says what one token is doing. It holds no secret: neither a token nor the values of EndpointParams.
// Times without a meaning at the moment are zero.
type TokenStatus struct {
	ClientID  string   `json:"client_id"`
	Server    string   `json:"server"` // the issuer, or the host of the token endpoint
	Label     string   `json:"label,omitempty"`
	Scopes    []string `json:"scopes,omitempty"`
	Audience  string   `json:"audience,omitempty"`
	Resources []string `json:"resources,omitempty"`
	Params    []string `json:"parameters,omitempty"` // the names of EndpointParams

	State    State     `json:"state"`
	Fetching bool      `json:"fetching"`          // a token request, or a look into the Store, is under way
	Obtained time.Time `json:"obtained,omitzero"` // when the token was asked for: its age counts from here
	Expiry   time.Time `json:"expiry,omitzero"`
	Refresh  time.Time `json:"refresh,omitzero"` // from then on the next caller of Token starts a refresh

	CoolDown  time.Time `json:"cool_down,omitzero"`   // until then the server is left alone
	LastError string    `json:"last_error,omitempty"` // why the last token request failed; empty if it did not
	Temporary bool      `json:"temporary,omitempty"`  // time alone may mend LastError: see Error.Temporary
	InARow    int       `json:"in_a_row,omitempty"`   // how many token requests have failed, one after the other
	Since     time.Time `json:"since,omitzero"`       // when the first of them did
	FailedAt  time.Time `json:"failed_at,omitzero"`   // when the last of them did
	Shared    bool      `json:"shared,omitempty"`     // the failure is about all tokens of the client

	Counts Counts `json:"counts"`
}

// What package cache knows as well.
type (
	State  = cache.State
	Counts = cache.Counts
)

// Status returns what each token of c is doing: its own first, then those of the clients that [Client.For] made and
// that are remembered, ordered by label, audience, scopes and resources. Of a client that For made it is that one's
// alone. It makes no request and disturbs nobody: it is for pages and metrics, see package ccstatus.
func (c *Client) Status() []TokenStatus {
	if !c.made() {
		return nil
	}
	clients := []*Client{c}
	if r := c.registered(); c == r.root {
		derived := slices.DeleteFunc(r.derived.All(), func(d *Client) bool { return d.holder == c.holder })
		slices.SortFunc(derived, func(a, b *Client) int { return a.target.compare(&b.target) })
		clients = append(clients, derived...)
	}
	var t teller
	all := make([]TokenStatus, len(clients))
	for i, c := range clients {
		all[i] = t.status(c)
	}
	return all
}

// compare orders targets for people.
func (t *Target) compare(u *Target) int {
	if n := cmp.Or(strings.Compare(t.Label, u.Label), strings.Compare(t.Audience, u.Audience)); n != 0 {
		return n
	}
	return cmp.Or(slices.Compare(t.Scopes, u.Scopes), slices.Compare(t.Resources, u.Resources))
}

// A teller puts errors into words. Many tokens have the same one.
type teller struct {
	last      error
	text      string
	temporary bool
}

func (t *teller) tell(r *registration, err error) (text string, temporary bool) {
	if err != t.last {
		t.last, t.temporary = err, true
		explained := r.traced(err)
		t.text = strings.TrimPrefix(explained.Error(), errorPrefix)
		if e, ok := errors.AsType[*Error](explained); ok {
			t.temporary = e.Temporary()
		}
	}
	return t.text, t.temporary
}

// status returns what c's own token is doing.
func (t *teller) status(c *Client) TokenStatus {
	r, goal, s := c.registered(), c.goal(), c.holder.Status()
	st := TokenStatus{
		ClientID: r.clientID, Server: r.server, Label: goal.Label,
		Scopes: slices.Clone(goal.Scopes), Audience: goal.Audience, Resources: slices.Clone(goal.Resources),
		State: s.State, Fetching: s.Fetching, Obtained: s.Obtained, Expiry: s.Expiry, Refresh: s.Refresh,
		CoolDown: s.CoolDown, Since: s.Since, FailedAt: s.FailedAt, InARow: s.InARow, Shared: s.Shared,
		Counts: s.Counts,
	}
	if len(goal.EndpointParams) > 0 {
		st.Params = slices.Sorted(maps.Keys(goal.EndpointParams))
	}
	if s.Err != nil {
		st.LastError, st.Temporary = t.tell(r, s.Err)
	}
	return st
}

// Ready reports, as a nil error, that a token lives, and makes no request then; or that one could be had before ctx
// ended. It is for readiness probes: ctx bounds how long one may take, and a request that it begins goes on when ctx
// has ended.
//
// Otherwise the error says since when there has been no token, which server was asked, and how the last attempt failed.
// In it errors.As finds the [*Error], if there is one, and errors.Is finds ErrClosed and ctx's error.
func (c *Client) Ready(ctx context.Context) error {
	if c.kept().Status().State != cache.StateNone {
		return nil
	}
	_, err := c.Token(ctx)
	if err == nil || !c.made() {
		return err
	}
	text := errorPrefix + "not ready"
	if s := c.holder.Status(); s.InARow > 0 {
		text += fmt.Sprintf(": no token since %s, after %d failed requests",
			s.Since.UTC().Format(time.RFC3339), s.InARow)
	}
	return &notReady{err, text + ": " + strings.TrimPrefix(err.Error(), errorPrefix)}
}

// A notReady error is that of a Token with how long this has been so.
type notReady struct {
	error
	text string
}

func (e *notReady) Error() string { return e.text }
func (e *notReady) Unwrap() error { return e.error }

// Wait waits until there is a token, and sits out whatever time may mend: a server that is down, a network that is not
// up yet. It asks no more often than the cool-downs allow. Where time alone cannot help (see [Error.Temporary]) it
// returns the error at once: bad credentials, a secret file that is missing. It is for batch jobs and for start-up;
// without a deadline in ctx it may wait for ever.
//
// Its error is that of [Client.Token]; if ctx has ended, with the last failure in its text.
func (c *Client) Wait(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	for {
		_, err := c.Token(ctx)
		e, ok := errors.AsType[*Error](err)
		if !ok || !e.Temporary() {
			return err
		}
		pause := waitPace
		if left := time.Until(c.holder.Status().CoolDown); left > 0 {
			pause = min(pause, left)
		}
		if !backoff.Sleep(ctx, pause) {
			return fmt.Errorf("ccclient: gave up waiting: %w; the last failure: %s", ctx.Err(),
				strings.TrimPrefix(e.Error(), errorPrefix))
		}
	}
}

// waitPace is how often Wait looks whether there is a token: a look while something cools down costs nobody anything.
const waitPace = time.Second
