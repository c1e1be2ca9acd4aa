package grpccreds_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/credentials/local"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// counted counts how often it is asked for a token.
type counted struct {
	mu    sync.Mutex
	token string
	asked int
}

func (c *counted) Token(context.Context) (*oauth2.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return &oauth2.Token{AccessToken: c.token}, nil
}

type level struct{ credentials.CommonAuthInfo }

func (level) AuthType() string { return "test" }

// connection is a context as gRPC makes it for credentials.
func connection(t *testing.T, l credentials.SecurityLevel, remote net.Addr) context.Context {
	t.Helper()
	ctx := credentials.NewContextWithRequestInfo(t.Context(), credentials.RequestInfo{
		AuthInfo: level{credentials.CommonAuthInfo{SecurityLevel: l}},
	})
	return peer.NewContext(ctx, &peer.Peer{Addr: remote})
}

func tcp(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 443} }

func TestConnectionDecidesWhetherTheTokenMayGo(t *testing.T) {
	memory := bufconn.Listen(1).Addr()
	for name, tc := range map[string]struct {
		level    credentials.SecurityLevel
		remote   net.Addr
		uri      string
		insecure bool
		want     error
	}{
		"TLS":                                 {credentials.PrivacyAndIntegrity, tcp("192.0.2.1"), "https://api.example.com/s", false, nil},
		"integrity alone":                     {credentials.IntegrityOnly, tcp("192.0.2.1"), "https://api.example.com/s", false, transport.ErrInsecure},
		"nothing":                             {credentials.NoSecurity, tcp("192.0.2.1"), "https://api.example.com/s", false, transport.ErrInsecure},
		"nothing, with leave":                 {credentials.NoSecurity, tcp("192.0.2.1"), "https://api.example.com/s", true, nil},
		"loopback":                            {credentials.NoSecurity, tcp("127.0.0.1"), "https://localhost:50051/s", false, nil},
		"loopback, IPv6":                      {credentials.NoSecurity, tcp("::1"), "https://[::1]:50051/s", false, nil},
		"a proxy on loopback":                 {credentials.NoSecurity, tcp("127.0.0.1"), "https://api.example.com:50051/s", false, transport.ErrInsecure},
		"a server that is called so":          {credentials.NoSecurity, tcp("192.0.2.1"), "https://localhost/s", false, transport.ErrInsecure},
		"a name below localhost":              {credentials.NoSecurity, tcp("127.0.0.1"), "https://api.localhost/s", false, transport.ErrInsecure},
		"a Unix socket":                       {credentials.NoSecurity, &net.UnixAddr{Name: "/run/s", Net: "unix"}, "https://localhost/s", false, nil},
		"memory":                              {credentials.NoSecurity, memory, "https://bufnet/s", false, nil},
		"a connection of unknown whereabouts": {credentials.NoSecurity, nil, "https://localhost/s", false, transport.ErrInsecure},
	} {
		s := &counted{token: "token"}
		creds := grpccreds.Credentials(s, grpccreds.Options{InsecureTransport: tc.insecure})
		md, err := creds.GetRequestMetadata(connection(t, tc.level, tc.remote), tc.uri)
		if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if tc.want == nil {
			equal(t, name, md["authorization"], "Bearer token")
			continue
		}
		equal(t, name, code(t, err), "Unauthenticated")
		equal(t, name+": tokens asked for", s.asked, 0)
		if !strings.Contains(err.Error(), "InsecureTransport") {
			t.Errorf("%s: %v does not say what to do", name, err)
		}
	}
}

func TestContextThatIsNotGRPCsGetsNoToken(t *testing.T) {
	s := &counted{token: "token"}
	md, err := grpccreds.Credentials(s, grpccreds.Options{}).GetRequestMetadata(t.Context())
	if md != nil || !errors.Is(err, transport.ErrInsecure) {
		t.Error(md, err)
	}
	equal(t, "tokens asked for", s.asked, 0)
}

func TestOnlyAllowedHostsGetTheToken(t *testing.T) {
	for _, tc := range []struct {
		patterns string
		uri      string
		want     bool
	}{
		{"api.example.com", "https://api.example.com/s", true},
		{"api.example.com", "https://API.example.com:8443/s", true},
		{"api.example.com:443", "https://api.example.com/s", true},
		{"api.example.com:8443", "https://api.example.com:8443/s", true},
		{"api.example.com:8443", "https://api.example.com/s", false},
		{"*.example.com", "https://a.b.example.com/s", true},
		{"*.example.com", "https://example.com/s", false},
		{"[2001:db8::1]", "https://[2001:db8:0::1]:8443/s", true},
		{"other.example api.example.com", "https://api.example.com/s", true},
		{"api.example.com", "https://api.example.com.evil.example/s", false},
		{"api.example.com", "https://evil.example/api.example.com", false},
		{"https://api.example.com", "https://api.example.com/s", false},
		{"api.example.com", "", false},
	} {
		s := &counted{token: "token"}
		creds := grpccreds.Credentials(s, grpccreds.Options{AllowedHosts: strings.Fields(tc.patterns)})
		md, err := creds.GetRequestMetadata(connection(t, credentials.PrivacyAndIntegrity, tcp("192.0.2.1")), tc.uri)
		if got := err == nil && md["authorization"] == "Bearer token"; got != tc.want {
			t.Errorf("%q for %q: %v, %v", tc.patterns, tc.uri, md, err)
		}
		if !tc.want {
			equal(t, "code", code(t, err), "Unauthenticated")
			equal(t, "tokens asked for", s.asked, 0)
			if !errors.Is(err, transport.ErrHostNotAllowed) || !strings.Contains(err.Error(), "AllowedHosts") {
				t.Errorf("%q for %q: %v", tc.patterns, tc.uri, err)
			}
		}
	}
}

func TestAllowedHostsAreCopied(t *testing.T) {
	patterns := []string{"api.example.com"}
	creds := grpccreds.Credentials(&counted{token: "token"}, grpccreds.Options{AllowedHosts: patterns})
	patterns[0] = "evil.example"
	ctx := connection(t, credentials.PrivacyAndIntegrity, tcp("192.0.2.1"))
	if _, err := creds.GetRequestMetadata(ctx, "https://api.example.com/s"); err != nil {
		t.Error(err)
	}
}

// plain is a gRPC server without TLS on a listener, and the error of an RPC to target with credentials of both kinds.
func plain(
	t *testing.T, listener net.Listener, target string, o grpccreds.Options, opts ...grpc.DialOption,
) (*counted, error) {
	t.Helper()
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, &api{})
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(listener) })
	defer serving.Wait()
	defer server.Stop()
	s := &counted{token: "token"}
	conn, err := grpc.NewClient(target, append(opts, grpccreds.DialOptions(s, o)...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return s, kinds["both ways"](t.Context(), testgrpc.NewTestServiceClient(conn), "x")
}

func TestConnectionsWithoutTLSWithinThisMachineWork(t *testing.T) {
	loopback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	memory := bufconn.Listen(1 << 16)
	plaintext := grpc.WithTransportCredentials(insecure.NewCredentials())
	for _, tc := range []struct {
		listener net.Listener
		target   string
		opts     []grpc.DialOption
	}{
		{loopback, loopback.Addr().String(), []grpc.DialOption{plaintext}},
		{unix, "unix:" + unix.Addr().String(), []grpc.DialOption{grpc.WithTransportCredentials(local.NewCredentials())}},
		{memory, "passthrough:///bufnet", []grpc.DialOption{plaintext,
			grpc.WithContextDialer(
				func(ctx context.Context, _ string) (net.Conn, error) { return memory.DialContext(ctx) },
			)}},
	} {
		s, err := plain(t, tc.listener, tc.target, grpccreds.Options{}, tc.opts...)
		if err != nil || s.asked == 0 {
			t.Errorf("%s: %v after %d tokens", tc.target, err, s.asked)
		}
	}
}

func TestServerBehindProxyOnLoopbackGetsNoPlaintextToken(t *testing.T) {
	loopback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := plain(t, loopback, loopback.Addr().String(), grpccreds.Options{},
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("api.example.com"))
	equal(t, "code", code(t, err), "Unauthenticated")
	equal(t, "tokens asked for", s.asked, 0)
	if !errors.Is(err, transport.ErrInsecure) {
		t.Error(err)
	}
}

func TestCallersOwnAuthorizationIsLeftAlone(t *testing.T) {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	a := newAPI(t, as, bufconn.Listen(1<<16))
	var seen []string
	a.before = func(ctx context.Context, _ string, _ int32) error {
		seen = metadata.ValueFromIncomingContext(ctx, "authorization")
		return nil
	}
	own := grpccreds.Credentials(gives(&oauth2.Token{AccessToken: "own"}), grpccreds.Options{})
	for name, tc := range map[string]struct {
		ctx  context.Context
		opts []grpc.CallOption
	}{
		"metadata":                {metadata.AppendToOutgoingContext(t.Context(), "Authorization", "Bearer own"), nil},
		"metadata as map":         {metadata.NewOutgoingContext(t.Context(), metadata.MD{"authorization": {"Bearer own"}}), nil},
		"credentials of the call": {t.Context(), []grpc.CallOption{grpc.PerRPCCredentials(own)}},
	} {
		for _, streams := range []bool{false, true} {
			s := &counted{token: "token"}
			rpc, _ := a.dial(t, grpccreds.DialOptions(s, grpccreds.Options{})...)
			before := a.attempts.Load()
			var err error
			if streams {
				var stream testgrpc.TestService_FullDuplexCallClient
				if stream, err = rpc.FullDuplexCall(tc.ctx, tc.opts...); err == nil {
					_, err = stream.Recv()
				}
			} else {
				_, err = rpc.UnaryCall(tc.ctx, &testgrpc.SimpleRequest{}, tc.opts...)
			}
			equal(t, name, code(t, err), "Unauthenticated") // The server knows no such token.
			equal(t, name+": attempts", a.attempts.Load()-before, 1)
			equal(t, name+": sent", strings.Join(seen, ", "), "Bearer own")
			equal(t, name+": tokens asked for", s.asked, 0)
		}
	}
}

// other are credentials of a call that set something else.
type other struct{ err error }

func (other) RequireTransportSecurity() bool { return true }
func (o other) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"x-tenant": "1"}, o.err
}

func TestCallsOtherCredentialsGoBesideTheToken(t *testing.T) {
	r := newRig(t)
	if _, err := r.rpc.UnaryCall(t.Context(), &testgrpc.SimpleRequest{}, grpc.PerRPCCredentials(other{})); err != nil {
		t.Error(err)
	}
	_, err := r.rpc.UnaryCall(
		t.Context(), &testgrpc.SimpleRequest{}, grpc.PerRPCCredentials(other{errors.New("theirs")}),
	)
	if code(t, err) != "Internal" || !strings.Contains(err.Error(), "theirs") {
		t.Error(err)
	}
	equal(t, "token requests", r.as.Stats().TokenRequests, 1)
}
