// Command dropin shows how a program that uses
// golang.org/x/oauth2/clientcredentials changes over:
//
//	go run ./examples/dropin
//
// Both clients here call the same API on loopback, and the second one also
// serves whatever takes an oauth2.TokenSource.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background()); err != nil {
		log.Fatal("dropin: ", err)
	}
}

func run(ctx context.Context) error {
	auth := cctest.NewServer(cctest.Options{})
	defer auth.Close()
	api := httptest.NewServer(auth.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})))
	defer api.Close()
	const id, secret = cctest.DefaultClientID, cctest.DefaultClientSecret

	// Before: the context given here stays in the client for all its life,
	// and so does what it says about the HTTP client for token requests.
	before := (&clientcredentials.Config{
		TokenURL:     auth.TokenURL(),
		ClientID:     id,
		ClientSecret: secret,
		Scopes:       []string{"read"},
		AuthStyle:    oauth2.AuthStyleInHeader,
	}).Client(ctx)

	// After: the same fields. Auth names the method, which x/oauth2 finds
	// out by trying; each request's own context is heeded.
	client, err := ccclient.New(ccclient.Config{
		TokenURL: auth.TokenURL(),
		ClientID: id,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(secret)),
		Scopes:   []string{"read"},
	})
	if err != nil {
		return err
	}
	defer client.Close()
	after := client.HTTPClient()

	// Code that takes an oauth2.TokenSource goes on, with the same token.
	source := oauth2.NewClient(ctx, client.TokenSource())

	for _, c := range []struct {
		name string
		http *http.Client
	}{{"x/oauth2", before}, {"ccclient", after}, {"ccclient's TokenSource in x/oauth2", source}} {
		resp, err := c.http.Get(api.URL)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		resp.Body.Close()
		fmt.Printf("%s: %s, %d token requests so far\n", c.name, resp.Status, auth.Stats().TokenRequests)
	}
	return nil
}
