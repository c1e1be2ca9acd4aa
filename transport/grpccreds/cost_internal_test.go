package grpccreds

import (
	"context"
	"net"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

type fixed struct{ token *oauth2.Token }

func (f fixed) Token(context.Context) (*oauth2.Token, error) { return f.token, nil }

type secured struct{ credentials.CommonAuthInfo }

func (secured) AuthType() string { return "test" }

var audience = []string{"https://api.example.com/package.Service"}

// attempt is the context that gRPC makes for the credentials, above the RPC's.
func attempt(rpc context.Context) context.Context {
	ctx := peer.NewContext(rpc, &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}})
	return credentials.NewContextWithRequestInfo(ctx, credentials.RequestInfo{
		AuthInfo: secured{credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}},
	})
}

func cached() *creds {
	tok := &oauth2.Token{AccessToken: strings.Repeat("t", 1<<10)}
	return newCreds(fixed{tok}, Options{AllowedHosts: []string{"*.example.com"}})
}

// nothing is the stream below.
type nothing struct{ grpc.ClientStream }

func TestCachedTokenCostsTwoAllocationsPerRPC(t *testing.T) {
	c := cached()
	alone := attempt(t.Context())
	open := func(
		ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		return nothing{}, metadataOf(c, ctx)
	}
	rpcs := map[string]struct {
		most float64
		rpc  func(ctx context.Context)
	}{
		"Credentials": {2, func(context.Context) { // gRPC's interface wants a map, which is two
			if md, err := c.GetRequestMetadata(alone, audience...); err != nil || len(md) != 1 {
				t.Fatal(md, err)
			}
		}},
		"DialOptions, unary": {1, func(ctx context.Context) {
			err := c.unary(ctx, "", nil, nil, nil, func(
				ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption,
			) error {
				return metadataOf(c, ctx)
			})
			if err != nil {
				t.Fatal(err)
			}
		}},
		"DialOptions, stream": {1, func(ctx context.Context) {
			s, err := c.stream(ctx, nil, nil, "", open)
			if err != nil || s == nil {
				t.Fatal(err)
			}
		}},
	}
	// What attempt costs is gRPC's.
	gRPCs := testing.AllocsPerRun(100, func() { sink = attempt(t.Context()) })
	for name, tc := range rpcs {
		n := testing.AllocsPerRun(100, func() { tc.rpc(t.Context()) })
		if name != "Credentials" {
			n -= gRPCs
		}
		if n > tc.most {
			t.Errorf("%s: %v allocations, want %v at most", name, n, tc.most)
		}
	}
}

var sink context.Context

func metadataOf(c *creds, rpc context.Context) error {
	_, err := c.GetRequestMetadata(attempt(rpc), audience...)
	return err
}

func BenchmarkGetRequestMetadata(b *testing.B) {
	c := cached()
	for name, rpc := range map[string]context.Context{
		"Credentials": b.Context(), "DialOptions": &call{Context: b.Context(), creds: c},
	} {
		ctx := attempt(rpc)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.GetRequestMetadata(ctx, audience...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
