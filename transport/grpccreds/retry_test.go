package grpccreds_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// script is a source that returns one token after the other, and notes which were rejected.
type script struct {
	mu       sync.Mutex
	tokens   []*oauth2.Token
	asked    int
	rejected []string
}

func (s *script) Token(context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.tokens[0], nil
}

func (s *script) Invalidate(tok *oauth2.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected = append(s.rejected, tok.AccessToken)
	if len(s.tokens) > 1 && s.tokens[0].AccessToken == tok.AccessToken {
		s.tokens = s.tokens[1:]
	}
}

func tokens(texts ...string) (list []*oauth2.Token) {
	for _, text := range texts {
		list = append(list, &oauth2.Token{AccessToken: text})
	}
	return list
}

func TestRejectedTokenIsReportedAndTheRPCRepeatedOnce(t *testing.T) {
	for kind, rpc := range kinds {
		for name, tc := range map[string]struct {
			tokens   []*oauth2.Token
			attempts int32
			rejected []string
		}{
			"another token":     {tokens("first", "second", "third"), 2, []string{"first"}},
			"no other":          {tokens("first"), 1, []string{"first"}},
			"the same again":    {tokens("first", "first"), 1, []string{"first"}},
			"one of wrong kind": {[]*oauth2.Token{{AccessToken: "first"}, {AccessToken: "second", TokenType: "DPoP"}}, 1, []string{"first"}},
			"an empty one":      {tokens("first", ""), 1, []string{"first"}},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := newAPI(t, cctest.NewServer(cctest.Options{}), bufconn.Listen(1<<16))
					s := &script{tokens: tc.tokens}
					client, _ := a.dial(t, grpccreds.DialOptions(s, grpccreds.Options{})...)
					err := rpc(t.Context(), client, "x") // No token is good.
					equal(t, "code", code(t, err), "Unauthenticated")
					equal(t, "attempts", a.attempts.Load(), tc.attempts)
					if !slices.Equal(s.rejected, tc.rejected) {
						t.Errorf("rejected: %q, want %q", s.rejected, tc.rejected)
					}
				})
			})
		}
	}
}

func TestCredentialsAloneRepeatNothing(t *testing.T) {
	a := newAPI(t, cctest.NewServer(cctest.Options{}), bufconn.Listen(1<<16))
	s := &script{tokens: tokens("first", "second")}
	client, _ := a.dial(t, grpc.WithPerRPCCredentials(grpccreds.Credentials(s, grpccreds.Options{})))
	for _, rpc := range kinds {
		equal(t, "code", code(t, rpc(t.Context(), client, "x")), "Unauthenticated")
	}
	equal(t, "attempts", a.attempts.Load(), int32(len(kinds)))
	equal(t, "rejected", len(s.rejected), 0)
}

func TestSourceThatIsNoInvalidatorMayHaveAnotherToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		a := newAPI(t, as, bufconn.Listen(1<<16))
		good, n := newClient(t, as), 0
		client, _ := a.dial(t, grpccreds.DialOptions(source(func(ctx context.Context) (*oauth2.Token, error) {
			if n++; n == 1 {
				return &oauth2.Token{AccessToken: "old"}, nil
			}
			return good.Token(ctx)
		}), grpccreds.Options{})...)
		if err := kinds["unary"](t.Context(), client, "x"); err != nil {
			t.Error(err)
		}
		equal(t, "attempts", a.attempts.Load(), 2)
	})
}

func TestOtherFailuresAreNotRepeated(t *testing.T) {
	for _, c := range []codes.Code{codes.PermissionDenied, codes.Unavailable, codes.Internal, codes.DeadlineExceeded} {
		for kind, rpc := range kinds {
			t.Run(c.String()+", "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.before = func(context.Context, string, int32) error { return status.Error(c, "no") }
					equal(t, "code", code(t, rpc(t.Context(), r.rpc, "x")), c.String())
					equal(t, "attempts", r.attempts.Load(), 1)
					equal(t, "token requests", r.as.Stats().TokenRequests, 1)
				})
			})
		}
	}
}

// gRPC itself tries again what is Unavailable.
const retries = `{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":4,"initialBackoff":"0.01s","maxBackoff":"0.01s",` +
	`"backoffMultiplier":2,"retryableStatusCodes":["UNAVAILABLE"]}}]}`

func TestRetriesOfGRPCItselfKeepWorking(t *testing.T) {
	// Not in a bubble: gRPC waits between attempts with a mutex held, at which a sender stops the virtual clock.
	for kind, rpc := range kinds {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t, grpc.WithDefaultServiceConfig(retries))
			r.warm(t)
			r.revoke(t)
			r.attempts.Store(0)
			r.before = func(_ context.Context, _ string, n int32) error {
				if n%2 == 1 { // before the rejection, and after it
					return status.Error(codes.Unavailable, "not now")
				}
				return nil
			}
			if err := rpc(t.Context(), r.rpc, "x"); err != nil {
				t.Error(err)
			}
			equal(t, "attempts", r.attempts.Load(), 4)
			equal(t, "rejected", r.rejected.Load(), 1)
		})
	}
}

// slowSender waits between opening a stream and sending on it.
type slowSender struct{}

func (slowSender) HandleRPC(_ context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.OutHeader); ok {
		time.Sleep(time.Second)
	}
}

func (slowSender) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (slowSender) HandleConn(context.Context, stats.ConnStats)                       {}
func (slowSender) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func TestAnswerBeforeAllIsSentAgainByGRPCIsNoSuccess(t *testing.T) {
	inOrder := map[string]func(ctx context.Context, rpc testgrpc.TestServiceClient, text string) error{
		"client stream": kinds["client stream"],
		"server stream": kinds["server stream"],
		"both ways": func(ctx context.Context, rpc testgrpc.TestServiceClient, text string) error {
			stream, err := rpc.FullDuplexCall(ctx)
			if err != nil {
				return err
			}
			for range 3 {
				stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(text)})
			}
			stream.CloseSend()
			got, err := rest(stream)
			return same(err, text+text+text, got)
		},
	}
	for kind, rpc := range inOrder {
		for name, tc := range map[string]struct {
			answer   error // to the second attempt, and from then on to the even ones; nil: as the token is
			code     string
			attempts int32
		}{
			"rejected":        {nil, "OK", 4},
			"denied":          {status.Error(codes.PermissionDenied, "no"), "PermissionDenied", 2},
			"never available": {status.Error(codes.Unavailable, "not now"), "Unavailable", 4},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, grpc.WithDefaultServiceConfig(retries), grpc.WithStatsHandler(slowSender{}))
					r.warm(t)
					r.revoke(t)
					r.attempts.Store(0)
					r.before = func(_ context.Context, _ string, n int32) error {
						if n%2 == 1 {
							time.Sleep(2 * time.Second) // All has been sent, and the answer is waited for.
							return status.Error(codes.Unavailable, "not now")
						}
						return tc.answer // at once
					}
					equal(t, "code", code(t, rpc(t.Context(), r.rpc, "x")), tc.code)
					equal(t, "attempts", r.attempts.Load(), tc.attempts)
				})
			})
		}
	}
}

func TestRequestThatTheServerDidNotReadIsSentAgain(t *testing.T) {
	// A tap handle rejects by the header alone, as proxies do.
	synctest.Test(t, func(t *testing.T) {
		l := bufconn.Listen(1 << 16)
		var arrived int // The rejected ones are of one connection, in whose order they come.
		server := grpc.NewServer(grpc.InTapHandle(func(ctx context.Context, i *tap.Info) (context.Context, error) {
			if arrived++; arrived > 1 && i.Header["authorization"][0] == "Bearer first" {
				return nil, status.Error(codes.Unauthenticated, "the token is not good")
			}
			return ctx, nil
		}), grpc.UnaryInterceptor(func(
			ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler,
		) (any, error) {
			if values := metadata.ValueFromIncomingContext(ctx, "authorization"); values[0] == "Bearer first" {
				time.Sleep(2 * time.Second) // All has been sent.
				return nil, status.Error(codes.Unavailable, "not now")
			}
			return next(ctx, req)
		}))
		a := &api{as: cctest.NewServer(cctest.Options{}), listener: l}
		testgrpc.RegisterTestServiceServer(server, a)
		var serving sync.WaitGroup
		serving.Go(func() { server.Serve(l) })
		defer serving.Wait()
		defer server.Stop()
		s := &script{tokens: tokens("first", "second")}
		rpc, _ := a.dial(t, append(grpccreds.DialOptions(s, grpccreds.Options{}), grpc.WithStatsHandler(slowSender{}),
			grpc.WithDefaultServiceConfig(retries), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
		equal(t, "code", code(t, kinds["unary"](t.Context(), rpc, "x")), "OK")
		equal(t, "arrived", arrived, 4)
		if !slices.Equal(s.rejected, []string{"first"}) {
			t.Errorf("rejected: %q", s.rejected)
		}
	})
}

func TestEmptyStreamAfterRetryOfGRPCIsSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, grpc.WithDefaultServiceConfig(retries))
		r.before = func(_ context.Context, _ string, n int32) error {
			if n == 1 {
				return status.Error(codes.Unavailable, "not now")
			}
			return nil
		}
		r.deaf = func(testgrpc.TestService_FullDuplexCallServer) error { return nil }
		stream := duplex(t, r)
		if resp, err := stream.Recv(); err != io.EOF {
			t.Errorf("%v, %v", resp, err)
		}
		equal(t, "attempts", r.attempts.Load(), 2)
	})
}

func TestDeadlineOfTheServiceConfigSpansTheRepetition(t *testing.T) {
	for kind, rpc := range kinds {
		t.Run(kind, func(t *testing.T) {
			revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
				r.before = func(ctx context.Context, _ string, n int32) error {
					pause := time.NewTimer(300 * time.Millisecond)
					defer pause.Stop()
					select {
					case <-pause.C:
					case <-ctx.Done():
					}
					return nil
				}
				start := time.Now()
				err := rpc(t.Context(), r.rpc, "x")
				equal(t, "took", time.Since(start), 500*time.Millisecond)
				equal(t, "code", code(t, err), "DeadlineExceeded")
				equal(t, "attempts", r.attempts.Load(), 2)
			}, timeout(true))
		})
	}
}

func TestHeaderAndTrailerOfTheCallAreOfTheSecondAnswer(t *testing.T) {
	revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
		r.before = func(ctx context.Context, _ string, n int32) error {
			grpc.SetHeader(ctx, metadata.Pairs("x-attempt", string('0'+n)))
			grpc.SetTrailer(ctx, metadata.Pairs("x-attempt", string('0'+n)))
			return nil
		}
		var header, trailer metadata.MD
		_, err := r.rpc.UnaryCall(t.Context(), &testgrpc.SimpleRequest{}, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil {
			t.Error(err)
		}
		if !slices.Equal(header["x-attempt"], []string{"2"}) || !slices.Equal(trailer["x-attempt"], []string{"2"}) {
			t.Errorf("header %v, trailer %v", header, trailer)
		}
	})
}

func TestRPCsWithinAnRPCHaveNotesOfTheirOwn(t *testing.T) {
	// The context of a stream of one connection is the parent of an RPC of another: its rejection is its own.
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		a := newAPI(t, as, bufconn.Listen(1<<16))
		a.deaf = func(stream testgrpc.TestService_FullDuplexCallServer) error {
			stream.Recv() // the end
			return status.Error(codes.Unauthenticated, "it has expired meanwhile")
		}
		tok, err := newClient(t, as).Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		outer, inner := &script{tokens: []*oauth2.Token{tok}}, &script{tokens: tokens("bad")}
		rpc, _ := a.dial(t, grpccreds.DialOptions(outer, grpccreds.Options{})...)
		other, _ := a.dial(t, grpc.WithPerRPCCredentials(grpccreds.Credentials(inner, grpccreds.Options{})))
		stream, err := rpc.FullDuplexCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "code", code(t, kinds["unary"](stream.Context(), other, "x")), "Unauthenticated")
		stream.CloseSend()
		_, err = rest(stream)
		equal(t, "code", code(t, err), "Unauthenticated")
		if !slices.Equal(outer.rejected, []string{tok.AccessToken}) {
			t.Errorf("%d other tokens were reported", len(outer.rejected))
		}
	})
}
