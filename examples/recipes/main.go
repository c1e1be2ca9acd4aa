// Command recipes runs one of the recipes of docs/recipes.md, the proxy that adds tokens:
//
//	go -C examples/recipes run .
//
// The others are functions in the packages below, each run by its test:
//
//	httpapi   go-resty, go-retryablehttp, oapi-codegen, prometheus/common, WebSockets, a proxy, how to test
//	rpc       connect-go, OTLP over HTTP and gRPC
//	cloud     google.golang.org/api, the Azure SDK, client-go
//	session   NATS, Redis, PostgreSQL, and how long a token is good for
//	kafka     franz-go and sarama; its tests have a build tag of their own
package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/httpapi"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal("recipes: ", err)
	}
}

func run() error {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	api := httptest.NewServer(as.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})))
	defer api.Close()
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	at, err := url.Parse(api.URL)
	if err != nil {
		return err
	}
	proxy := httptest.NewServer(httpapi.NewSidecar(client, at))
	defer proxy.Close()

	for _, step := range []struct {
		what   string
		url    string
		happen func()
		want   int
	}{
		{"straight to the API, without a token", api.URL, func() {}, http.StatusUnauthorized},
		{"through the proxy", proxy.URL, func() {}, http.StatusOK},
		{"through the proxy, after a revocation", proxy.URL, as.RevokeAll, http.StatusOK},
	} {
		step.happen()
		resp, err := http.Get(step.url)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != step.want {
			return fmt.Errorf("%s: %s", step.what, resp.Status)
		}
		fmt.Printf("%s: %s, %d token requests so far\n", step.what, resp.Status, as.Stats().TokenRequests)
	}
	fmt.Println("More recipes: docs/recipes.md. To run them all: go -C examples/recipes test ./...")
	return nil
}
