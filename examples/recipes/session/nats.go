package session

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/ccclient/go-ccclient/ccclient"
)

// ConnectNATS connects to a server that takes tokens, and stays connected.
func ConnectNATS(url string, client *ccclient.Client, opts ...nats.Option) (*nats.Conn, error) {
	shown := &Shown{Client: client}
	return nats.Connect(url, append(opts,
		nats.TokenHandler(func() string { // asked at each connection
			token, _ := shown.AccessToken(context.Background())
			return token // none, if there was an error: refused by the server, and tried again
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrAuthorization) {
				shown.Refused()
			}
		}),
		nats.IgnoreAuthErrorAbort(), // else the second refusal is the end
		nats.MaxReconnects(-1),
	)...)
}
