package filecache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// open opens the directory for one call, and makes it if it has gone: what
// keeps no descriptor survives a cleaner of caches. The check is of the
// directory that was opened, whatever its path leads to by now.
func (s *Store) open(ctx context.Context) (*os.Root, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("filecache: %w", err)
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

	// A guarded step takes well under a millisecond. Who waits this long
	// waits for a process that was suspended in the middle of one.
	guardPatience = time.Second
	guardPoll     = time.Millisecond
)

// guarded runs step while no other step is running, in this process or any
// other. The guard is one for all keys, and its file is never removed, so that
// all lock the same file. The operating system releases it when a process dies.
func (s *Store) guarded(ctx context.Context, step func() error) (err error) {
	wait, cancel := context.WithTimeout(ctx, guardPatience)
	defer cancel()
	guard := flock.New(filepath.Join(s.dir, guardName), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := guard.TryLockContext(wait, guardPoll); err != nil {
		if ctx.Err() == nil && wait.Err() != nil {
			return fmt.Errorf("filecache: %s has been locked for %v: is a process that uses it suspended?", guard.Path(), guardPatience)
		}
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
