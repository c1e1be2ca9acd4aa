package filecache

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// How a lock is lent, so that it frees itself both when its holder dies and when its holder hangs:
//
// The lease, HASH.lock, says until when, and names the holder's own file, HASH.RANDOM.held, which the holder keeps
// locked with flock. A key is locked while the lease has not expired AND the holder's file is locked. So the death of a
// holder frees the key at once, since the operating system drops its flock; and a holder that is suspended loses it
// when its time is up, since its flock then counts no more.
//
// Leases are read and changed under the guard only, so of two that see a key free, one is first, and the other sees the
// first one's lease. The names of holders' files are never used twice and nobody locks another's but to look, under the
// guard; so a former owner's flock stands in nobody's way, and "the lease names my file" is what ownership means when
// unlocking.

// TryLock takes the lock of key, for this process alone, for at most ttl. It is released early when the process dies.
// It waits at most for another process that is just changing something in the directory.
func (s *Store) TryLock(
	ctx context.Context, key string, ttl time.Duration,
) (unlock func(context.Context) error, ok bool, err error) {
	if ttl <= 0 {
		return nil, false, errTTL
	}
	root, err := s.open(ctx)
	if err != nil {
		return nil, false, err
	}
	defer root.Close()

	lease := fileName(key) + suffixLease
	var held *lockFile
	err = s.guarded(ctx, root, func() error {
		if s.leased(root, lease) {
			return nil
		}
		holder := fileName(key) + "." + rand.Text() + suffixHeld
		own, err := openLock(root, holder, true)
		if err != nil {
			return err
		}
		if ok, err := own.tryLock(); err != nil || !ok {
			own.close()
			return errors.Join(err, errors.New("the file system lends no locks"), root.Remove(holder))
		}
		// Not atomic, since only a death could leave a part of it, and a lease that cannot be read is one whose holder
		// is dead.
		if err := root.WriteFile(lease, encodeRecord([]byte(holder), time.Now().Add(ttl)), 0o600); err != nil {
			own.close()
			return errors.Join(err, root.Remove(holder))
		}
		held = own
		return nil
	})
	if err != nil || held == nil {
		return nil, false, err
	}
	// The timer also keeps the file reachable: for a caller that drops unlock, the garbage collector would close it,
	// and so free the lock.
	expiry := time.AfterFunc(ttl, held.close)
	var unlocked atomic.Bool
	return func(ctx context.Context) error {
		if unlocked.Swap(true) {
			return nil
		}
		expiry.Stop()
		return s.unlock(ctx, lease, held)
	}, true, nil
}

// unlock gives up the flock before all else, which frees the key even if what follows, the removal of the files, cannot
// be done.
func (s *Store) unlock(ctx context.Context, lease string, held *lockFile) error {
	held.close()
	root, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	return s.guarded(ctx, root, func() error {
		own := held.name
		if holder, _ := readLease(root, lease); holder == own {
			if err := root.Remove(lease); err != nil {
				return err
			}
		}
		if err := root.Remove(own); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// leased reports whether a living process holds a lease that has not expired. It is called under the guard.
func (s *Store) leased(root *os.Root, lease string) bool {
	holder, expires := readLease(root, lease)
	return holder != "" && time.Now().Before(expires) && alive(root, holder)
}

// readLease returns the name of the holder's file, empty if there is no lease.
func readLease(root *os.Root, lease string) (holder string, expires time.Time) {
	file, err := root.ReadFile(lease)
	if err != nil {
		return "", time.Time{}
	}
	data, expires, err := parseRecord(file)
	if err != nil {
		return "", time.Time{}
	}
	holder = string(data)
	if hash := strings.TrimSuffix(lease, suffixLease); kindOf(holder) != suffixHeld ||
		!strings.HasPrefix(holder, hash) {
		return "", time.Time{}
	}
	return holder, expires
}

// alive reports whether some process has the holder's file locked. It is called under the guard, since it takes the
// lock to see.
func alive(root *os.Root, holder string) bool {
	f, err := openLock(root, holder, false)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.close()
	free, err := f.tryLock()
	return !free || err != nil
}
