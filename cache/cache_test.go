package cache_test

import (
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/cache"
)

func TestZeroValuesSayWhoMakesThem(t *testing.T) {
	var c cache.Cache
	var zero cache.Entry
	for name, e := range map[string]*cache.Entry{"Entry": &zero,
		"entry of a zero Cache": c.Entry("key", newServer().fetch)} {
		e.Invalidate(&oauth2.Token{AccessToken: "a"})
		_, err := e.Token(t.Context())
		_, refreshErr := e.Refresh(t.Context())
		for _, err := range []error{err, refreshErr} {
			if err == nil || !strings.Contains(err.Error(), "made by cache.New") {
				t.Errorf("%s: %v, want an error that names cache.New", name, err)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close of a zero Cache: %v", err)
	}
}
