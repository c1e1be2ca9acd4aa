package mcpauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport/mcpauth"
)

// serve serves MCP on loopback to those who have a token of an authorization server.
func serve(login *cctest.Server) *httptest.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "1.0.0"}, nil)
	type in struct{ City string }
	mcp.AddTool(server, &mcp.Tool{Name: "forecast"}, func(
		_ context.Context, _ *mcp.CallToolRequest, args in,
	) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "sunny in " + args.City}}}, nil, nil
	})
	const place = "/.well-known/oauth-protected-resource/mcp"
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	protect := login.Protect(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	mux.Handle("/mcp", protect)
	mux.Handle(place, auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource: s.URL + "/mcp", AuthorizationServers: []string{login.URL()},
	}))
	return s
}

func ExampleHandler() {
	login := cctest.NewServer(cctest.Options{}) // instead of your identity provider
	defer login.Close()
	weather := serve(login)
	defer weather.Close()

	tokens, err := ccclient.New(ccclient.Config{
		Issuer:   login.URL(),
		ClientID: "client",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString("secret")),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	client := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1.0.0"}, nil)
	session, err := client.Connect(context.Background(), &mcp.StreamableClientTransport{
		Endpoint: weather.URL + "/mcp",
		OAuthHandler: mcpauth.Handler(mcpauth.Options{
			Client: func(_ context.Context, issuer string) (*ccclient.Client, error) {
				if issuer != login.URL() {
					return nil, nil // not one of ours: it gets nothing
				}
				return tokens, nil
			},
		}),
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	result, err := session.CallTool(context.Background(), &mcp.CallToolParams{
		Name: "forecast", Arguments: map[string]any{"City": "Oslo"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Content[0].(*mcp.TextContent).Text)
	// Output: sunny in Oslo
}
