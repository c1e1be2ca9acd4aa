package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/filecache"
	"github.com/ccclient/go-ccclient/cache/rediscache"
)

// storeSettings say where the fleet shares its tokens.
type storeSettings struct {
	Dir   string // of files, for the processes of one host
	Redis string // host:port, for processes anywhere; goes before Dir
	Key   []byte // seals the tokens; comes from the secrets of a deployment
}

// open gives the store, in which tokens lie sealed, and what closes it.
func (s storeSettings) open() (cache.Store, func() error, error) {
	if s.Redis != "" {
		redis.SetLogger(silent{}) // the cache warns of an outage, once
		client := redis.NewClient(&redis.Options{
			Addr:                  s.Redis,
			DialTimeout:           time.Second,
			ReadTimeout:           time.Second,
			WriteTimeout:          time.Second,
			MaxRetries:            1,
			ContextTimeoutEnabled: true,
		})
		store, err := cache.Seal(rediscache.New(client, rediscache.Options{}), s.Key)
		return store, client.Close, err
	}
	files, err := filecache.New(s.Dir)
	if err != nil {
		return nil, nil, err
	}
	store, err := cache.Seal(files, s.Key)
	return store, func() error { return nil }, err
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
