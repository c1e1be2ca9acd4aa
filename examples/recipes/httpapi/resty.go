package httpapi

import (
	"github.com/go-resty/resty/v2"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewResty returns a resty client for the API.
func NewResty(client *ccclient.Client) *resty.Client {
	return resty.NewWithClient(client.HTTPClient()).
		SetBaseURL("https://api.example.com").
		SetRetryCount(2) // its own retries, for what the API fails at; each asks for the token anew
}
