package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/ccclient/go-ccclient/ccclient"
)

// onYourServers takes the first step, against the servers that the environment
// names.
func onYourServers(ctx context.Context) error {
	apiURL := os.Getenv("API_URL")
	if apiURL == "" {
		return errors.New("API_URL is not set")
	}
	var token tokenClient
	client, err := ccclient.New(ccclient.Config{
		TokenURL:   os.Getenv("TOKEN_URL"),
		ClientID:   os.Getenv("CLIENT_ID"),
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:     strings.Fields(os.Getenv("SCOPES")),
		HTTPClient: &http.Client{Transport: &token},
	})
	if err != nil {
		return err
	}
	defer client.Close()

	api := newCaller(client.HTTPClient(), apiURL)
	t := startTimeline()
	t.show(ctx, "one request", func(ctx context.Context) (string, error) {
		took := api.call(ctx)
		return fmt.Sprintf("took %v, token request included", ms(took)), nil
	})
	return t.end(api.made(), int(token.requests.Load()), api.failed())
}

// A tokenClient counts the token requests, since nobody can ask your server.
type tokenClient struct{ requests atomic.Int64 }

func (c *tokenClient) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}
