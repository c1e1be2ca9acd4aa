// Package mcpauth gets tokens for servers of the Model Context Protocol: it is an [auth.OAuthHandler] of the official
// Go SDK for programs that have credentials of their own and no user to ask.
//
// It is to an MCP session what package transport is to HTTP. The tokens come from a [ccclient.Client]: kept, renewed
// before they expire, and shared.
//
//	tokens, err := ccclient.New(ccclient.Config{
//		Issuer:   "https://login.example.com",
//		ClientID: "agent",
//		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
//	})
//	...
//	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{
//		Endpoint: "https://mcp.example.com/mcp",
//		OAuthHandler: mcpauth.Handler(mcpauth.Options{
//			Client: func(ctx context.Context, issuer string) (*ccclient.Client, error) {
//				if issuer != "https://login.example.com" {
//					return nil, nil // not one of ours
//				}
//				return tokens, nil
//			},
//		}),
//	}, nil)
//
// # What happens at a challenge
//
// The first request goes without a token, and the server answers 401. What follows is the authorization specification
// of MCP (2025-11-25) with its extension for client credentials:
//
//   - The metadata of the MCP server are read (RFC 9728), from where its challenge says that they are, else from the
//     well-known place for its path, then from that of its root. They must be for the URL that was asked, to the
//     letter; those of the root may be for the origin. They are kept for ten minutes.
//   - Of the authorization servers that they name, in their order, the first is used that Options.Client has a client
//     for. Credentials belong to an issuer: nothing is sent to a server that only the MCP server names.
//   - The token is asked for with the resource parameter (RFC 8707), and with the scopes of the challenge, else with
//     all scopes_supported, else with those of the client's Config.
//
// Later, a 401 reports the token as rejected, and another is asked for; a challenge that names scopes, with a 403 or
// with insufficient_scope, is met by a token for all scopes so far and these. The SDK then repeats the request, once.
// It ends the session if that fails too, so where another token cannot help, the request fails instead and the session
// goes on: when there is no other token yet, when the scopes were asked for already or are not granted, and from the
// 17th time on that a server wants more.
//
// # Guarantees
//
//   - A token goes to https, or loopback, only: to the MCP server, if AllowedHosts of the client's Config has it. The
//     metadata must be there too. Redirects to other servers are not challenges.
//   - A call waits for a token on its own context, and the session outlives its end. Where the SDK has no context of a
//     call to wait on, and holds up the others meanwhile, the wait is a second, and not repeated until a token has
//     come. A token that is renewed depends on no call.
//   - Metadata are bounded (1 MiB, 10 s, 64 servers, 256 scopes), and foreign text in errors is cleaned.
//   - Only Bearer tokens are sent: the SDK has no way to send DPoP proofs.
//
// # Conformance
//
// internal/conformance runs the official suite, npm package @modelcontextprotocol/conformance, against this package.
// Green are auth/client-credentials-basic, auth/client-credentials-jwt and auth/resource-mismatch. The scenarios
// auth/metadata-* and auth/scope-* cannot be: they want the client to register itself (client-registration) and to
// send a user to the authorization endpoint (authorization-request, and all of scope-*, which look at nothing else).
// The test runs them too: all else in them succeeds, and the token requests have the scopes that the scenario wants to
// see.
package mcpauth
