package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// A demo is what happens to the fleet, step by step.
type demo struct {
	servers *servers
	fleet   *fleet
	redis   *redisServer // nil: not ours to kill
	size    int
	start   time.Time
}

// A step does something and says what came of it. The token requests that it
// cost are counted beside it.
type step struct {
	title string
	do    func(context.Context) (string, error)
}

// run takes the steps and prints the line of sums. Its error is the steps', or
// that calls failed.
func (d demo) run(ctx context.Context) error {
	steps := []step{
		{fmt.Sprintf("%d processes start at once", d.size), d.cold},
		{"two token lives go by", d.lives},
		{"a quarter is killed, and replaced", d.restart},
		{"the one that asks for a token is killed", d.holder},
		{"the token is revoked", d.revoked},
	}
	if d.redis != nil {
		steps = append(steps, step{"Redis is killed", d.storeless}, step{"Redis is back, empty", d.storeBack})
	}
	fmt.Printf("%5s  %-40s %14s\n", "", "", "token requests")
	var err error
	for _, s := range steps {
		if err = d.take(ctx, s); err != nil {
			err = fmt.Errorf("%s: %w", s.title, err)
			break
		}
	}
	slowest, stopErr := d.fleet.stop()
	failed := d.fleet.failed()
	for _, f := range failed {
		fmt.Fprintln(os.Stderr, "sharedcache: a call failed:", f)
	}
	fmt.Printf("%5.1fs  all end; the slowest call took %v\n", time.Since(d.start).Seconds(), ms(slowest))
	fmt.Printf("calls=%d token_requests=%d failed=%d\n",
		d.servers.answered()+len(failed), d.servers.requests(), len(failed))
	if len(failed) > 0 {
		err = errors.Join(err, fmt.Errorf("%d calls failed", len(failed)))
	}
	return errors.Join(err, stopErr)
}

func (d demo) take(ctx context.Context, s step) error {
	began, before := time.Since(d.start).Seconds(), d.servers.requests()
	came, err := s.do(ctx)
	if err == nil {
		fmt.Printf("%5.1fs  %-40s %14d   %s\n", began, s.title, d.servers.requests()-before, came)
	}
	return err
}

// cold starts the fleet.
func (d demo) cold(context.Context) (string, error) {
	d.servers.auth.SetDelay(200 * time.Millisecond)
	if err := d.fleet.start(d.size); err != nil {
		return "", err
	}
	start := time.Now()
	err := d.fleet.served()
	return fmt.Sprintf("each was served within %v; the token took 200ms", ms(time.Since(start))), err
}

// lives waits until two more tokens have come.
func (d demo) lives(ctx context.Context) (string, error) {
	calls, before := d.servers.answered(), d.servers.tokens()
	err := until(ctx, func() bool { return d.servers.tokens() == before+2 })
	return fmt.Sprintf("one each, for %d calls", d.servers.answered()-calls), err
}

// restart kills some, and starts others, which find the token in the store.
func (d demo) restart(ctx context.Context) (string, error) {
	n := max(1, d.size/4)
	for range n {
		if err := d.fleet.kill(d.fleet.members[0].id); err != nil {
			return "", err
		}
	}
	if err := d.fleet.start(n); err != nil {
		return "", err
	}
	start := time.Now()
	err := d.fleet.served()
	return fmt.Sprintf("%d killed; %d new ones were served within %v", n, n, ms(time.Since(start))), err
}

// holder kills the process that is just asking for a token. The others have
// the lock back when it dies, from files, or when its time is over, from Redis.
func (d demo) holder(ctx context.Context) (string, error) {
	d.servers.auth.SetDelay(400 * time.Millisecond)
	defer d.servers.auth.SetDelay(200 * time.Millisecond)
	requests, tokens := d.servers.requests(), d.servers.tokens()
	id, err := d.servers.asking(ctx, requests)
	if err != nil {
		return "", err
	}
	if err := d.fleet.kill(id); err != nil {
		return "", err
	}
	start := time.Now()
	next, err := d.servers.asking(ctx, requests+1)
	if err != nil {
		return "", err
	}
	took := time.Since(start)
	if err := until(ctx, func() bool { return d.servers.tokens() > tokens }); err != nil {
		return "", err
	}
	return fmt.Sprintf("process %d; %d asked instead, %v later", id, next, ms(took)), d.fleet.start(1)
}

// revoked has the server take the token back, once all have the same: the API's
// 401 has to do.
func (d demo) revoked(ctx context.Context) (string, error) {
	if err := pause(ctx, lifetime/5); err != nil {
		return "", err
	}
	rejected, before := d.servers.auth.Stats().ResourceRejected, d.servers.tokens()
	d.servers.auth.RevokeAll()
	err := until(ctx, func() bool { return d.servers.tokens() > before })
	calls := d.servers.answered()
	if err == nil { // all have the new token by then
		err = until(ctx, func() bool { return d.servers.answered() >= calls+5*d.size })
	}
	return fmt.Sprintf("%d calls met a 401, and were repeated", d.servers.auth.Stats().ResourceRejected-rejected), err
}

// refreshed is the time in which each process refreshes its token once.
const refreshed = lifetime * 85 / 100

// storeless takes the store away until all have had to do without it.
func (d demo) storeless(ctx context.Context) (string, error) {
	d.redis.kill()
	err := pause(ctx, refreshed)
	return "in a token life: at most one for each process", errors.Join(err, d.redis.start())
}

// storeBack gives the processes a token life to find out, and counts in the
// next.
func (d demo) storeBack(ctx context.Context) (string, error) {
	if err := pause(ctx, refreshed); err != nil {
		return "", err
	}
	before := d.servers.requests()
	err := pause(ctx, refreshed)
	return fmt.Sprintf("in two token lives; in the second %d", d.servers.requests()-before), err
}

func ms(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
