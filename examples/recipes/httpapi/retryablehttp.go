package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewRetryable returns a client that repeats what may go better the next time.
func NewRetryable(client *ccclient.Client) *http.Client {
	api := retryablehttp.NewClient()
	api.HTTPClient = client.HTTPClient()
	api.Logger = slog.Default() // its own writes a line for each request
	api.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		if e, ok := errors.AsType[*ccclient.Error](err); ok && !e.Temporary() {
			return false, err // a wrong secret, say: another attempt cannot help
		}
		return retryablehttp.DefaultRetryPolicy(ctx, resp, err)
	}
	return api.StandardClient()
}
