// Command conformance is the client that the conformance suite of the Model Context Protocol drives: it connects to the
// server that its argument names, lists the tools, and calls one. The test beside it runs the suite.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport/mcpauth"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Args[len(os.Args)-1], os.Getenv("MCP_CONFORMANCE_CONTEXT")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// credentials are what the suite hands to the client. Scenarios that hand over nothing take anybody.
type credentials struct {
	ClientID   string `json:"client_id"`
	Secret     string `json:"client_secret"`
	PrivateKey string `json:"private_key_pem"`
}

func (c credentials) auth() (ccclient.Auth, error) {
	switch {
	case c.PrivateKey != "":
		key, err := ccclient.ParseKey([]byte(c.PrivateKey))
		if err != nil {
			return nil, err
		}
		return ccclient.PrivateKeyJWT(key.Signer, ccclient.AssertionOptions{}), nil
	case c.Secret != "":
		return ccclient.ClientSecretBasic(ccclient.SecretString(c.Secret)), nil
	}
	return ccclient.AuthFunc(func(_ context.Context, r ccclient.Request) (ccclient.Credentials, error) {
		return ccclient.Credentials{Form: url.Values{"client_id": {r.ClientID}}}, nil
	}), nil
}

func run(ctx context.Context, endpoint, given string) error {
	c := credentials{ClientID: "anybody"}
	if given != "" {
		if err := json.Unmarshal([]byte(given), &c); err != nil {
			return err
		}
	}
	method, err := c.auth()
	if err != nil {
		return err
	}
	clients := map[string]*ccclient.Client{}
	handler := mcpauth.Handler(mcpauth.Options{
		// The suite's servers are where they happen to be, so these credentials go to any. A program knows its issuers.
		Client: func(_ context.Context, issuer string) (*ccclient.Client, error) {
			if clients[issuer] == nil {
				client, err := ccclient.New(ccclient.Config{Issuer: issuer, ClientID: c.ClientID, Auth: method})
				if err != nil {
					return nil, err
				}
				clients[issuer] = client
			}
			return clients[issuer], nil
		},
	})
	defer func() {
		for _, client := range clients {
			client.Close()
		}
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "go-ccclient", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: endpoint, OAuthHandler: handler}, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	_, listed := session.ListTools(ctx, nil)
	_, called := session.CallTool(ctx, &mcp.CallToolParams{Name: "test-tool", Arguments: map[string]any{}})
	return errors.Join(listed, called) // A call that fails for want of a scope does not end the session.
}
