package ccclient

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
)

// Format prints the fields of cfg that say where tokens come from, who asks and what for; of EndpointParams and
// EndpointHeader the names only, and nothing of keys, certificates or clients, whatever the verb.
func (cfg Config) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "ccclient.Config{TokenURL: %q, Issuer: %q, ClientID: %q, Auth: %s, Scopes: %q, Audience: %q, Resources: %q, "+
		"EndpointParams: %q, EndpointHeader: %q}",
		withoutQuery(cfg.TokenURL), cfg.Issuer, cfg.ClientID, factsOf(cfg.Auth).name, cfg.Scopes, cfg.Audience, cfg.Resources,
		names(cfg.EndpointParams), names(cfg.EndpointHeader))
}

// LogValue returns what Format prints.
func (cfg Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("token_url", withoutQuery(cfg.TokenURL)),
		slog.String("issuer", cfg.Issuer),
		slog.String("client_id", cfg.ClientID),
		slog.String("auth", factsOf(cfg.Auth).name),
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

func names(m map[string][]string) []string { return slices.Sorted(maps.Keys(m)) }

// withoutQuery returns a URL as it may be shown: some servers take keys in the query.
func withoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
