package grpccreds_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ccclient/go-ccclient/transport/grpccreds"
)

// revoked runs f in a bubble with a rig whose client has a token that has been revoked.
func revoked(t *testing.T, o grpccreds.Options, f func(t *testing.T, r *rig), opts ...grpc.DialOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRigWith(t, o, opts...)
		r.warm(t)
		r.revoke(t)
		r.attempts.Store(0)
		f(t, r)
	})
}

func duplex(t *testing.T, r *rig) testgrpc.TestService_FullDuplexCallClient {
	t.Helper()
	stream, err := r.rpc.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient, text string) {
	t.Helper()
	if err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(text)}); err != nil {
		t.Error(err)
	}
}

// rest receives until the end.
func rest(stream testgrpc.TestService_FullDuplexCallClient) (string, error) {
	var got strings.Builder
	for {
		resp, err := stream.Recv()
		if err == io.EOF {
			return got.String(), nil
		}
		if err != nil {
			return got.String(), err
		}
		got.Write(resp.Payload.Body)
	}
}

func TestStreamIsRepeatedWhoeverLearnsOfTheRejection(t *testing.T) {
	for name, learn := range map[string]func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient){
		"receiver": func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
			send(t, stream, "a")
			send(t, stream, "b")
			stream.CloseSend()
		},
		"sender": func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
			send(t, stream, "a")
			time.Sleep(time.Second) // The rejection has come.
			send(t, stream, "b")
			stream.CloseSend()
		},
		"sender, by what is first": func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
			time.Sleep(time.Second)
			send(t, stream, "a")
			send(t, stream, "b")
			stream.CloseSend()
		},
		"whoever asks for the header": func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
			send(t, stream, "a")
			send(t, stream, "b")
			if md, err := stream.Header(); err != nil || md == nil {
				t.Error(md, err)
			}
			stream.CloseSend()
		},
		"header after the end": func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
			send(t, stream, "a")
			send(t, stream, "b")
			stream.CloseSend()
			time.Sleep(time.Second)
			if md, err := stream.Header(); err != nil || md == nil {
				t.Error(md, err)
			}
		},
		"nobody, before all is sent": func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
			send(t, stream, "a")
			send(t, stream, "b")
			time.Sleep(time.Second)
			stream.CloseSend()
		},
	} {
		t.Run(name, func(t *testing.T) {
			revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
				stream := duplex(t, r)
				learn(t, stream)
				got, err := rest(stream)
				if err != nil {
					t.Error(err)
				}
				equal(t, "received", got, "ab")
				equal(t, "attempts", r.attempts.Load(), 2)
				if err := stream.RecvMsg(new(testgrpc.StreamingOutputCallResponse)); err != io.EOF {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}

func TestSenderAndReceiverMayLearnOfTheRejectionTogether(t *testing.T) {
	for range 5 {
		revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
			stream := duplex(t, r)
			var sending, looking sync.WaitGroup
			sending.Go(func() {
				for i := range 100 {
					send(t, stream, fmt.Sprintln(i))
				}
				stream.CloseSend()
			})
			looking.Go(func() {
				if md, err := stream.Header(); err != nil || md == nil {
					t.Error(md, err)
				}
			})
			got, err := rest(stream)
			sending.Wait()
			looking.Wait()
			if err != nil {
				t.Error(err)
			}
			var want strings.Builder
			for i := range 100 {
				fmt.Fprintln(&want, i)
			}
			equal(t, "received", got, want.String())
			equal(t, "attempts", r.attempts.Load(), 2)
		})
	}
}

func TestMessagesAreSentAgainAsTheyWere(t *testing.T) {
	revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
		stream := duplex(t, r)
		req := &testgrpc.StreamingOutputCallRequest{Payload: &testgrpc.Payload{Body: make([]byte, 1)}}
		for _, c := range "abc" { // one message and one buffer for all, as programs that send files have
			req.Payload.Body[0] = byte(c)
			if err := stream.Send(req); err != nil {
				t.Fatal(err)
			}
		}
		stream.CloseSend()
		got, err := rest(stream)
		if err != nil {
			t.Error(err)
		}
		equal(t, "received", got, "abc")
	})
}

func TestStreamIsRepeatedUpToTheReplayLimit(t *testing.T) {
	fits := &testgrpc.StreamingOutputCallRequest{Payload: payload(strings.Repeat("x", 1000))}
	size := proto.Size(fits) + 5
	for _, tc := range []struct {
		limit, messages int
		want            codes.Code
	}{
		{3 * size, 3, codes.OK},
		{3*size - 1, 3, codes.Unauthenticated},
		{0, 64<<10/size - 1, codes.OK},
		{0, 64<<10/size + 1, codes.Unauthenticated},
		{-1, 0, codes.OK},
		{-1, 1, codes.Unauthenticated},
	} {
		revoked(t, grpccreds.Options{ReplayLimit: tc.limit}, func(t *testing.T, r *rig) {
			r.after = func(context.Context, grpc.ServerStream) { time.Sleep(time.Second) } // until all is sent
			stream := duplex(t, r)
			for range tc.messages {
				if err := stream.Send(fits); err != nil {
					t.Error(err)
				}
			}
			stream.CloseSend()
			got, err := rest(stream)
			equal(t, "code", code(t, err), tc.want.String())
			if tc.want == codes.OK {
				equal(t, "bytes", len(got), tc.messages*1000)
			}
			if err := kinds["both ways"](t.Context(), r.rpc, "x"); err != nil { // The token is known to be bad.
				t.Error(err)
			}
		})
	}
}

func TestSendAfterRejectionThatCannotBeMendedIsEOF(t *testing.T) {
	revoked(t, grpccreds.Options{ReplayLimit: -1}, func(t *testing.T, r *rig) {
		stream := duplex(t, r)
		time.Sleep(time.Second)
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{}); err != io.EOF {
			t.Error(err)
		}
		_, err := stream.Recv()
		equal(t, "code", code(t, err), "Unauthenticated")
		_, err = stream.Recv()
		equal(t, "code", code(t, err), "Unauthenticated")
		equal(t, "attempts", r.attempts.Load(), 1)
	})
}

func TestSendAfterAnyOtherEndIsEOF(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.before = func(context.Context, string, int32) error { return status.Error(codes.PermissionDenied, "no") }
		stream := duplex(t, r)
		time.Sleep(time.Second)
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{}); err != io.EOF {
			t.Error(err)
		}
		for range 2 {
			_, err := stream.Recv()
			equal(t, "code", code(t, err), "PermissionDenied")
		}
		if md, err := stream.Header(); md != nil || err != nil {
			t.Error(md, err)
		}
		equal(t, "attempts", r.attempts.Load(), 1)
		equal(t, "token requests", r.as.Stats().TokenRequests, 1)
	})
}

func TestNothingIsRepeatedOnceTheCallerHasSeenSomething(t *testing.T) {
	for name, tc := range map[string]struct {
		answer func(ctx context.Context, ss grpc.ServerStream)
		see    func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient)
		again  bool
	}{
		"message": {
			func(_ context.Context, ss grpc.ServerStream) {
				ss.SendMsg(&testgrpc.StreamingOutputCallResponse{Payload: payload("early ")})
			},
			func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
				if resp, err := stream.Recv(); err != nil || string(resp.Payload.Body) != "early " {
					t.Error(resp, err)
				}
			}, false,
		},
		"header": {
			func(_ context.Context, ss grpc.ServerStream) { ss.SendHeader(metadata.Pairs("x-request", "1")) },
			func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) {
				if md, err := stream.Header(); err != nil || len(md["x-request"]) != 1 {
					t.Error(md, err)
				}
			}, false,
		},
		"context": {
			func(context.Context, grpc.ServerStream) {},
			func(t *testing.T, stream testgrpc.TestService_FullDuplexCallClient) { stream.Context() }, false,
		},
		"a header that nobody has looked at": {
			func(_ context.Context, ss grpc.ServerStream) { ss.SendHeader(metadata.Pairs("x-request", "1")) },
			func(*testing.T, testgrpc.TestService_FullDuplexCallClient) {}, true,
		},
		"nothing": {
			func(context.Context, grpc.ServerStream) {},
			func(*testing.T, testgrpc.TestService_FullDuplexCallClient) {}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
				r.after = func(ctx context.Context, ss grpc.ServerStream) {
					tc.answer(ctx, ss)
					time.Sleep(time.Second) // until all is sent
				}
				stream := duplex(t, r)
				send(t, stream, "late")
				tc.see(t, stream)
				stream.CloseSend()
				got, err := rest(stream)
				if tc.again {
					equal(t, "received", got, "late")
					equal(t, "code", code(t, err), "OK")
				} else {
					equal(t, "code", code(t, err), "Unauthenticated")
				}
				if err := kinds["both ways"](t.Context(), r.rpc, "x"); err != nil { // The token is known to be bad.
					t.Error(err)
				}
				equal(t, "rejected", r.rejected.Load(), 1)
			})
		})
	}
}

func TestSenderDoesNotRepeatWhatTheReceiverMayHaveMissed(t *testing.T) {
	revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
		r.after = func(_ context.Context, ss grpc.ServerStream) {
			ss.SendMsg(&testgrpc.StreamingOutputCallResponse{Payload: payload("early")})
		}
		stream := duplex(t, r)
		time.Sleep(time.Second)
		if err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload("late")}); err != io.EOF {
			t.Error(err)
		}
		got, err := rest(stream)
		equal(t, "received", got, "early")
		equal(t, "code", code(t, err), "Unauthenticated")
		equal(t, "attempts", r.attempts.Load(), 1)
	})
}

func TestStreamThatIsRejectedTwiceEnds(t *testing.T) {
	for kind, rpc := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.before = func(context.Context, string, int32) error {
					return status.Error(codes.Unauthenticated, "never")
				}
				err := rpc(t.Context(), r.rpc, "x")
				equal(t, "code", code(t, err), "Unauthenticated")
				equal(t, "attempts", r.attempts.Load(), 2)
				equal(t, "token requests", r.as.Stats().TokenRequests, 2)
			})
		})
	}
}

func TestRejectionInMidStreamIsReported(t *testing.T) {
	for _, repeated := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.deaf = func(stream testgrpc.TestService_FullDuplexCallServer) error {
				stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload("x")})
				return status.Error(codes.Unauthenticated, "it has expired meanwhile")
			}
			for i := range 3 {
				if repeated == 1 {
					r.revoke(t)
				}
				stream := duplex(t, r)
				for _, want := range []string{"x", ""} {
					got, err := rest(stream)
					equal(t, "received", got, want)
					equal(t, "code", code(t, err), "Unauthenticated")
				}
				equal(t, "token requests", r.as.Stats().TokenRequests, (i+1)*(repeated+1))
				equal(t, "attempts", r.attempts.Load(), int32((i+1)*(repeated+1)))
				time.Sleep(long)
			}
		})
	}
}

// text is a codec of something that is not Protocol Buffers.
type text struct{}

func (text) Name() string                  { return "text" }
func (text) Marshal(v any) ([]byte, error) { return []byte(*v.(*string)), nil }
func (text) Unmarshal(data []byte, v any) error {
	*v.(*string) = string(data)
	return nil
}

func TestMessagesThatCannotBeCopiedAreNotSentAgain(t *testing.T) {
	encoding.RegisterCodec(text{}) // for the server
	for _, tc := range []struct {
		sent int
		want string
	}{{0, "OK"}, {1, "Unauthenticated"}} {
		revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
			desc := &grpc.StreamDesc{StreamName: "FullDuplexCall", ServerStreams: true, ClientStreams: true}
			stream, err := r.conn.NewStream(
				t.Context(), desc, testgrpc.TestService_FullDuplexCall_FullMethodName, grpc.ForceCodec(text{}),
			)
			if err != nil {
				t.Fatal(err)
			}
			message := "x"
			for range tc.sent {
				if err := stream.SendMsg(&message); err != nil {
					t.Error(err)
				}
			}
			stream.CloseSend()
			err = stream.RecvMsg(&message)
			if err == io.EOF {
				err = nil
			}
			equal(t, "code", code(t, err), tc.want)
		})
	}
}

func TestRepetitionDoesNotWaitForTheServerToRead(t *testing.T) {
	// The server answers more than the flow control windows hold before it reads, and the client sends as much as is
	// kept: were the repetition to wait for the one, nobody would do the other.
	revoked(t, grpccreds.Options{}, func(t *testing.T, r *rig) {
		const size = 64<<10 - 100
		done := make(chan struct{})
		r.deaf = func(stream testgrpc.TestService_FullDuplexCallServer) error {
			for range 64 {
				payload := &testgrpc.Payload{Body: make([]byte, 1<<14)}
				if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: payload}); err != nil {
					return err
				}
			}
			req, err := stream.Recv()
			if err == nil {
				equal(t, "sent", len(req.Payload.Body), size)
			}
			close(done)
			return err
		}
		stream := duplex(t, r)
		send(t, stream, string(bytes.Repeat([]byte("x"), size)))
		if _, err := rest(stream); err != nil {
			t.Error(err)
		}
		<-done
	}, grpc.WithInitialWindowSize(1<<16), grpc.WithStaticStreamWindowSize(1<<16), grpc.WithStaticConnWindowSize(1<<16))
}
