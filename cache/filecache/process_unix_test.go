//go:build unix

package filecache_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/filecache"
)

// These tests run their own binary again, as other processes on the host: with roleEnv set, TestMain plays that role in
// the directory dirEnv instead.
const (
	roleEnv = "FILECACHE_TEST_ROLE"
	dirEnv  = "FILECACHE_TEST_DIR"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	s, err := filecache.New(os.Getenv(dirEnv))
	if err == nil {
		err = roles[role](s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var roles = map[string]func(*filecache.Store) error{
	"writer":  playWriter,
	"holder":  playHolder,
	"counter": playCounter,
}

// start starts a process in the role. It is killed at the end of the test.
func start(t *testing.T, role, dir string) (p *exec.Cmd, in io.Writer, out *bufio.Scanner) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p = exec.Command(exe)
	p.Env = append(os.Environ(), roleEnv+"="+role, dirEnv+"="+dir)
	p.Stderr = os.Stderr
	in, err = p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill()
		p.Wait()
	})
	return p, in, bufio.NewScanner(stdout)
}

func expect(t *testing.T, out *bufio.Scanner, want string) {
	t.Helper()
	if !out.Scan() || out.Text() != want {
		t.Fatalf("the other process says %q, %v, want %q", out.Text(), out.Err(), want)
	}
}

func signal(t *testing.T, p *exec.Cmd, sig syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// playWriter writes records of different sizes, of one letter each, until it is killed.
func playWriter(s *filecache.Store) error {
	for i := 0; ; i++ {
		data := bytes.Repeat([]byte{byte('a' + i%26)}, recordSize(i%26))
		if err := s.Put(context.Background(), "k", data, time.Hour); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println("writing")
		}
	}
}

func recordSize(letter int) int { return 1 + letter*20_000 }

func TestKilledWriterLeavesNoBrokenFile(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	s := open(t, dir)
	const kills = 40
	for range kills {
		p, _, out := start(t, "writer", dir)
		expect(t, out, "writing")
		time.Sleep(rand.N(8 * time.Millisecond)) // any point of a Put will do
		signal(t, p, syscall.SIGKILL)
		p.Wait()
		data, err := s.Get(t.Context(), "k")
		if err != nil {
			t.Fatalf("Get after a kill: %v", err)
		}
		if letter := int(data[0]) - 'a'; len(data) != recordSize(letter) || bytes.Count(data, data[:1]) != len(data) {
			t.Fatalf("Get after a kill: %d bytes from %.10q, which nobody put", len(data), data)
		}
	}

	names := files(t, dir)
	t.Logf("%d kills left %d temporary files", kills, len(names)-1)
	for _, name := range names {
		if strings.HasSuffix(name, ".tmp") {
			writeOld(t, filepath.Join(dir, name))
		}
	}
	open(t, dir)
	only(t, dir)
}

// playHolder takes the lock for the time that it reads, says so, and gives it back when it is told.
func playHolder(s *filecache.Store) error {
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	ttl, err := time.ParseDuration(in.Text())
	if err != nil {
		return err
	}
	unlock, ok, err := s.TryLock(context.Background(), "k", ttl)
	if err != nil || !ok {
		return fmt.Errorf("TryLock = %t, %v", ok, err)
	}
	fmt.Println("locked")
	in.Scan()
	err = unlock(context.Background())
	fmt.Println("unlocked", err)
	return nil
}

func tryLock(t *testing.T, s *filecache.Store) bool {
	t.Helper()
	_, ok, err := s.TryLock(t.Context(), "k", time.Hour)
	if err != nil {
		t.Fatalf("TryLock: %v", err)
	}
	return ok
}

func TestLockExcludesOtherProcesses(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	s := open(t, dir)
	_, in, out := start(t, "holder", dir)
	fmt.Fprintln(in, time.Hour)
	expect(t, out, "locked")
	if tryLock(t, s) {
		t.Error("TryLock took what another process holds")
	}
	fmt.Fprintln(in, "unlock")
	expect(t, out, "unlocked <nil>")
	if !tryLock(t, s) {
		t.Error("TryLock did not take what the other process has given back")
	}
}

func TestDeadHoldersLockIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	s := open(t, dir)
	p, in, out := start(t, "holder", dir)
	fmt.Fprintln(in, time.Hour)
	expect(t, out, "locked")
	if tryLock(t, s) {
		t.Fatal("TryLock took what another process holds")
	}
	signal(t, p, syscall.SIGKILL)
	p.Wait()
	if !tryLock(t, s) {
		t.Error("TryLock did not take a dead process's lock")
	}
	open(t, dir)
	if n := len(files(t, dir)); n != 2 {
		t.Errorf("the lock has %d files, want the lease and the holder's", n)
	}
}

func TestSuspendedHolderLosesTheLockWhenItExpires(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	s := open(t, dir)
	const ttl = 300 * time.Millisecond
	p, in, out := start(t, "holder", dir)
	begun := time.Now()
	fmt.Fprintln(in, ttl)
	expect(t, out, "locked")
	signal(t, p, syscall.SIGSTOP)
	for !tryLock(t, s) {
		if time.Since(begun) > ttl+20*time.Second {
			t.Fatal("a suspended process keeps its lock")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if held := time.Since(begun); held < ttl {
		t.Errorf("a lock for %v was lost after %v", ttl, held)
	}

	// It wakes and unlocks, which is not its lock any more.
	signal(t, p, syscall.SIGCONT)
	fmt.Fprintln(in, "unlock")
	expect(t, out, "unlocked <nil>")
	if tryLock(t, open(t, dir)) {
		t.Error("a former owner's unlock, or a sweep, freed the new owner's lock")
	}
}

func TestProcessSuspendedUnderTheGuardIsAnErrorNotAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := newDir(t)
		s := open(t, dir)
		guard, err := os.OpenFile(filepath.Join(dir, "guard"), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer guard.Close()
		if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		_, ok, err := s.TryLock(t.Context(), "k", time.Hour)
		if ok || err == nil || !strings.Contains(err.Error(), "suspended") {
			t.Errorf("TryLock = %t, %v, want an error that names the cause", ok, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := s.Put(ctx, "k", []byte("v"), time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put = %v, want its context's error", err)
		}
		if names := files(t, dir); len(names) != 0 {
			t.Errorf("the Put that was given up left %q", names)
		}
		if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		put(t, s, "k", "v", time.Hour)
	})
}

const counterTurns = 15

// playCounter adds to a number in a file, as only one may at a time.
func playCounter(s *filecache.Store) error {
	ctx := context.Background()
	path := filepath.Join(os.Getenv(dirEnv), "number")
	for range counterTurns {
		var unlock func(context.Context) error
		for ok := false; !ok; time.Sleep(5 * time.Millisecond) {
			var err error
			if unlock, ok, err = s.TryLock(ctx, "k", time.Hour); err != nil {
				return err
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(text))
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
		if err := os.WriteFile(path, []byte(strconv.Itoa(n+1)), 0o600); err != nil {
			return err
		}
		if err := unlock(ctx); err != nil {
			return err
		}
	}
	fmt.Println("counted")
	return nil
}

func TestManyProcessesTakeTurns(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	open(t, dir)
	path := filepath.Join(dir, "number")
	if err := os.WriteFile(path, []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	const processes = 8
	var outs []*bufio.Scanner
	for range processes {
		_, _, out := start(t, "counter", dir)
		outs = append(outs, out)
	}
	for _, out := range outs {
		expect(t, out, "counted")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := strconv.Itoa(processes * counterTurns); string(text) != want {
		t.Errorf("%d processes counted to %s together, want %s", processes, text, want)
	}
}

func TestFilesAndDirectoryAreTheUsersOwn(t *testing.T) {
	old := syscall.Umask(0) // which must not matter
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, dir)
	put(t, s, "k", "v", time.Hour)
	if !tryLock(t, s) {
		t.Fatal("TryLock took nothing")
	}
	err := filepath.Walk(filepath.Dir(dir), func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if names := files(t, dir); len(names) != 3 {
		t.Errorf("looked at %q, want a record, a lease, a holder", names)
	}
}

func TestDirectoryThatOthersCanWriteToIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o770, 0o707, 0o777, 0o722, 0o777 | os.ModeSticky} {
		t.Run(fmt.Sprintf("%04o", mode.Perm()), func(t *testing.T) {
			dir := newDir(t)
			s := open(t, dir)
			put(t, s, "k", "v", time.Hour)
			if err := os.Chmod(dir, mode); err != nil {
				t.Fatal(err)
			}
			if _, err := filecache.New(dir); err == nil || !strings.Contains(err.Error(), "chmod 700") {
				t.Errorf("New = %v, want an error with the remedy", err)
			}
			if _, err := s.Get(t.Context(), "k"); err == nil || errors.Is(err, cache.ErrMiss) {
				t.Errorf("Get by a store that was opened before = %v, want an error that is no miss", err)
			}
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(t.Context(), "k"); err != nil {
				t.Errorf("Get after the remedy = %v", err)
			}
		})
	}
}

func TestDirectoryOfAnotherUserIsRefused(t *testing.T) {
	dir := "/" // root's
	if os.Geteuid() == 0 {
		dir = t.TempDir()
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := filecache.New(dir); err == nil || !strings.Contains(err.Error(), "belongs to user") {
		t.Errorf("New = %v, want an error that says whose it is", err)
	}
}

func TestSymbolicLinkIsFollowedOnceWhenTheStoreIsOpened(t *testing.T) {
	base := t.TempDir()
	first, second, link := filepath.Join(base, "first"), filepath.Join(base, "second"), filepath.Join(base, "link")
	if err := os.Mkdir(first, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(first, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, link)
	if err := errors.Join(os.Remove(link), os.Mkdir(second, 0o700), os.Symlink(second, link)); err != nil {
		t.Fatal(err)
	}
	put(t, s, "k", "v", time.Hour)
	only(t, first)
}

func TestLinkInTheDirectoryLeadsNowhereElse(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	put(t, s, "k", "v", time.Hour)
	record := only(t, dir)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := errors.Join(os.Rename(record, outside), os.Symlink(outside, record)); err != nil {
		t.Fatal(err)
	}
	if data, err := s.Get(t.Context(), "k"); err == nil {
		t.Errorf("Get followed a link out of the directory, to %q", data)
	}
	put(t, s, "k", "new", time.Hour) // replaces the link, not what it leads to
	if data, err := s.Get(t.Context(), "k"); err != nil || string(data) != "new" {
		t.Errorf("Get = %q, %v", data, err)
	}
}

func TestDirectoryPutInThePlaceOfTheStoresStaysAsItWas(t *testing.T) {
	base := t.TempDir()
	dir, elsewhere := filepath.Join(base, "tokens"), filepath.Join(base, "elsewhere")
	if err := errors.Join(os.Mkdir(elsewhere, 0o700), os.WriteFile(filepath.Join(elsewhere, "precious"), nil,
		0o600)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	put(t, s, "k", "v", time.Hour)
	if err := errors.Join(os.Rename(dir, dir+".old"), os.Symlink(elsewhere, dir)); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "k", []byte("v"), time.Hour); err == nil {
		t.Error("Put into another directory is no error")
	}
	if _, ok, err := s.TryLock(t.Context(), "k", time.Hour); ok || err == nil {
		t.Error("TryLock in another directory is no error")
	}
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) != 1 {
		t.Errorf("the other directory holds %v (%v), want what it held", entries, err)
	}
}

func TestGuardAndLocksAreNotMadeThroughLinks(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	outside := filepath.Join(filepath.Dir(dir), "outside")
	if err := errors.Join(os.Remove(filepath.Join(dir, "guard")),
		os.Symlink(outside, filepath.Join(dir, "guard"))); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	os.Symlink(outside, filepath.Join(dir, "guard"))
	if err := s.Put(t.Context(), "k", []byte("v"), time.Hour); err == nil {
		t.Error("Put under a guard elsewhere is no error")
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("a file was made elsewhere")
	}
}
