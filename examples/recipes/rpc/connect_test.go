package rpc_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"connectrpc.com/connect"
	health "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
	"github.com/ccclient/go-ccclient/examples/recipes/rpc"
)

func TestConnectClientLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, connect.NewUnaryHandler(health.Health_Check_FullMethodName, func(
			_ context.Context, req *connect.Request[health.HealthCheckRequest],
		) (*connect.Response[health.HealthCheckResponse], error) {
			if req.Msg.Service != "things" {
				t.Errorf("service %q", req.Msg.Service)
			}
			return connect.NewResponse(&health.HealthCheckResponse{Status: health.HealthCheckResponse_SERVING}), nil
		}))
		api := rpc.NewHealth(r.Client)
		r.LivesOn(t, func() error {
			resp, err := api.CallUnary(t.Context(), connect.NewRequest(&health.HealthCheckRequest{Service: "things"}))
			if err == nil && resp.Msg.Status != health.HealthCheckResponse_SERVING {
				t.Error(resp.Msg)
			}
			return err
		})
	})
}

func TestConnectServerStreamLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, connect.NewServerStreamHandler(health.Health_Watch_FullMethodName, func(
			_ context.Context, _ *connect.Request[health.HealthCheckRequest],
			stream *connect.ServerStream[health.HealthCheckResponse],
		) error {
			return stream.Send(&health.HealthCheckResponse{Status: health.HealthCheckResponse_SERVING})
		}))
		api := connect.NewClient[health.HealthCheckRequest, health.HealthCheckResponse](
			r.Client.HTTPClient(), "https://api.example.com"+health.Health_Watch_FullMethodName)
		r.LivesOn(t, func() error {
			stream, err := api.CallServerStream(t.Context(), connect.NewRequest(&health.HealthCheckRequest{}))
			if err != nil {
				return err
			}
			defer stream.Close()
			n := 0
			for stream.Receive() {
				n++
			}
			if n != 1 && stream.Err() == nil {
				t.Errorf("%d messages", n)
			}
			return stream.Err()
		})
	})
}

func TestConnectClientStreamThatIsRejectedIsNotRepeated(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, connect.NewClientStreamHandler(health.Health_Watch_FullMethodName, func(
			_ context.Context, stream *connect.ClientStream[health.HealthCheckRequest],
		) (*connect.Response[health.HealthCheckResponse], error) {
			for stream.Receive() {
			}
			return connect.NewResponse(&health.HealthCheckResponse{}), stream.Err()
		}))
		api := connect.NewClient[health.HealthCheckRequest, health.HealthCheckResponse](
			r.Client.HTTPClient(), "https://api.example.com"+health.Health_Watch_FullMethodName)
		send := func() error {
			stream := api.CallClientStream(t.Context())
			for range 2 {
				err := stream.Send(&health.HealthCheckRequest{Service: "things"})
				if err != nil && !errors.Is(err, io.EOF) {
					return err
				}
			}
			_, err := stream.CloseAndReceive()
			return err
		}
		for _, happen := range []func(){func() {}, func() { time.Sleep(2 * cctest.DefaultLifetime) }} {
			happen()
			if err := send(); err != nil {
				t.Error(err)
			}
		}
		r.AS.RevokeAll()
		if err := send(); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("the stream that met the revocation ended with %v", err)
		}
		if err := send(); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}
