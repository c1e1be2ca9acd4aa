package filecache

import (
	"context"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"time"
)

const (
	suffixLease = ".lock"
	suffixHeld  = ".held"
	suffixTemp  = ".tmp"
	noSuffix    = "" // a record

	// sweepEvery is how often, at most, a Put also sweeps.
	sweepEvery = time.Hour

	// tempLife is how old a temporary file gets before its writer counts as dead. A living one that is that slow gets
	// an error from its Put.
	tempLife = time.Minute
)

// sweep removes what nobody needs any more: expired records, free leases, and files of processes that died. Files of
// other names it leaves alone. What it cannot remove, the next sweep tries again.
func (s *Store) sweep(ctx context.Context, root *os.Root) {
	s.lastSweep.Store(time.Now().Unix())
	dir, err := root.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(256)
		for _, entry := range entries {
			name := entry.Name()
			kind := kindOf(name)
			if kind == unknownKind || (kind == noSuffix || kind == suffixTemp) && !s.stale(root, name) {
				continue // most files, seen without the guard
			}
			if s.removeStale(ctx, root, name) != nil {
				return // stuck, or the context has ended
			}
		}
		if err != nil { // io.EOF among others
			return
		}
	}
}

// removeStale removes a file if, under the guard, it is still stale.
func (s *Store) removeStale(ctx context.Context, root *os.Root, name string) error {
	return s.guarded(ctx, root, func() error {
		if s.stale(root, name) {
			root.Remove(name)
		}
		return nil
	})
}

// stale reports whether nobody needs the file. For leases and holders' files it is called under the guard.
func (s *Store) stale(root *os.Root, name string) bool {
	switch kindOf(name) {
	case noSuffix:
		expires, ok := expiryOf(root, name)
		return ok && !time.Now().Before(expires)
	case suffixLease:
		return !s.leased(root, name)
	case suffixHeld:
		return !alive(root, name)
	case suffixTemp:
		info, err := root.Lstat(name)
		return err == nil && time.Since(info.ModTime()) > tempLife
	}
	return false
}

// expiryOf reads no more of a record than its header.
func expiryOf(root *os.Root, name string) (expires time.Time, ok bool) {
	f, err := root.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return time.Time{}, false
	}
	defer f.Close()
	header := make([]byte, recordHeader)
	if _, err := io.ReadFull(f, header); err != nil {
		return time.Time{}, false
	}
	_, expires, err = parseRecord(header)
	return expires, err == nil
}

const unknownKind = "unknown"

// kindOf returns the suffix of a file of this package, or unknownKind.
func kindOf(name string) string {
	hash, rest, dotted := strings.Cut(name, ".")
	if b, err := hex.DecodeString(hash); err != nil || len(b) != 32 || hash != strings.ToLower(hash) {
		return unknownKind
	}
	random, suffix, twice := strings.Cut(rest, ".")
	switch {
	case !dotted:
		return noSuffix
	case "."+rest == suffixLease:
		return suffixLease
	case twice && isRandom(random) && ("."+suffix == suffixHeld || "."+suffix == suffixTemp):
		return "." + suffix
	}
	return unknownKind
}

// isRandom reports whether s is made of the letters of rand.Text, which lead to no other directory.
func isRandom(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
