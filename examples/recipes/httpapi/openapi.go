package httpapi

import (
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/examples/recipes/httpapi/things"
)

// NewThings returns a client that oapi-codegen has generated.
func NewThings(client *ccclient.Client) (*things.ClientWithResponses, error) {
	return things.NewClientWithResponses(
		"https://api.example.com",
		things.WithHTTPClient(client.HTTPClient()),
	)
}
