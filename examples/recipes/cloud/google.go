package cloud

import (
	"context"

	"google.golang.org/api/option"
	"google.golang.org/api/tasks/v1"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewGoogle returns a client of google.golang.org/api for an API behind an authorization server of one's own.
func NewGoogle(ctx context.Context, client *ccclient.Client) (*tasks.Service, error) {
	return tasks.NewService(ctx,
		option.WithEndpoint("https://api.example.com/"),
		option.WithHTTPClient(client.HTTPClient()),
	)
}
