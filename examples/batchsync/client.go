package main

import (
	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/cache/filecache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// newClient returns a client that keeps its tokens in files of dir, sealed with key.
func newClient(tokenURL, dir string, key []byte) (*ccclient.Client, error) {
	files, err := filecache.New(dir)
	if err != nil {
		return nil, err
	}
	sealed, err := cache.Seal(files, key)
	if err != nil {
		return nil, err
	}
	return ccclient.New(ccclient.Config{
		TokenURL: tokenURL,
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		Scopes:   []string{"records"},
		Cache:    cache.Options{Store: sealed},
	})
}
