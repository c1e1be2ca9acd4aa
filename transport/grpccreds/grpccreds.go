package grpccreds

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/ccclient/go-ccclient/transport"
)

// A Source returns the token for an RPC, as a ccclient.Client does. It is asked once for each attempt, on the RPC's
// context, so it should keep its tokens. One that is a [transport.Invalidator] too is told which token was rejected.
type Source = transport.Source

// Options say who may have the token, and what is kept for a repetition. The zero value is good.
type Options struct {
	// AllowedHosts are the only servers that may have the token, by their authority: "api.example.com" (any port),
	// "host:8443", "*.example.com" (one or more labels, not example.com itself). Without a port an authority means 443.
	// Empty means any.
	AllowedHosts []string

	// InsecureTransport allows connections without TLS beyond this machine, where anybody on the way can take the
	// token. Connections within it need no such leave: see the package comment.
	InsecureTransport bool

	// ReplayLimit is how many bytes of a stream's own messages are kept, until the server answers, so that they can be
	// sent again after a rejection. A message counts as its Protocol Buffers encoding and five bytes for its frame.
	// 0 means 64 KiB, which a repetition sends without waiting for the server to read; with more it may have to wait.
	// Negative means none. It does not concern unary RPCs, which can always be repeated.
	ReplayLimit int
}

const defaultReplayLimit = 64 << 10

// Credentials returns what puts a token from s on each RPC, for [grpc.WithPerRPCCredentials] and
// [grpc.PerRPCCredentials]. By itself it repeats nothing: an RPC whose token is rejected ends as UNAUTHENTICATED, and s
// is not told. Use [DialOptions] unless something else does that.
//
// Whether a connection is secure is decided at each RPC, so that loopback can be excepted: RequireTransportSecurity is
// false, and grpc.NewClient does not refuse the combination with insecure connections; the RPCs do.
func Credentials(s Source, o Options) credentials.PerRPCCredentials { return newCreds(s, o) }

// DialOptions returns what [grpc.NewClient] needs so that each RPC of the connection has a token from s, and is
// repeated once with another if the server rejects that. Give it once for a connection, and no other credentials that
// set "authorization".
func DialOptions(s Source, o Options) []grpc.DialOption {
	c := newCreds(s, o)
	return []grpc.DialOption{
		grpc.WithPerRPCCredentials(c),
		grpc.WithChainUnaryInterceptor(c.unary),
		grpc.WithChainStreamInterceptor(c.stream),
	}
}

// RequireTransportSecurity is false: GetRequestMetadata knows the connection, and decides.
func (c *creds) RequireTransportSecurity() bool { return false }

// GetRequestMetadata returns the token for one attempt at an RPC. Its errors have a status that gRPC passes on as it
// is. It returns nothing at all for an RPC that has an authorization of its own.
func (c *creds) GetRequestMetadata(ctx context.Context, uri ...string) (map[string]string, error) {
	call := c.callOf(ctx)
	if call != nil {
		call.begin(ctx)
	}
	if ownAuthorization(ctx) || call.ownCredentials(ctx, uri) {
		return nil, nil
	}
	if err := c.allowed(ctx, uri); err != nil {
		return nil, err
	}
	tok, err := c.source.Token(ctx)
	if err != nil {
		return nil, failure(ctx, err, nil)
	}
	cred, err := c.credential(tok)
	if err != nil {
		return nil, err
	}
	if call == nil {
		return map[string]string{authorization: cred.value}, nil // the caller's to keep: it may be anybody
	}
	call.used.Store(cred)
	return cred.metadata, nil // gRPC's own, by way of DialOptions, and gRPC only reads it
}
