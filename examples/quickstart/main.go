// Command quickstart shows in ten seconds what the library does for a service:
//
//	go run ./examples/quickstart
//
// It needs nothing: an authorization server whose tokens live for four seconds
// and an API that demands them run inside, on loopback. To see the first step
// against servers of your own, set TOKEN_URL, CLIENT_ID, CLIENT_SECRET, SCOPES
// (with spaces between them) and API_URL.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := onLoopback
	if os.Getenv("TOKEN_URL") != "" {
		run = onYourServers
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// onLoopback takes all steps, against servers of its own.
func onLoopback(ctx context.Context) error {
	servers := startServers()
	defer servers.Close()

	// All that a service has to do: make one Client when it starts ...
	client, err := ccclient.New(ccclient.Config{
		TokenURL: servers.auth.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		Scopes:   []string{"read"},
	})
	if err != nil {
		return err
	}
	// ... close it when it ends, and use its http.Client in between.
	defer client.Close()

	api := newCaller(client.HTTPClient(), servers.api.URL)
	d := demo{servers: servers, client: client, api: api}
	t := startTimeline()
	t.show(ctx, "one request", d.oneRequest)
	t.show(ctx, "a thousand at once", d.aThousandAtOnce)
	t.show(ctx, "refreshed ahead of expiry", d.refreshedAhead)
	t.show(ctx, "the token is revoked", d.revoked)
	t.show(ctx, "the token server is down", d.outage)
	return t.end(servers.served(), servers.tokenRequests(), api.failed())
}
