package ccclient_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func ExampleNew() {
	client, err := ccclient.New(ccclient.Config{
		TokenURL: "https://as.example.com/token",
		ClientID: "my-service",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"orders:read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Println(client)

	// A wrong configuration is told as a whole.
	_, err = ccclient.New(ccclient.Config{
		TokenURL: "http://as.example.com/token",
		ClientID: "my-service",
		Scopes:   []string{"orders:read orders:write"},
	})
	fmt.Println(err)
	// Output: ccclient.Client{ClientID: "my-service", Server: "as.example.com", Target: ccclient.Target{Scopes:
	// ["orders:read"], Audience: "", Resources: [], EndpointParams: [], Label: ""}} ccclient: invalid Config: TokenURL:
	// http:// to as.example.com would show the client's credentials to the network: use https, or set InsecureHTTP
	// Auth: required: for a client id and a secret, ClientSecretBasic(SecretEnv("CLIENT_SECRET")) Scopes: "orders:read
	// orders:write" has a space: one scope an element
}

func ExampleClient_HTTPClient() {
	// An authorization server, and an API that demands its tokens.
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	api := httptest.NewServer(as.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer api.Close()

	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	httpClient := client.HTTPClient()
	for range 2 {
		resp, err := httpClient.Get(api.URL)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
		as.RevokeAll() // The next call meets a 401, gets another token, and is repeated, all by itself.
	}
	fmt.Println(as.Stats().TokenRequests, "token requests")
	// Output:
	// 200 OK
	// 200 OK
	// 2 token requests
}

func ExampleClient_For() {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		Scopes:   []string{"read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// Each tenant's API has a token of its own, kept as long as it lives.
	for _, tenant := range []string{"north", "south", "north"} {
		tok, err := client.For(ccclient.Target{Audience: "https://" + tenant + ".example.com"}).Token(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(tenant, tok.Extra("scope"))
	}
	for _, request := range as.TokenRequests() {
		fmt.Println("asked for", request.Form.Get("audience"))
	}
	// Output:
	// north read
	// south read
	// north read
	// asked for https://north.example.com
	// asked for https://south.example.com
}

func ExampleClient_Token() {
	as := cctest.NewServer(cctest.Options{Lifetime: time.Hour})
	defer as.Close()
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// For what is no HTTP request: how long this call may wait is up to its context.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	tok, err := client.Token(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tok.Type(), "for", time.Until(tok.Expiry).Round(time.Minute))
	// Output: Bearer for 1h0m0s
}

// A trace is a RoundTripper of the program's own.
type trace struct{ base http.RoundTripper }

func (t trace) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err == nil {
		fmt.Println(r.Method, r.URL.Path, resp.StatusCode)
	}
	return resp, err
}

func ExampleClient_Transport() {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	api := httptest.NewServer(as.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	defer api.Close()
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// The trace sees what is sent: each repetition too.
	httpClient := &http.Client{Transport: client.Transport(trace{http.DefaultTransport}), Timeout: time.Minute}
	if _, err := client.Token(context.Background()); err != nil {
		log.Fatal(err)
	}
	as.RevokeAll()
	resp, err := httpClient.Get(api.URL + "/things")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	// Output:
	// GET /things 401
	// GET /things 200
}

func ExampleAuthFunc() {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()

	// A server that wants a header field beside the secret. What is not secret could be in Config.EndpointHeader.
	secret := ccclient.ClientSecretPost(ccclient.SecretString(cctest.DefaultClientSecret))
	withKey := ccclient.AuthFunc(func(ctx context.Context, r ccclient.Request) (ccclient.Credentials, error) {
		c, err := secret.Authenticate(ctx, r)
		if err != nil {
			return c, err
		}
		c.Header.Set("X-Api-Key", "0123456789")
		return c, nil
	})

	client, err := ccclient.New(ccclient.Config{TokenURL: as.TokenURL(), ClientID: cctest.DefaultClientID, Auth: withKey})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Token(context.Background()); err != nil {
		log.Fatal(err)
	}
	request := as.TokenRequests()[0]
	fmt.Println(request.AuthMethod, request.Header.Get("X-Api-Key"))
	// Output: client_secret_post 0123456789
}

func ExampleError() {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString("yesterday's")),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	_, err = client.Token(context.Background())
	if errors.Is(err, ccclient.InvalidClient) {
		fmt.Println("the secret is wrong")
	}
	if e, ok := errors.AsType[*ccclient.Error](err); ok {
		fmt.Println(e.StatusCode, e.Code)
	}
	// Output:
	// the secret is wrong
	// 401 invalid_client
}

func ExampleSecret() {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()

	// Any function will do. It is asked at each token request, never for a cached token.
	vault := map[string]string{"my-service": cctest.DefaultClientSecret}
	secret := ccclient.Secret(func(ctx context.Context) (string, error) {
		fmt.Println("the vault is asked")
		return vault["my-service"], ctx.Err()
	})

	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(secret),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	for range 3 {
		if _, err := client.Token(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	// Output: the vault is asked
}
