package cache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ccclient/go-ccclient/cache"
)

// Two processes share a store. Each has the key; who reads the store does not.
func ExampleSeal() {
	ctx := context.Background()
	shared := cache.Memory()               // a file or a Redis store in earnest
	key := make([]byte, 32)                // from a secret manager in earnest: openssl rand 32
	sealed, err := cache.Seal(shared, key) // while rotating: cache.Seal(shared, newKey, oldKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := sealed.Put(ctx, "token", []byte("secret"), time.Hour); err != nil {
		fmt.Println(err)
		return
	}

	data, err := sealed.Get(ctx, "token")
	fmt.Printf("%s %v\n", data, err)

	// A record is bound to its name, so nobody can swap two tokens.
	record, _ := shared.Get(ctx, "token")
	_ = shared.Put(ctx, "another", record, time.Hour)
	_, err = sealed.Get(ctx, "another")
	fmt.Println(errors.Is(err, cache.ErrUnreadable))
	// Output:
	// secret <nil>
	// true
}
