package httpapi

import (
	"net/http"

	"github.com/prometheus/common/config"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewPrometheus returns a round tripper with the TLS, proxy and headers of a Prometheus configuration, and the token.
func NewPrometheus(
	client *ccclient.Client, cfg config.HTTPClientConfig, opts ...config.HTTPClientOption,
) (http.RoundTripper, error) {
	base, err := config.NewRoundTripperFromConfig(cfg, "my-service", opts...)
	if err != nil {
		return nil, err
	}
	return client.Transport(base), nil
}
