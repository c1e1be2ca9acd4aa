package filecache

import (
	"os"
	"path/filepath"
)

// A lockFile is a file of the store that the operating system locks for one holder at a time, and unlocks when that
// dies. It is opened through the store's directory, so no path is looked up twice.
type lockFile struct {
	f    *os.File
	name string
}

// openLock opens the file; create makes it if it is not there.
func openLock(root *os.Root, name string, create bool) (*lockFile, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE
	}
	f, err := root.OpenFile(name, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return &lockFile{f, name}, nil
}

func (l *lockFile) path(s *Store) string { return filepath.Join(s.dir, l.name) }

// tryLock reports whether it has locked the file, without waiting.
func (l *lockFile) tryLock() (bool, error) { return tryLock(l.f) }

// close unlocks the file too. It may be called more than once.
func (l *lockFile) close() { l.f.Close() }
