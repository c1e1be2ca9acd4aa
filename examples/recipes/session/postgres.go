package session

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/tracelog"

	"github.com/ccclient/go-ccclient/ccclient"
)

// NewPostgres returns a pool of connections to a PostgreSQL that takes tokens.
func NewPostgres(ctx context.Context, url string, client *ccclient.Client) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url) // postgres://my-service@db.example.com/things?sslmode=verify-full&require_auth=oauth
	if err != nil {
		return nil, err
	}
	shown := &Shown{Client: client}
	cfg.ConnConfig.OAuthTokenProvider = shown.AccessToken
	cfg.ConnConfig.Tracer = refusedConnections{&tracelog.TraceLog{LogLevel: tracelog.LogLevelNone}, shown}
	cfg.MaxConnLifetime = 20 * time.Minute
	return pgxpool.NewWithConfig(ctx, cfg)
}

// refusedConnections is a tracer that hears how each connection went.
type refusedConnections struct {
	*tracelog.TraceLog
	shown *Shown
}

// TraceConnectEnd is called for each connection.
func (r refusedConnections) TraceConnectEnd(_ context.Context, data pgx.TraceConnectEndData) {
	if data.Err != nil && strings.Contains(data.Err.Error(), "OAuth authentication failed") {
		r.shown.Refused()
	}
}
