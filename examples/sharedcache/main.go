// Command sharedcache shows a fleet that makes one token request together:
//
//	go -C examples/sharedcache run .
//
// It starts 20 processes of itself, which call an API with tokens that live
// for three seconds, and kills some, also one that is just asking for a token.
// The servers run inside, on loopback. The tokens are shared through sealed
// files, which does for the processes of one host; with -redis HOST:PORT
// through Redis, which does for processes anywhere; and with -redis start
// through a redis-server that the program starts, and kills, itself.
//
// What a service has to do is in process.go and store.go.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == processArg {
		exit(process(os.Stdin, os.Stdout))
	}
	n := flag.Int("n", 20, "how many `processes`")
	redis := flag.String("redis", "", "share tokens through Redis at this `address`; start: one of its own")
	flag.Parse()
	if flag.NArg() > 0 {
		exit(fmt.Errorf("there are none of these arguments: %q", flag.Args()))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, *n, *redis))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "sharedcache:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// lifetime is that of a token, short so that there is something to see.
const lifetime = 3 * time.Second

func run(ctx context.Context, n int, redis string) error {
	if n < 2 {
		return fmt.Errorf("%d processes are no fleet", n)
	}
	servers := startServers(lifetime)
	defer servers.Close()
	dir, err := os.MkdirTemp("", "sharedcache")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store := storeSettings{Dir: filepath.Join(dir, "tokens"), Redis: redis, Key: make([]byte, 32)}
	rand.Read(store.Key)

	var own *redisServer
	if redis == "start" {
		if own, err = startRedis(); err != nil {
			return err
		}
		defer func() { own.kill() }()
		store.Redis = own.addr
	}
	d := demo{servers: servers, redis: own, size: n, start: time.Now(), fleet: &fleet{settings: settings{
		TokenURL:     servers.auth.TokenURL(),
		APIURL:       servers.api.URL,
		Store:        store,
		FetchTimeout: 3 * time.Second,
		Pause:        50 * time.Millisecond,
	}}}
	return d.run(ctx)
}
