package rediscache_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/rediscache"
)

// A fleet shares its tokens. The sealed store goes into cache.Options.Store.
func Example() {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs:                 []string{"redis.internal:6379"}, // several: a cluster
		Username:              "tokens",
		Password:              os.Getenv("REDIS_PASSWORD"),
		DialTimeout:           500 * time.Millisecond,
		ReadTimeout:           500 * time.Millisecond,
		WriteTimeout:          500 * time.Millisecond,
		MaxRetries:            1,
		ContextTimeoutEnabled: true,
	})
	defer rdb.Close()

	key, err := cache.ParseKey([]byte(os.Getenv("TOKEN_STORE_KEY"))) // openssl rand -hex 32
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := cache.Seal(rediscache.New(rdb, rediscache.Options{}), key)
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
}
