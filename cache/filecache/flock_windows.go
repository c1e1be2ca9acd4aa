package filecache

import (
	"os"

	"golang.org/x/sys/windows"
)

func tryLock(f *os.File) (bool, error) {
	c, err := f.SyscallConn()
	if err != nil {
		return false, err
	}
	var lockErr error
	err = c.Control(func(fd uintptr) {
		const all = ^uint32(0)
		lockErr = windows.LockFileEx(windows.Handle(fd),
			windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
			0, all, all, new(windows.Overlapped))
	})
	switch {
	case err != nil:
		return false, err
	case lockErr == windows.ERROR_LOCK_VIOLATION, lockErr == windows.ERROR_IO_PENDING:
		return false, nil
	case lockErr != nil:
		return false, &os.PathError{Op: "LockFileEx", Path: f.Name(), Err: lockErr}
	}
	return true, nil
}
