package ccclient

import (
	"fmt"
	"log/slog"
)

// Format prints the fields of cfg that say where tokens come from, who asks
// and what for; of EndpointParams and EndpointHeader the names only, and nothing of keys,
// certificates or clients, whatever the verb.
func (cfg Config) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Config{TokenURL: %q, Issuer: %q, ClientID: %q, Auth: %s, Scopes: %q, Audience: %q, Resources: %q, EndpointParams: %q, EndpointHeader: %q}",
		withoutQuery(cfg.TokenURL), cfg.Issuer, cfg.ClientID, cfg.authName(), cfg.Scopes, cfg.Audience, cfg.Resources, names(cfg.EndpointParams), names(cfg.EndpointHeader))
}

// LogValue gives what Format prints.
func (cfg Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("token_url", withoutQuery(cfg.TokenURL)),
		slog.String("issuer", cfg.Issuer),
		slog.String("client_id", cfg.ClientID),
		slog.String("auth", cfg.authName()),
		slog.Any("scopes", cfg.Scopes),
		slog.String("audience", cfg.Audience),
		slog.Any("resources", cfg.Resources),
		slog.Any("endpoint_params", names(cfg.EndpointParams)),
		slog.Any("endpoint_header", names(cfg.EndpointHeader)),
	)
}

// Format prints what c asks for; never a token.
func (c *Client) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Client{Scopes: %q, Audience: %q, Resources: %q}", c.request.Scopes, c.request.Audience, c.request.Resources)
}

func (cfg *Config) authName() string {
	if m, ok := cfg.Auth.(*method); ok {
		return m.name
	}
	return fmt.Sprintf("%T", cfg.Auth)
}
