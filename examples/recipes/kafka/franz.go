package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/oauth"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewFranz returns a client of franz-go.
func NewFranz(client *ccclient.Client, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(opts,
		kgo.SASL(oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := client.AccessToken(ctx)
			return oauth.Auth{Token: token}, err
		})),
	)...)
}
