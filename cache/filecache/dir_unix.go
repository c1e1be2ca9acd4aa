//go:build unix

package filecache

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkDir refuses a directory into which others can put files. What Linux's access control lists grant shows in the
// group's bits; other systems' lists are not looked at.
func checkDir(dir string, info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("directory %s belongs to user %d, who could replace or withhold tokens, and this process runs as user %d: choose a directory of its own",
			dir, stat.Uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("directory %s has mode %04o, so others can write to it, and replace or withhold tokens: chmod 700 it, or choose a directory of its own",
			dir, mode)
	}
	return nil
}
