package redact

import (
	"maps"
	"net/url"
	"slices"
)

// Names returns the names in m, which may be shown where the values may not, in order.
func Names(m map[string][]string) []string { return slices.Sorted(maps.Keys(m)) }

// WithoutQuery returns a URL as it may be shown: some servers take keys in the query. It is empty for what is no URL.
func WithoutQuery(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
