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

// onYourServers takes the first step, against the servers that the environment names.
func onYourServers(ctx context.Context) error {
	apiURL := os.Getenv("API_URL")
	if apiURL == "" {
		return errors.New("API_URL is not set")
	}
	tokens := tokenRequests{url: os.Getenv("TOKEN_URL")}
	client, err := ccclient.New(ccclient.Config{
		TokenURL:      tokens.url,
		ClientID:      os.Getenv("CLIENT_ID"),
		Auth:          ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:        strings.Fields(os.Getenv("SCOPES")),
		WrapTransport: tokens.counted,
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
	return t.end(api.made(), int(tokens.made.Load()), api.failed())
}

// tokenRequests counts those to the token endpoint at url, since nobody can ask your server.
type tokenRequests struct {
	url  string
	made atomic.Int64
	own  http.RoundTripper
}

// counted is a Config.WrapTransport: all requests of the client go through it, those to the API too.
func (t *tokenRequests) counted(own http.RoundTripper) http.RoundTripper {
	t.own = own
	return t
}

func (t *tokenRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() == t.url {
		t.made.Add(1)
	}
	return t.own.RoundTrip(r)
}
