package filecache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// open opens the directory for one call, and makes it if it has gone: what keeps no descriptor survives a cleaner of
// caches. The check is of the directory that was opened, whatever its path leads to by now.
func (s *Store) open(ctx context.Context) (*os.Root, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("filecache: %w", err)
	}
	if s.dir == "" {
		return nil, errZeroStore
	}
	root, err := os.OpenRoot(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(s.dir, 0o700); err == nil {
			root, err = os.OpenRoot(s.dir)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("filecache: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil {
		err = checkDir(s.dir, info)
	}
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("filecache: %w", err)
	}
	return root, nil
}

const (
	guardName = "guard"

	// A guarded step takes well under a millisecond. Who waits this long waits for a process that was suspended in the
	// middle of one, unless the machine is beyond help.
	guardPatience = 10 * time.Second

	guardPollMin = time.Millisecond // doubling to
	guardPollMax = 16 * time.Millisecond
)

// guarded runs step while no other step is running, in this process or any other. The guard is one for all keys, and
// its file is never removed, so that all lock the same file. The operating system releases it when a process dies.
func (s *Store) guarded(ctx context.Context, step func() error) (err error) {
	guard := s.flockOf(guardName, os.O_CREATE|os.O_RDWR)
	if err := lockGuard(ctx, guard); err != nil {
		return fmt.Errorf("filecache: %w", err)
	}
	defer func() {
		if unlockErr := guard.Unlock(); err == nil && unlockErr != nil {
			err = fmt.Errorf("filecache: %w", unlockErr)
		}
	}()
	if err := step(); err != nil {
		return fmt.Errorf("filecache: %w", err)
	}
	return nil
}

// lockGuard polls, since a blocking flock would not heed ctx; with jitter, so that of many who wait nobody is always
// late.
func lockGuard(ctx context.Context, guard *flock.Flock) error {
	began := time.Now()
	for pause := guardPollMin; ; pause = min(2*pause, guardPollMax) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("waiting for %s: %w", guard.Path(), err)
		}
		if ok, err := guard.TryLock(); ok || err != nil {
			return err
		}
		if time.Since(began) > guardPatience {
			return fmt.Errorf("%s has been locked for %v: is a process that uses it suspended?", guard.Path(), guardPatience)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}
