package cachekey

import (
	"net/url"
	"strings"
	"testing"
)

// No two URLs are alike, and no query is open.
func FuzzURLsGoIntoKeysWhole(f *testing.F) {
	f.Add("https://a/t", "https://a/t?")
	f.Add("https://a/t?x=1", "https://a/t?x=2")
	f.Add("https://u:p@a/t", "https://a/t")
	f.Add("https://a/t?", "https://a/t?#?")
	f.Fuzz(func(t *testing.T, a, b string) {
		var h, g Hash
		h.URL(a)
		g.URL(b)
		if equal := string(h.open) == string(g.open) && string(h.secret) == string(g.secret); equal && a != b {
			ua, _ := url.Parse(a)
			ub, _ := url.Parse(b)
			if ua == nil || ub == nil || ua.String() != ub.String() { // as they are sent
				t.Errorf("%q and %q are alike", a, b)
			}
		}
		if u, err := url.Parse(a); err == nil && len(u.RawQuery) > 8 && strings.Count(a, u.RawQuery) == 1 &&
			strings.Contains(string(h.open), u.RawQuery) {
			t.Errorf("the query of %q is open", a)
		}
	})
}
