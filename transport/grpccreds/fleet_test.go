package grpccreds_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// kinds are RPCs of each kind. Each checks that what comes back is what was sent.
var kinds = map[string]func(ctx context.Context, rpc testgrpc.TestServiceClient, text string) error{
	"unary": func(ctx context.Context, rpc testgrpc.TestServiceClient, text string) error {
		resp, err := rpc.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: payload(text)})
		return same(err, text, string(resp.GetPayload().GetBody()))
	},
	"client stream": func(ctx context.Context, rpc testgrpc.TestServiceClient, text string) error {
		stream, err := rpc.StreamingInputCall(ctx)
		if err != nil {
			return err
		}
		for range 3 {
			if err := stream.Send(&testgrpc.StreamingInputCallRequest{Payload: payload(text)}); err == io.EOF {
				break // It has ended; the status is to be received.
			} else if err != nil {
				return fmt.Errorf("Send: %w", err)
			}
		}
		resp, err := stream.CloseAndRecv()
		return same(err, fmt.Sprint(3*len(text)), fmt.Sprint(resp.GetAggregatedPayloadSize()))
	},
	"server stream": func(ctx context.Context, rpc testgrpc.TestServiceClient, text string) error {
		stream, err := rpc.StreamingOutputCall(ctx, &testgrpc.StreamingOutputCallRequest{
			Payload: payload(text), ResponseParameters: make([]*testgrpc.ResponseParameters, 3),
		})
		if err != nil {
			return err
		}
		got := ""
		for {
			resp, err := stream.Recv()
			if err == io.EOF {
				return same(nil, text+text+text, got)
			}
			if err != nil {
				return err
			}
			got += string(resp.Payload.Body)
		}
	},
	"both ways": func(ctx context.Context, rpc testgrpc.TestServiceClient, text string) error {
		stream, err := rpc.FullDuplexCall(ctx)
		if err != nil {
			return err
		}
		var sending sync.WaitGroup
		var failed error
		sending.Go(func() {
			for range 3 {
				if err := stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: payload(text)}); err == io.EOF {
					return // It has ended; the status is to be received.
				} else if err != nil {
					failed = fmt.Errorf("Send: %w", err)
					return
				}
			}
			failed = stream.CloseSend()
		})
		got := ""
		for {
			resp, err := stream.Recv()
			if err == io.EOF {
				sending.Wait()
				return same(failed, text+text+text, got)
			}
			if err != nil {
				sending.Wait()
				return err
			}
			got += string(resp.Payload.Body)
		}
	},
}

func same(err error, want, got string) error {
	if err == nil && want != got {
		return fmt.Errorf("%q came back for %q", got, want)
	}
	return err
}

const many = 1000

// together makes many RPCs at once and reports those that failed.
func together(t *testing.T, rpc func(text string) error) {
	t.Helper()
	var all sync.WaitGroup
	var failed atomic.Int32
	for i := range many {
		all.Go(func() {
			if err := rpc(fmt.Sprintf("payload %d", i)); err != nil && failed.Add(1) == 1 {
				t.Error(err)
			}
		})
	}
	all.Wait()
	equal(t, "failed", failed.Load(), 0)
}

func TestThousandRPCsOutliveExpiryRevocationAndHang(t *testing.T) {
	for kind, rpc := range kinds {
		for event, tc := range map[string]struct {
			happen   func(t *testing.T, r *rig)
			rejected [2]int32 // from, to: some may begin when the new token is there
		}{
			"first": {func(t *testing.T, r *rig) {}, [2]int32{}},
			"expiry": {func(t *testing.T, r *rig) {
				r.warm(t)
				time.Sleep(cctest.DefaultLifetime)
			}, [2]int32{}},
			"revocation before": {func(t *testing.T, r *rig) {
				r.warm(t)
				r.revoke(t)
			}, [2]int32{1, many}},
			"revocation under way": {func(t *testing.T, r *rig) {
				r.warm(t)
				token, err := r.client.Token(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(time.Second, func() { r.as.Revoke(token.AccessToken) })
				r.before = func(context.Context, string, int32) error { time.Sleep(2 * time.Second); return nil }
			}, [2]int32{many, many}},
			"hang": {func(t *testing.T, r *rig) {
				r.warm(t)
				time.Sleep(cctest.DefaultLifetime)
				r.as.SetDelay(9 * time.Second) // An attempt at a token request may take 10 s.
			}, [2]int32{}},
			"hang while stale": {func(t *testing.T, r *rig) {
				r.warm(t)
				time.Sleep(cctest.DefaultLifetime * 9 / 10)
				r.as.SetDelay(9 * time.Second)
			}, [2]int32{}},
			"revocation and hang": {func(t *testing.T, r *rig) {
				r.warm(t)
				r.revoke(t)
				r.as.SetDelay(9 * time.Second)
			}, [2]int32{1, many}},
		} {
			t.Run(kind+", "+event, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					tc.happen(t, r)
					before := r.as.Stats().TokenRequests
					r.attempts.Store(0)
					together(t, func(text string) error { return rpc(t.Context(), r.rpc, text) })
					time.Sleep(10 * time.Second) // for what goes on in the background
					equal(t, "token requests", r.as.Stats().TokenRequests-before, 1)
					rejected := r.rejected.Load()
					equal(t, "attempts", r.attempts.Load(), many+rejected)
					if rejected < tc.rejected[0] || rejected > tc.rejected[1] {
						t.Errorf("%d were rejected, want %d to %d", rejected, tc.rejected[0], tc.rejected[1])
					}
				})
			})
		}
	}
}

// warm has the client get its first token.
func (r *rig) warm(t *testing.T) {
	t.Helper()
	if err := kinds["unary"](t.Context(), r.rpc, "warm"); err != nil {
		t.Fatal(err)
	}
}

func TestDeadlineHoldsWhileTheTokenServerHangs(t *testing.T) {
	for kind, rpc := range kinds {
		for state, prepare := range map[string]func(t *testing.T, r *rig){
			"no token yet": func(*testing.T, *rig) {},
			"revoked":      func(t *testing.T, r *rig) { r.warm(t); r.revoke(t) },
		} {
			for whose, within := range map[string]func(*testing.T) (context.Context, context.CancelFunc){
				"caller's": func(t *testing.T) (context.Context, context.CancelFunc) {
					return context.WithTimeout(t.Context(), 500*time.Millisecond)
				},
				"service config's": func(t *testing.T) (context.Context, context.CancelFunc) { return t.Context(), func() {} },
			} {
				t.Run(kind+", "+state+", "+whose, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := newRig(t, timeout(whose == "service config's"))
						prepare(t, r)
						r.as.SetDelay(time.Hour)
						ctx, cancel := within(t)
						defer cancel()
						start := time.Now()
						err := rpc(ctx, r.rpc, "x")
						equal(t, "took", time.Since(start), 500*time.Millisecond)
						equal(t, "code", code(t, err), "DeadlineExceeded")
						if !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("%v does not have the context's error in it", err)
						}
					})
				})
			}
		}
	}
}
