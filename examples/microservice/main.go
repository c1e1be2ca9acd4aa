// Command microservice is a service that calls a protected API in the name of
// its tenants, each with a token of its own:
//
//	go run ./examples/microservice
//
// It listens on loopback and so do the servers it needs; a few requests are
// made to it, then it shuts down as it would on SIGTERM.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
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
	around, err := startSurroundings()
	if err != nil {
		return err
	}
	defer around.Close()

	client, err := ccclient.New(ccclient.Config{
		TokenURL: around.auth.TokenURL(),
		ClientID: cctest.DefaultClientID,
		// Asked at each token request: a secret that is rotated needs no
		// restart.
		Auth:   ccclient.ClientSecretBasic(ccclient.SecretFile(around.secretFile)),
		Scopes: []string{"orders:read"},
		// The token goes nowhere else, whatever a URL says.
		AllowedHosts: []string{around.apiHost()},
		Logger:       slog.Default(),
	})
	if err != nil {
		return err
	}

	server := &http.Server{
		Handler:           newService(client, around.api.URL),
		ReadHeaderTimeout: 5 * time.Second,
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, client.Close())
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }() // joined below

	// Stands for the service's users.
	go func() {
		visit(ctx, "http://"+ln.Addr().String())
		stop()
	}()

	select {
	case err = <-served:
	case <-ctx.Done():
		// First the requests under way are answered, which may still take
		// a token; then the client goes.
		slog.Info("shutting down")
		grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = server.Shutdown(grace)
		<-served
	}
	err = errors.Join(err, client.Close())
	fmt.Printf("token_requests=%d\n", around.auth.Stats().TokenRequests)
	return err
}
