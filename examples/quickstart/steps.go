package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

// A demo has a method for each step. It says what came of it; an error means
// that it was not as it should be.
type demo struct {
	servers *servers
	client  *ccclient.Client
	api     *caller
}

// oneRequest gets a token, and spends it.
func (d demo) oneRequest(ctx context.Context) (string, error) {
	took := d.api.call(ctx)
	return fmt.Sprintf("answered in %v, token request included", ms(took)), exactlyOne(d.servers.tokenRequests())
}

// aThousandAtOnce lets a thousand callers need the same token at the same
// time, which the server takes a while to give.
func (d demo) aThousandAtOnce(ctx context.Context) (string, error) {
	d.servers.auth.SetDelay(200 * time.Millisecond)
	defer d.servers.auth.SetDelay(0)
	before := d.servers.tokenRequests()

	// For gives a client for other scopes, with a token of its own.
	writer := d.client.For(ccclient.Target{Scopes: []string{"write"}})
	slowest := d.api.with(writer.HTTPClient()).atOnce(ctx, 1000)

	return fmt.Sprintf("1000 calls shared one token request; the last had its answer after %v", ms(slowest)),
		exactlyOne(d.servers.tokenRequests() - before)
}

// refreshedAhead calls until the token has been replaced. The server takes its
// time over that, but the calls go on with the old token.
func (d demo) refreshedAhead(ctx context.Context) (string, error) {
	d.servers.auth.SetDelay(300 * time.Millisecond)
	defer d.servers.auth.SetDelay(0)

	calls, slowest, err := d.api.until(ctx, d.tokenChanges(ctx))

	return fmt.Sprintf("the new token took 300ms, the slowest of %d calls meanwhile %v", calls, ms(slowest)), err
}

// revoked has the server take the token back. Nobody tells the client: the
// API's 401 has to do.
func (d demo) revoked(ctx context.Context) (string, error) {
	before, rejected := d.servers.tokenRequests(), d.servers.rejected()
	d.servers.auth.RevokeAll()

	d.api.atOnce(ctx, 100)

	return fmt.Sprintf("100 calls met %d answers of 401 and saw none: repeated, with one new token", d.servers.rejected()-rejected),
		exactlyOne(d.servers.tokenRequests() - before)
}

// outage takes the token server down until two refreshes have failed, and goes
// on until one has succeeded.
func (d demo) outage(ctx context.Context) (string, error) {
	before, start := d.servers.tokenRequests(), time.Now()
	renewed := d.tokenChanges(ctx)
	d.servers.auth.SetDown(http.StatusServiceUnavailable)
	during, slow, err := d.api.until(ctx, func() bool { return d.servers.tokenRequests() >= before+2 })
	d.servers.auth.SetDown(0)
	if err != nil {
		return "", err
	}
	down := time.Since(start)
	after, slower, err := d.api.until(ctx, renewed)

	return fmt.Sprintf("for %v; %d calls went on with the living token, the slowest took %v", ms(down), during+after, ms(max(slow, slower))), err
}

// tokenChanges tells whether the client has another token than now.
func (d demo) tokenChanges(ctx context.Context) func() bool {
	now, err := d.client.Token(ctx)
	return func() bool {
		next, err2 := d.client.Token(ctx)
		return err == nil && err2 == nil && next.AccessToken != now.AccessToken
	}
}

func exactlyOne(tokenRequests int) error {
	if tokenRequests != 1 {
		return fmt.Errorf("%d token requests instead of one", tokenRequests)
	}
	return nil
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
