package rpc

import (
	"connectrpc.com/connect"
	health "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewHealth returns a client of connect-go, as a generated constructor does: that takes the same two arguments.
func NewHealth(client *ccclient.Client) *connect.Client[health.HealthCheckRequest, health.HealthCheckResponse] {
	return connect.NewClient[health.HealthCheckRequest, health.HealthCheckResponse](
		client.HTTPClient(),
		"https://api.example.com"+health.Health_Check_FullMethodName,
	)
}
