package session

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewRedis returns a client of a Redis that takes tokens for passwords.
func NewRedis(addr string, client *ccclient.Client) *redis.Client {
	shown := &Shown{Client: client}
	return redis.NewClient(&redis.Options{
		Addr: addr,
		CredentialsProviderContext: func(ctx context.Context) (user, password string, err error) {
			password, err = shown.AccessToken(ctx)
			return "my-service", password, err
		},
		Limiter:         refusals{shown},  // hears how each connection went
		ConnMaxLifetime: 20 * time.Minute, // less than a token is good for when it is handed out
	})
}

type refusals struct{ shown *Shown }

func (r refusals) Allow() error { return nil }

func (r refusals) ReportResult(err error) {
	if redis.HasErrorPrefix(err, "WRONGPASS") {
		r.shown.Refused()
	}
}
