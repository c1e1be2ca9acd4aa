package grpccreds_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// An api is a gRPC server over TLS that honours the tokens of an authorization server, and answers in the way of
// gRPC's own interoperability tests.
type api struct {
	testgrpc.UnimplementedTestServiceServer
	as       *cctest.Server
	server   *grpc.Server
	listener net.Listener // in memory, or of a socket

	attempts atomic.Int32 // RPCs that arrived
	rejected atomic.Int32 // of them, for their token

	// before, if set, has the first word on an RPC. An error of it is the answer.
	before func(ctx context.Context, method string, n int32) error
	// after, if set, runs before an RPC whose token is not good is rejected.
	after func(ctx context.Context, stream grpc.ServerStream)
	// deaf, if set, is FullDuplexCall instead.
	deaf func(stream testgrpc.TestService_FullDuplexCallServer) error
}

func newAPI(t *testing.T, as *cctest.Server, listener net.Listener, services ...func(*grpc.Server)) *api {
	t.Helper()
	certificate, err := as.CA().Issue("api.example.com", "api.example.com", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	a := &api{as: as, listener: listener}
	a.server = grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&certificate)),
		grpc.UnaryInterceptor(func(
			ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
		) (any, error) {
			if err := a.admit(ctx, info.FullMethod, nil); err != nil {
				return nil, err
			}
			return next(ctx, req)
		}),
		grpc.StreamInterceptor(func(
			srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
		) error {
			if err := a.admit(ss.Context(), info.FullMethod, ss); err != nil {
				return err
			}
			return next(srv, ss)
		}),
	)
	testgrpc.RegisterTestServiceServer(a.server, a)
	for _, register := range services {
		register(a.server)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := a.server.Serve(listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		a.server.Stop()
		serving.Wait()
	})
	return a
}

func (a *api) admit(ctx context.Context, method string, ss grpc.ServerStream) error {
	n := a.attempts.Add(1)
	if a.before != nil {
		if err := a.before(ctx, method, n); err != nil {
			return err
		}
	}
	if a.good(ctx) {
		return nil
	}
	if a.after != nil {
		a.after(ctx, ss)
	}
	a.rejected.Add(1)
	return status.Error(codes.Unauthenticated, "the token is not good")
}

// good asks the authorization server.
func (a *api) good(ctx context.Context) bool {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) != 1 {
		return false
	}
	req := httptest.NewRequest("GET", "https://api.example.com/", nil)
	req.Header.Set("Authorization", values[0])
	w := httptest.NewRecorder()
	a.as.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, req)
	return w.Code == http.StatusOK
}

// UnaryCall returns the payload.
func (a *api) UnaryCall(ctx context.Context, req *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return &testgrpc.SimpleResponse{Payload: req.Payload}, nil
}

// StreamingInputCall returns how many bytes came.
func (a *api) StreamingInputCall(stream testgrpc.TestService_StreamingInputCallServer) error {
	var n int
	for {
		req, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&testgrpc.StreamingInputCallResponse{AggregatedPayloadSize: int32(n)})
		}
		if err != nil {
			return err
		}
		n += len(req.Payload.GetBody())
	}
}

// StreamingOutputCall returns the payload as often as asked to.
func (a *api) StreamingOutputCall(
	req *testgrpc.StreamingOutputCallRequest, stream testgrpc.TestService_StreamingOutputCallServer,
) error {
	for range req.ResponseParameters {
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: req.Payload}); err != nil {
			return err
		}
	}
	return nil
}

// FullDuplexCall returns each payload.
func (a *api) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	if a.deaf != nil {
		return a.deaf(stream)
	}
	for {
		req, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: req.Payload}); err != nil {
			return err
		}
	}
}

// newClient returns a client of as that needs no sockets.
func newClient(t *testing.T, as *cctest.Server) *ccclient.Client {
	t.Helper()
	c, err := ccclient.New(ccclient.Config{
		TokenURL: "https://as.example.com/token", ClientID: cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: as.RoundTripper()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// trusting trusts the servers that as has issued certificates to.
func trusting(as *cctest.Server) *tls.Config { return &tls.Config{RootCAs: as.CA().Pool()} }

// dial connects to a over TLS.
func (a *api) dial(t *testing.T, opts ...grpc.DialOption) (testgrpc.TestServiceClient, *grpc.ClientConn) {
	t.Helper()
	target := a.listener.Addr().String()
	if memory, ok := a.listener.(*bufconn.Listener); ok {
		target = "passthrough:///api.example.com"
		opts = append(opts, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return memory.DialContext(ctx)
		}))
	}
	trust := credentials.NewTLS(trusting(a.as))
	conn, err := grpc.NewClient(target, append([]grpc.DialOption{grpc.WithTransportCredentials(trust)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return testgrpc.NewTestServiceClient(conn), conn
}

// A rig is everything together, in memory.
type rig struct {
	*api
	client *ccclient.Client
	rpc    testgrpc.TestServiceClient
	conn   *grpc.ClientConn
}

func newRig(t *testing.T, opts ...grpc.DialOption) *rig {
	return newRigWith(t, grpccreds.Options{}, opts...)
}

func newRigWith(t *testing.T, o grpccreds.Options, opts ...grpc.DialOption) *rig {
	t.Helper()
	as := cctest.NewServer(cctest.Options{})
	t.Cleanup(as.Close)
	r := &rig{api: newAPI(t, as, bufconn.Listen(1<<20)), client: newClient(t, as)}
	r.rpc, r.conn = r.dial(t, append(grpccreds.DialOptions(r.client, o), opts...)...)
	return r
}

// revoke makes the client's present token void, without the client's knowledge.
func (r *rig) revoke(t *testing.T) {
	t.Helper()
	tok, err := r.client.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.as.Revoke(tok.AccessToken)
}

func payload(text string) *testgrpc.Payload { return &testgrpc.Payload{Body: []byte(text)} }

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

const long = time.Minute // virtual
