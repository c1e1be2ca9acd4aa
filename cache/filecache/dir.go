package filecache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"
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
	if err == nil {
		err = s.checkSame(root, info)
	}
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("filecache: %w", err)
	}
	return root, nil
}

// checkSame refuses a directory that is neither the one that was opened before nor one of this package: whoever owns a
// directory above could put another one of this user's in its place, for files to be made there.
func (s *Store) checkSame(root *os.Root, info fs.FileInfo) error {
	if known := s.known.Load(); known == nil || os.SameFile(*known, info) {
		s.known.CompareAndSwap(nil, &info)
		return nil
	}
	if _, err := root.Lstat(guardName); errors.Is(err, fs.ErrNotExist) {
		dir, err := root.Open(".")
		if err != nil {
			return err
		}
		defer dir.Close()
		if names, err := dir.Readdirnames(1); len(names) > 0 || err != io.EOF {
			return fmt.Errorf("directory %s is not the one that it was, and holds what this package has not put there", s.dir)
		}
	}
	s.known.Store(&info)
	return nil
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
func (s *Store) guarded(ctx context.Context, root *os.Root, step func() error) error {
	guard, err := openLock(root, guardName, true)
	if err != nil {
		return fmt.Errorf("filecache: %w", err)
	}
	defer guard.close()
	if err := s.lockGuard(ctx, guard); err != nil {
		return fmt.Errorf("filecache: %w", err)
	}
	if err := step(); err != nil {
		return fmt.Errorf("filecache: %w", err)
	}
	return nil
}

// lockGuard polls, since a blocking flock would not heed ctx; with jitter, so that of many who wait nobody is always
// late.
func (s *Store) lockGuard(ctx context.Context, guard *lockFile) error {
	began := time.Now()
	for pause := guardPollMin; ; pause = min(2*pause, guardPollMax) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("waiting for %s: %w", guard.path(s), err)
		}
		if ok, err := guard.tryLock(); ok || err != nil {
			return err
		}
		if time.Since(began) > guardPatience {
			return fmt.Errorf("%s has been locked for %v: is a process that uses it suspended?", guard.path(s), guardPatience)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}
