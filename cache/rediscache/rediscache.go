// Package rediscache keeps tokens in Redis or Valkey, where a fleet shares them and makes one token request together.
//
// Wrap the store with cache.Seal: then neither Redis, nor its replicas, dumps and monitors, see a token.
//
// # Client
//
// Any client that go-redis makes will do: single, sentinel, cluster, ring, with TLS and as an ACL user. It stays the
// caller's, to share and to close. A cache.Cache gives up on a call that takes 500 ms, and then leaves the store alone
// for a while, so the client should not try for longer than that:
//
//	redis.UniversalOptions{
//		DialTimeout:           500 * time.Millisecond,
//		ReadTimeout:           500 * time.Millisecond,
//		WriteTimeout:          500 * time.Millisecond,
//		MaxRetries:            1,
//		ContextTimeoutEnabled: true,
//	}
//
// Every call returns when its context ends, whatever the options. What it leaves behind then, a goroutine that waits on
// a connection of the client's pool, ends when the client's own timeouts run out; with ContextTimeoutEnabled, at the
// context's deadline.
//
// Reads should go to masters, as they do by default: a replica that lags shows a token that has been replaced.
//
// # Permissions
//
// The keys are PREFIX data: KEY and PREFIX lock: KEY, written together and without spaces. An ACL user needs no more
// than
//
//	ACL SETUSER tokens on >PASSWORD ~ccclient:* -@all +get +set +del +eval +evalsha +hello
//
// and in a cluster also
//
//	+cluster|slots +command
//
// # Locks
//
// A lock is a key that SET NX PX makes, with a random value that names its owner, and that only its owner deletes.
// Redis replicates behind its answers, so a failover can lose a lock that was just taken, and then two have it: that
// costs one more token request, and nothing else.
//
// # What is stable
//
// The exported API and the names of keys. What is in a value is the business of package cache.
package rediscache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccclient/go-ccclient/cache"
)

// Options say how a Store uses Redis. The zero value is good.
type Options struct {
	// Prefix begins every key. Stores with different prefixes share nothing. Default "ccclient:".
	Prefix string
}

const defaultPrefix = "ccclient:"

// A Store is a cache.Store and a cache.Locker in Redis. New makes it; every call of a zero Store is an error.
type Store struct {
	client redis.UniversalClient
	prefix string
}

var (
	_ cache.Store  = (*Store)(nil)
	_ cache.Locker = (*Store)(nil)

	errNoClient = errors.New("rediscache: no client: a Store is made by rediscache.New, with one")
	errTTL      = errors.New("rediscache: ttl must be positive")
)

// New returns the store that c leads to. It does no I/O. Without a client, every call is an error.
func New(c redis.UniversalClient, o Options) *Store {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	return &Store{client: c, prefix: o.Prefix}
}

func (s *Store) dataKey(key string) string { return s.prefix + "data:" + key }
func (s *Store) lockKey(key string) string { return s.prefix + "lock:" + key }

// Get returns what was last Put under key, by whomever.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	data, err := await(ctx, s, func() ([]byte, error) {
		return s.client.Get(ctx, s.dataKey(key)).Bytes()
	}, nil)
	if errors.Is(err, redis.Nil) {
		return nil, cache.ErrMiss
	}
	return data, err
}

// Put replaces what lies under key. A ttl is rounded up to whole milliseconds.
func (s *Store) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return errTTL
	}
	data = slices.Clone(data) // the client may still write when ctx has ended
	_, err := await(ctx, s, func() (string, error) {
		return s.client.Set(ctx, s.dataKey(key), data, wholeMillis(ttl)).Result()
	}, nil)
	return err
}

// Delete removes what lies under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := await(ctx, s, func() (int64, error) {
		return s.client.Del(ctx, s.dataKey(key)).Result()
	}, nil)
	return err
}

// lockScript is SET NX PX that can be sent twice: when the answer to the first is lost and the client tries again, the
// lock is already there, and it is the caller's.
var lockScript = redis.NewScript(`
if redis.call("SET", KEYS[1], ARGV[1], "NX", "PX", ARGV[2]) then return 1 end
if redis.call("GET", KEYS[1]) == ARGV[1] then return 1 end
return 0`)

// unlockScript deletes the lock if it is still the caller's.
var unlockScript = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0`)

// undoTimeout bounds the attempt to give back a lock that nobody waits for.
const undoTimeout = 2 * time.Second

// TryLock takes the lock of key, in all of the fleet, for at most ttl, which is rounded up to whole milliseconds.
func (s *Store) TryLock(
	ctx context.Context, key string, ttl time.Duration,
) (unlock func(context.Context) error, ok bool, err error) {
	if ttl <= 0 {
		return nil, false, errTTL
	}
	owner := rand.Text()
	run := func(ctx context.Context, script *redis.Script, args ...any) (bool, error) {
		return script.Run(ctx, s.client, []string{s.lockKey(key)}, args...).Bool()
	}
	ok, err = await(ctx, s, func() (bool, error) {
		return run(ctx, lockScript, owner, wholeMillis(ttl).Milliseconds())
	}, func() {
		// Redis may have lent the lock to a caller that has gone, or whose answer was lost: the others need not wait
		// for its ttl.
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
		run(undo, unlockScript, owner)
	})
	if !ok || err != nil {
		return nil, false, err
	}
	var unlocked atomic.Bool
	return func(ctx context.Context) error {
		if unlocked.Load() {
			return nil
		}
		_, err := await(ctx, s, func() (bool, error) { return run(ctx, unlockScript, owner) }, nil)
		if err == nil {
			unlocked.Store(true)
		}
		return err
	}, true, nil
}

// await runs op, which talks to Redis, until ctx ends: go-redis looks at a context between its steps, but not while it
// waits for an answer. If op fails, or ends with nobody waiting for it any more, undo is called after it.
func await[T any](ctx context.Context, s *Store, op func() (T, error), undo func()) (T, error) {
	var zero T
	if s.client == nil {
		return zero, errNoClient
	}
	if err := ctx.Err(); err != nil {
		return zero, fmt.Errorf("rediscache: %w", err)
	}
	type result struct {
		value T
		err   error
	}
	done := make(chan result) // unbuffered: received, or known not to be
	// The goroutine has no owner that waits for it when ctx has ended; the client's timeouts end it then.
	go func() {
		value, err := op()
		select {
		case done <- result{value, err}:
			if err == nil {
				return
			}
		case <-ctx.Done():
		}
		if undo != nil {
			undo()
		}
	}()
	select {
	case r := <-done:
		return r.value, describe(r.err)
	case <-ctx.Done():
		return zero, fmt.Errorf("rediscache: %w", ctx.Err())
	}
}

// describe wraps what go-redis says. A server quotes the arguments of a command that it does not know, the data among
// them, so that part goes.
func describe(err error) error {
	if err == nil {
		return nil
	}
	if text, _, quoted := strings.Cut(err.Error(), "with args beginning with"); quoted {
		return errors.New("rediscache: " + strings.TrimRight(text, ", "))
	}
	return fmt.Errorf("rediscache: %w", err)
}

func wholeMillis(ttl time.Duration) time.Duration {
	if rest := ttl % time.Millisecond; rest > 0 {
		return ttl - rest + time.Millisecond
	}
	return ttl
}
