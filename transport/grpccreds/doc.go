// Package grpccreds spends tokens on gRPC: it puts one on each RPC and has it replaced when the server rejects it.
//
// It is to gRPC what package transport is to HTTP. The tokens come from a [Source], which a *ccclient.Client is:
//
//	tokens, err := ccclient.New(ccclient.Config{
//		Issuer:   "https://login.example.com",
//		ClientID: "orders",
//		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
//		Scopes:   []string{"inventory.read"},
//	})
//	...
//	conn, err := grpc.NewClient("inventory.example.com:443", append(
//		grpccreds.DialOptions(tokens, grpccreds.Options{AllowedHosts: []string{"inventory.example.com"}}),
//		grpc.WithTransportCredentials(credentials.NewTLS(nil)),
//	)...)
//
// For what takes dial options rather than a connection, such as OpenTelemetry's exporters:
//
//	exporter, err := otlptracegrpc.New(ctx,
//		otlptracegrpc.WithEndpoint("collector.example.com:4317"),
//		otlptracegrpc.WithDialOption(grpccreds.DialOptions(tokens, grpccreds.Options{})...),
//	)
//
// # A rejected token
//
// An RPC that ends as UNAUTHENTICATED reports the token that it was sent with, which is no longer used then. If another
// is to be had, the RPC is repeated with that, once.
//
//   - A unary RPC can always be repeated.
//   - A stream is repeated as long as the caller has not seen anything of the answer: no message, no header, not its
//     Context either (as with gRPC's own retries). What the caller has sent until then is sent again, from copies; see
//     Options.ReplayLimit. Messages that are not Protocol Buffers cannot be copied, so a stream that has sent one is
//     not repeated. Otherwise the rejection is the caller's to see, and the next RPC has another token.
//
// Send, Recv, Header and CloseSend do not show that a stream was repeated. [grpc.OnFinish] and stats handlers see two
// RPCs. Interceptors that are given to gRPC before these options see one, those after them two. The retries of gRPC
// itself, transparent ones and those of a service config, work as ever; each attempt asks the Source anew, and costs
// nothing while the token is fresh.
//
// # Errors
//
// An RPC that cannot have a token is not sent. Its error is a status as any, and has the Source's error in it:
// errors.As finds a *ccclient.Error.
//
//	DEADLINE_EXCEEDED, CANCELED   the RPC's own context ended while it waited for a token
//	UNAVAILABLE                   the authorization server is down or cannot be reached: time may mend it
//	UNAUTHENTICATED               anything else: credentials that are refused, a connection that is not secure,
//	                              a host that is not allowed, a token that is not a Bearer token
//
// UNAVAILABLE is also the end of an RPC whose token was rejected while no other can be had for the time being, so that
// programs that retry do so. gRPC lets credentials use no code like FAILED_PRECONDITION (gRFC A54).
//
// RPCs wait for tokens on their own contexts: a deadline, the service config's timeout included, holds against an
// authorization server that hangs, and spans the repetition.
//
// # Guarantees
//
//   - A token goes over connections with privacy and integrity only (TLS, ALTS), and over those that do not leave the
//     machine: Unix sockets, memory (bufconn), and loopback, if both the peer's address and the authority are. This is
//     decided before a token is asked for, and so are the AllowedHosts.
//   - An RPC with an authorization of the caller's own, in its metadata or from [grpc.PerRPCCredentials] among its
//     options, is left alone, and no token is asked for. (The credentials of the call are asked twice to find out.)
//   - Neither errors nor the printed form of any type here holds a token.
//   - Only Bearer tokens are sent: DPoP is for HTTP (RFC 9449), and such a token is an error that says so.
//
// The server should do its part: answer UNAUTHENTICATED, for a bad token alone, and before it does anything;
// PERMISSION_DENIED is for what another token of the same client does not change.
package grpccreds
