package filecache_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/filecache"
	"github.com/ccclient/go-ccclient/cache/storetest"
)

// newDir is the path of a directory that New will make.
func newDir(t testing.TB) string { return filepath.Join(t.TempDir(), "tokens") }

func open(t testing.TB, dir string) *filecache.Store {
	t.Helper()
	s, err := filecache.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, s cache.Store, key, data string, ttl time.Duration) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(data), ttl); err != nil {
		t.Fatal(err)
	}
}

// files lists the directory, without the guard.
func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "guard" {
			names = append(names, e.Name())
		}
	}
	return names
}

// only returns the path of the one file in dir, other than the guard.
func only(t testing.TB, dir string) string {
	t.Helper()
	names := files(t, dir)
	if len(names) != 1 {
		t.Fatalf("the directory holds %q, want one file", names)
	}
	return filepath.Join(dir, names[0])
}

func TestFileStoreIsAConformingStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) cache.Store { return open(t, newDir(t)) })
}

func TestFileStoreIsSharedByWhoeverOpensTheDirectory(t *testing.T) {
	t.Parallel()
	storetest.RunShared(t, func(t *testing.T) (a, b cache.Store) {
		dir := newDir(t)
		return open(t, dir), open(t, dir)
	})
}

func TestSealedFileStoreIsAConformingStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) cache.Store {
		s, err := cache.Seal(open(t, newDir(t)), make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestWhatIsPutOutlivesTheStore(t *testing.T) {
	dir := newDir(t)
	put(t, open(t, dir), "k", "v", time.Hour)
	if data, err := open(t, dir).Get(t.Context(), "k"); err != nil || string(data) != "v" {
		t.Errorf("Get by a store opened later = %q, %v", data, err)
	}
}

func TestDirectoryThatWasRemovedIsMadeAgain(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	put(t, s, "k", "v", time.Hour)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, cache.ErrMiss) {
		t.Errorf("Get = %v, want ErrMiss", err)
	}
	put(t, s, "k", "v", time.Hour)
	if data, err := s.Get(t.Context(), "k"); err != nil || string(data) != "v" {
		t.Errorf("Get = %q, %v", data, err)
	}
}

func TestNewIsAnErrorWhereThereCanBeNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file, filepath.Join(file, "below"), "a\x00b"} {
		if s, err := filecache.New(dir); err == nil || s != nil || !strings.HasPrefix(err.Error(), "filecache: ") {
			t.Errorf("New(%q) = %v, %v, want an error of filecache", dir, s, err)
		}
	}
}

func TestRelativeDirectoryStaysWhereItWas(t *testing.T) {
	t.Chdir(t.TempDir())
	s := open(t, "tokens")
	put(t, s, "k", "v", time.Hour)
	t.Chdir(t.TempDir())
	if data, err := s.Get(t.Context(), "k"); err != nil || string(data) != "v" {
		t.Errorf("Get after a change of directory = %q, %v", data, err)
	}
}

func TestRubbishIsUnreadableAndNoMiss(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	put(t, s, "k", "v", time.Hour)
	for _, rubbish := range []string{"", "c", "ccf1", "ccf1\x00\x00\x00", "ccf2............", `{"access_token":""}`} {
		if err := os.WriteFile(only(t, dir), []byte(rubbish), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "k"); !errors.Is(err, cache.ErrUnreadable) || !errors.Is(err, cache.ErrMiss) {
			t.Errorf("Get of %q = %v, want ErrUnreadable, which is an ErrMiss", rubbish, err)
		}
	}
	put(t, s, "k", "v", time.Hour)
	if data, err := s.Get(t.Context(), "k"); err != nil || string(data) != "v" {
		t.Errorf("Get after the rubbish was replaced = %q, %v", data, err)
	}
}

func TestRubbishLeaseHoldsNobodyUp(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	put(t, s, "k", "v", time.Hour)
	hash := filepath.Base(only(t, dir))
	header := "ccf1\x00\x7f\xff\xff\xff\xff\xff\xff" // in the far future
	outside := filepath.Join(filepath.Dir(dir), "outside")
	for _, rubbish := range []string{
		"", "ccf1", header, header + "guard", header + hash, header + hash + ".lock",
		header + "../outside", header + outside, header + hash + ".../../outside.held",
		header + hash + ".AAAA.held", // of a holder that is gone
	} {
		if err := os.WriteFile(filepath.Join(dir, hash+".lock"), []byte(rubbish), 0o600); err != nil {
			t.Fatal(err)
		}
		unlock, ok, err := s.TryLock(t.Context(), "k", time.Hour)
		if err != nil || !ok {
			t.Fatalf("TryLock over the lease %q = %t, %v", rubbish, ok, err)
		}
		if err := unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(outside); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lease led out of the directory: %v", err)
	}
}

func TestExpiredRecordIsRemovedByReadersAndAtOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newDir(t)
		s := open(t, dir)
		put(t, s, "read", "v", time.Minute)
		time.Sleep(time.Minute)
		if _, err := s.Get(t.Context(), "read"); err != cache.ErrMiss {
			t.Errorf("Get = %v, want ErrMiss", err)
		}
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("after Get the directory still holds %q", left)
		}
		put(t, s, "opened", "v", time.Minute)
		put(t, s, "lives", "v", time.Minute+1000)
		time.Sleep(time.Minute)
		open(t, dir)
		only(t, dir)
		if _, err := s.Get(t.Context(), "lives"); err != nil {
			t.Errorf("Get = %v", err)
		}
	})
}

func TestStoreThatStaysOpenSweepsEveryHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newDir(t)
		s := open(t, dir)
		for i := range 24 {
			put(t, s, fmt.Sprint("key of hour ", i), "v", 30*time.Minute)
			time.Sleep(time.Hour + time.Second)
		}
		only(t, dir)
	})
}

func TestLockWhoseUnlockWasDroppedLastsAllTheSame(t *testing.T) {
	s := open(t, newDir(t))
	if _, ok, err := s.TryLock(t.Context(), "k", time.Hour); err != nil || !ok {
		t.Fatalf("TryLock = %t, %v", ok, err)
	}
	for range 100 { // until what closes files that nobody reaches has run
		runtime.GC()
		if _, ok, err := s.TryLock(t.Context(), "k", time.Hour); err != nil || ok {
			t.Fatalf("TryLock after a garbage collection = %t, %v, want it held", ok, err)
		}
	}
}

func TestUnlockLeavesNoFiles(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	unlock, ok, err := s.TryLock(t.Context(), "k", time.Hour)
	if err != nil || !ok {
		t.Fatalf("TryLock = %t, %v", ok, err)
	}
	open(t, dir) // whose sweep must not take the living lock's files
	if n := len(files(t, dir)); n != 2 {
		t.Errorf("a lock has %d files, want the lease and the holder's", n)
	}
	if err := unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("the directory still holds %q", left)
	}
}

func TestOverrunLockLeavesNoFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newDir(t)
		s := open(t, dir)
		former, ok, err := s.TryLock(t.Context(), "k", time.Minute)
		if err != nil || !ok {
			t.Fatalf("TryLock = %t, %v", ok, err)
		}
		time.Sleep(time.Minute)
		current, ok, err := s.TryLock(t.Context(), "k", time.Hour)
		if err != nil || !ok {
			t.Fatalf("TryLock of an expired lock = %t, %v", ok, err)
		}
		if err := former(t.Context()); err != nil {
			t.Errorf("the former owner's unlock: %v", err)
		}
		if n := len(files(t, dir)); n != 2 {
			t.Errorf("the lock has %d files, want the lease and the new holder's", n)
		}
		if err := current(t.Context()); err != nil {
			t.Errorf("unlock: %v", err)
		}
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("the directory still holds %q", left)
		}
	})
}

func TestUnlockWithAnEndedContextFreesTheKeyAllTheSame(t *testing.T) {
	s := open(t, newDir(t))
	unlock, ok, err := s.TryLock(t.Context(), "k", time.Hour)
	if err != nil || !ok {
		t.Fatalf("TryLock = %t, %v", ok, err)
	}
	if err := unlock(endedContext(t)); err == nil {
		t.Error("unlock with an ended context left files behind and said nothing")
	}
	if _, ok, err := s.TryLock(t.Context(), "k", time.Hour); err != nil || !ok {
		t.Errorf("TryLock = %t, %v", ok, err)
	}
}

func endedContext(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestWhatKilledWritersLeftIsSwept(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	put(t, s, "k", "v", time.Hour)
	record := only(t, dir)
	foreign := []string{"README", "guard.tmp", "abc.AAAA.tmp", filepath.Base(record) + ".a.b.tmp",
		filepath.Base(record) + ".bak"}
	writing := record + ".BBBB.tmp"
	left := []string{record + ".AAAA.tmp", record + ".AAAA.held", record + ".lock"}
	for _, name := range foreign {
		writeOld(t, filepath.Join(dir, name))
	}
	for _, path := range left {
		writeOld(t, path)
	}
	if err := os.WriteFile(writing, []byte("a part"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	for _, path := range left {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", path)
		}
	}
	if n, want := len(files(t, dir)), len(foreign)+2; n != want {
		t.Errorf("%d files are left, want %d: the record, what is being written, and what is not the store's", n, want)
	}
}

func writeOld(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("left"), 0o600); err != nil {
		t.Fatal(err)
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(path, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
}

func TestPrintingAFileStoreShowsItsDirectoryAtMost(t *testing.T) {
	s := open(t, newDir(t))
	put(t, s, "k", "canary-token", time.Hour)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if printed := fmt.Sprintf(verb, s); strings.Contains(printed, "canary") {
			t.Errorf("%s prints %s", verb, printed)
		}
	}
}

func FuzzRecordFile(f *testing.F) {
	dir := newDir(f)
	s := open(f, dir)
	put(f, s, "k", "v", 1000*time.Hour)
	record := only(f, dir)
	whole, err := os.ReadFile(record)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-2])
	f.Add([]byte{})
	f.Add([]byte("ccf1\xff\xff\xff\xff\xff\xff\xff\xff expired"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if err := os.WriteFile(record, file, 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := s.Get(t.Context(), "k")
		if err != nil && !errors.Is(err, cache.ErrMiss) && !errors.Is(err, cache.ErrUnreadable) {
			t.Errorf("Get = %v, want ErrMiss or ErrUnreadable", err)
		}
		if err == nil && !strings.HasSuffix(string(file), string(data)) {
			t.Errorf("Get of %q = %q", file, data)
		}
	})
}

func TestZeroStoreSaysWhoMakesIt(t *testing.T) {
	var s filecache.Store
	_, err := s.Get(t.Context(), "k")
	_, _, lockErr := s.TryLock(t.Context(), "k", time.Hour)
	for _, err := range []error{err, lockErr, s.Put(t.Context(), "k", nil, time.Hour), s.Delete(t.Context(), "k")} {
		if err == nil || errors.Is(err, cache.ErrMiss) || !strings.Contains(err.Error(), "filecache.New") {
			t.Errorf("%v, want an error that names filecache.New", err)
		}
	}
}
