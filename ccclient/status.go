package ccclient

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/internal/backoff"
)

// A State says how a token is.
type State string

const (
	StateNone     State = "none"     // there is no token that lives
	StateFresh    State = "fresh"    // it is handed out
	StateStale    State = "stale"    // it is handed out; its replacement is due, or being fetched
	StateExpiring State = "expiring" // within Config.Cache.ExpiryMargin of its expiry: callers wait for the next one
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
	FailedAt  time.Time `json:"failed_at,omitzero"`   // when the last token request failed
	InARow    int       `json:"in_a_row,omitempty"`   // how many have failed, one after the other
	Shared    bool      `json:"shared,omitempty"`     // the failure is about all tokens of the client

	Counts Counts `json:"counts"`
}

// Counts are those of one token since its client was made.
type Counts struct {
	Memory   uint64 `json:"memory"`   // tokens served from memory; counted only with a Config.Trace
	Flight   uint64 `json:"flight"`   // from a request or a look into the Store that another caller had begun
	Store    uint64 `json:"store"`    // from the Store
	Server   uint64 `json:"server"`   // from a token request
	Requests uint64 `json:"requests"` // token requests, each with all its attempts
	Failures uint64 `json:"failures"` // those of them that brought no token
	Rejected uint64 `json:"rejected"` // calls of Invalidate: tokens that a resource rejected
}

// Status returns what each token of c is doing: its own first, then those of the clients that [Client.For] made and
// that are remembered, ordered by label, audience, scopes and resources. Of a client that For made it is that one's
// alone. It makes no request and disturbs nobody: it is for pages and metrics, see package ccstatus.
func (c *Client) Status() []TokenStatus {
	if !c.made() {
		return nil
	}
	return []TokenStatus{c.status()}
}

// status returns what c's own token is doing.
func (c *Client) status() TokenStatus {
	r := c.registered()
	t := c.goal()
	return TokenStatus{
		ClientID: r.clientID, Server: r.server, Label: t.Label,
		Scopes: slices.Clone(t.Scopes), Audience: t.Audience, Resources: slices.Clone(t.Resources),
		Params: slices.Sorted(maps.Keys(t.EndpointParams)),
		State:  StateNone,
	}
}

// Ready reports, as a nil error, that a token lives, and makes no request then; or that one could be had before ctx
// ended. It is for readiness probes: ctx bounds how long one may take, and a request that it begins goes on when ctx
// has ended.
//
// Otherwise the error says which server has not answered, since when, and how the last attempt failed. Its type is that
// of [Client.Token]'s.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.Token(ctx)
	return err
}

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
		e, ok := err.(*Error)
		if !ok || !e.Temporary() {
			return err
		}
		if !backoff.Sleep(ctx, waitPace) {
			return fmt.Errorf("ccclient: gave up waiting: %w; the last failure: %s", ctx.Err(),
				strings.TrimPrefix(e.Error(), errorPrefix))
		}
	}
}

// waitPace is how often Wait looks whether there is a token: a look while something cools down costs nobody anything.
const waitPace = time.Second
