package ccclient

import (
	"fmt"
	"log/slog"
)

// Format prints the fields of cfg that say where tokens come from, who asks and what for; of EndpointParams and
// EndpointHeader the names only, and nothing of keys, certificates or clients, whatever the verb.
func (cfg Config) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Config{TokenURL: %q, Issuer: %q, ClientID: %q, Auth: %s, Scopes: %q, Audience: %q, Resources: %q, EndpointParams: %q, EndpointHeader: %q}",
		withoutQuery(cfg.TokenURL), cfg.Issuer, cfg.ClientID, cfg.authName(), cfg.Scopes, cfg.Audience, cfg.Resources, names(cfg.EndpointParams), names(cfg.EndpointHeader))
}

// LogValue returns what Format prints.
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

// Format prints which client c is, at which server, and what its token is for; never a token.
func (c *Client) Format(s fmt.State, _ rune) {
	switch {
	case c == nil:
		fmt.Fprint(s, "<nil>")
	case !c.made():
		fmt.Fprint(s, "ccclient.Client{}")
	default:
		r := c.registration
		fmt.Fprintf(s, "ccclient.Client{ClientID: %q, Server: %q, Target: %v}", r.clientID, r.server, c.target)
	}
}

// LogValue returns what Format prints.
func (c *Client) LogValue() slog.Value {
	if !c.made() {
		return slog.StringValue(fmt.Sprint(c))
	}
	r := c.registration
	return slog.GroupValue(
		slog.String("client_id", r.clientID),
		slog.String("server", r.server),
		slog.Any("target", c.target),
	)
}

func (cfg *Config) authName() string {
	if m, ok := cfg.Auth.(*method); ok {
		return m.name
	}
	return fmt.Sprintf("%T", cfg.Auth)
}
