// Command microservice is a service that calls two protected APIs, each with a
// token for it:
//
//	go run ./examples/microservice
//
// It is configured by the environment: OAUTH_ISSUER, OAUTH_CLIENT_ID and the
// other variables of ccclient.ConfigFromEnv, then ORDERS_API and STOCK_API, and
// where to listen: LISTEN for its users, LISTEN_INTERNAL for metrics, the
// status page and probes. Without an OAUTH_ISSUER or an OAUTH_TOKEN_URL it
// brings along what it needs, on loopback, is visited a few times, and shuts
// down as on SIGTERM.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
)

func main() {
	if err := run(); err != nil {
		slog.Error("microservice", "error", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv("OAUTH_ISSUER")+os.Getenv("OAUTH_TOKEN_URL") != "" {
		return serve(ctx, func(string, string) {})
	}
	around, err := startSurroundings()
	if err != nil {
		return err
	}
	defer around.Close()
	var visits error
	err = serve(ctx, func(public, internal string) {
		visits = around.visit(ctx, visitor{public, internal}, stop)
	})
	fmt.Println(around.summary())
	return errors.Join(err, visits)
}

// serve is the service: it runs until ctx ends. meanwhile is told the URLs of
// its two ports, and runs beside it.
func serve(ctx context.Context, meanwhile func(public, internal string)) error {
	cfg, err := ccclient.ConfigFromEnv("OAUTH_")
	if err != nil {
		return err
	}
	cfg.Logger, cfg.Trace = slog.Default(), counted()
	client, err := ccclient.New(cfg)
	if err != nil {
		return err
	}
	ordersAPI, stockAPI := os.Getenv("ORDERS_API"), os.Getenv("STOCK_API")
	if ordersAPI == "" || stockAPI == "" {
		return errors.Join(errors.New("set ORDERS_API and STOCK_API to the URLs of the APIs"), client.Close())
	}
	s := newService(client, ordersAPI, stockAPI)
	public, err := listen(cmp.Or(os.Getenv("LISTEN"), ":8080"), s.public())
	if err != nil {
		return errors.Join(err, client.Close())
	}
	internal, err := listen(cmp.Or(os.Getenv("LISTEN_INTERNAL"), "127.0.0.1:9090"), s.internal())
	if err != nil {
		return errors.Join(err, public.shutdown(ctx), client.Close())
	}
	slog.Info("listening", "public", public.url(), "internal", internal.url())
	done := make(chan struct{})
	go func() { // joined below
		defer close(done)
		meanwhile(public.url(), internal.url())
	}()

	select {
	case <-public.ended:
	case <-internal.ended:
	case <-ctx.Done():
	}
	// First no more requests are sent here, then those under way are answered,
	// which may still take a token; then the client goes.
	s.stopping.Store(true)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(public.shutdown(grace), internal.shutdown(grace))
	<-done
	return errors.Join(err, client.Close())
}
