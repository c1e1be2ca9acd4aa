package filecache_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/filecache"
)

// A command line tool keeps its tokens between runs. The sealed store goes
// into cache.Options.Store.
func Example() {
	base, err := os.MkdirTemp("", "") // os.UserCacheDir in earnest
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(base)
	key := make([]byte, 32) // from the system's keyring in earnest: openssl rand 32

	files, err := filecache.New(filepath.Join(base, "mytool", "tokens"))
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := cache.Seal(files, key)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	if err := store.Put(ctx, "token", []byte("secret"), time.Hour); err != nil {
		fmt.Println(err)
		return
	}
	data, err := store.Get(ctx, "token")
	fmt.Printf("%s %v\n", data, err)
	// Output: secret <nil>
}
