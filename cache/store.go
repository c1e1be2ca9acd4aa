package cache

import (
	"context"
	"errors"
	"time"
)

// ErrMiss is what a Store's Get returns when it holds nothing under the key. Compare with errors.Is: a Store may wrap
// it.
var ErrMiss = errors.New("cache: miss")

// ErrUnreadable is what a Store's Get returns, wrapped, when it does hold something but cannot make sense of it: a
// record that was sealed with another key (see [Seal]), a damaged file. A Cache warns of it, once, and gets a token
// from the server, which replaces the record. It is an ErrMiss too, for whoever does not care why. Compare with
// errors.Is.
var ErrUnreadable error = unreadable{}

type unreadable struct{}

func (unreadable) Error() string        { return "cache: unreadable record" }
func (unreadable) Is(target error) bool { return target == ErrMiss }

// A Store is a second level behind a Cache's own memory: it outlives the process, or is shared by several. It keeps
// opaque bytes; a Cache writes records into it that hold tokens, so wrap it with Seal unless what lies behind it may
// read them.
//
// Keys are short, printable, hold no secret, and are safe to log. A Store must be safe for concurrent use, must not
// keep or modify data after Put has returned, and must not modify what it returned from Get afterwards.
//
// Package storetest checks an implementation.
type Store interface {
	// Get returns what was last Put under key, or an error that is ErrMiss if there is nothing, or if it has outlived
	// its ttl; one that is ErrUnreadable if the Store works, but not what it holds; and any other if the Store does
	// not work: a Cache leaves it alone then, for a while.
	Get(ctx context.Context, key string) ([]byte, error)

	// Put replaces what lies under key, for ttl. It is all or nothing: a reader sees the old data or the new, never a
	// part. A ttl of zero or less is an error.
	Put(ctx context.Context, key string, data []byte, ttl time.Duration) error

	// Delete removes what lies under key; nothing there is no error.
	Delete(ctx context.Context, key string) error
}

// A Locker is a Store that several processes share and that can lend one of them the right to fetch: a fleet then makes
// one token request.
type Locker interface {
	// TryLock takes the lock of key for at most ttl, without waiting. ok is false, with a nil error, while somebody
	// else holds it. unlock gives it back; after the lock has been lost (its ttl ran out, and perhaps somebody else
	// took it) unlock leaves the new owner's lock alone and returns nil or an error. Locks and data do not share a name
	// space: a locked key can be read and written by anyone.
	TryLock(ctx context.Context, key string, ttl time.Duration) (unlock func(context.Context) error, ok bool, err error)
}
