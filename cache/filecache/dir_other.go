//go:build !unix

package filecache

import "io/fs"

// checkDir can tell nothing: there are no mode bits, and a directory in the user's profile inherits an access control
// list that keeps others out.
func checkDir(string, fs.FileInfo) error { return nil }
