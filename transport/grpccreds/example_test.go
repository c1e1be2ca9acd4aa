package grpccreds_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// serve serves gRPC on loopback to those who have a token.
func serve() (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if len(metadata.ValueFromIncomingContext(ctx, "authorization")) == 0 {
				return nil, status.Error(codes.Unauthenticated, "no token")
			}
			return handle(ctx, req)
		}))
	healthgrpc.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener) // until Stop
	return listener.Addr().String(), server.Stop
}

func ExampleDialOptions() {
	login := cctest.NewServer(cctest.Options{}) // instead of your identity provider
	defer login.Close()
	address, stop := serve()
	defer stop()

	tokens, err := ccclient.New(ccclient.Config{
		TokenURL: login.TokenURL(),
		ClientID: "client",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString("secret")),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	conn, err := grpc.NewClient(address, append(
		grpccreds.DialOptions(tokens, grpccreds.Options{}),
		grpc.WithTransportCredentials(insecure.NewCredentials()), // fine on loopback; elsewhere use TLS
	)...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	resp, err := healthgrpc.NewHealthClient(conn).Check(context.Background(), &healthgrpc.HealthCheckRequest{})
	fmt.Println(resp.GetStatus(), err)
	// Output: SERVING <nil>
}

// A token for one call alone, by another client than the connection's.
func ExampleCredentials() {
	login := cctest.NewServer(cctest.Options{})
	defer login.Close()
	address, stop := serve()
	defer stop()

	tokens, err := ccclient.New(ccclient.Config{
		TokenURL: login.TokenURL(),
		ClientID: "client",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString("secret")),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer tokens.Close()

	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	admin := grpc.PerRPCCredentials(grpccreds.Credentials(tokens, grpccreds.Options{}))
	resp, err := healthgrpc.NewHealthClient(conn).Check(context.Background(), &healthgrpc.HealthCheckRequest{}, admin)
	fmt.Println(resp.GetStatus(), err)
	// Output: SERVING <nil>
}
