// Package filecache keeps tokens in files, so that they outlive the process and are shared by the processes of one
// host: cron jobs, batches, command line tools.
//
// Wrap the store with cache.Seal: the files have mode 0600, but backups and disks are read by others.
//
// A directory holds, for each key, named by the SHA-256 of the key:
//
//	HASH              the record: expiry and data; replaced by rename only
//	HASH.lock         the lease: expiry and name of the holder
//	HASH.RANDOM.held  locked by the operating system while its holder lives
//	HASH.RANDOM.tmp   a record that is being written
//
// and one file, guard, which whoever changes any of the others locks for that moment. The locks are flock(2) on Unix
// and LockFileEx on Windows; they are meant for a local file system, not for NFS.
//
// The operating system cannot be told to give up an operation on a file, so contexts are looked at between the steps;
// on a disk that hangs, so does the caller.
//
// # What is stable
//
// The exported API, and the files: a version that writes others reads these too. Whoever reads them is this package
// alone; what is in a record is the business of package cache.
package filecache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

// A Store is a cache.Store and a cache.Locker in a directory. It holds no file open between calls, but for the locks
// that it lends. New makes it; every call of a zero Store is an error.
type Store struct {
	dir       string                      // absolute, without symbolic links
	known     atomic.Pointer[fs.FileInfo] // of the directory, when it was last opened
	lastSweep atomic.Int64                // Unix seconds
}

var (
	_ cache.Store  = (*Store)(nil)
	_ cache.Locker = (*Store)(nil)

	errTTL       = errors.New("filecache: ttl must be positive")
	errZeroStore = errors.New("filecache: the zero Store has no directory: a Store is made by filecache.New")
)

// New returns the store in dir, which it makes, with mode 0700, if it is not there; it removes what has expired there
// and what killed writers left.
//
// The directory must belong to this user and be writable by nobody else, who could otherwise replace tokens or withhold
// them; New is an error if not, and so is every later call. Windows has no such mode, so there the directory should lie
// in the user's profile.
func New(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("filecache: no directory given")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("filecache: %w", err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("filecache: %w", err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, fmt.Errorf("filecache: %w", err)
	}
	s := &Store{dir: abs}
	root, err := s.open(context.Background())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	s.sweep(context.Background(), root)
	return s, nil
}

// Get returns what was last Put under key, by whichever process.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	root, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := fileName(key)
	file, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cache.ErrMiss
	}
	if err != nil {
		return nil, fmt.Errorf("filecache: %w", err)
	}
	data, expires, err := parseRecord(file)
	if err != nil {
		return nil, fmt.Errorf("filecache: %s: %w: %w", name, err, cache.ErrUnreadable)
	}
	if !time.Now().Before(expires) {
		s.removeStale(ctx, root, name) // or else the next sweep does
		return nil, cache.ErrMiss
	}
	return data, nil
}

// Put writes the data to a new file, and renames that to take the old one's place: whoever reads meanwhile, or after
// this process was killed, finds the one or the other.
func (s *Store) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return errTTL
	}
	root, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	if now := time.Now().Unix(); now-s.lastSweep.Load() > int64(sweepEvery/time.Second) {
		s.sweep(ctx, root)
	}

	name := fileName(key)
	temp := name + "." + rand.Text() + suffixTemp
	if err := writeSynced(root, temp, encodeRecord(data, time.Now().Add(ttl))); err != nil {
		root.Remove(temp)
		return fmt.Errorf("filecache: %w", err)
	}
	// Guarded, so that a sweep that has just seen an expired record under this name does not remove the new one.
	if err := s.guarded(ctx, root, func() error { return root.Rename(temp, name) }); err != nil {
		root.Remove(temp)
		return err
	}
	return nil
}

// Delete removes what lies under key.
func (s *Store) Delete(ctx context.Context, key string) error {
	root, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(fileName(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("filecache: %w", err)
	}
	return nil
}

// writeSynced writes a new file and waits until the disk has it. Some file systems order a rename before the data it
// makes visible, and would show an empty or partial record after a power failure. The directory is not synced: should
// the rename be lost, the old record or none is there, which is fine.
func writeSynced(root *os.Root, name string, data []byte) (err error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// fileName is the name of key's record. Hashed, any key is a legal name of one length, and keys that differ only in
// case differ on every file system.
func fileName(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
