package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
)

// A quotingStore fails as some servers do: with an error that quotes what was to be stored.
type quotingStore struct{}

func (quotingStore) Get(context.Context, string) ([]byte, error) { return nil, ErrMiss }
func (quotingStore) Put(_ context.Context, key string, data []byte, _ time.Duration) error {
	return fmt.Errorf("ERR out of memory, command: SET %s %q", key, data)
}
func (quotingStore) Delete(context.Context, string) error { return errors.ErrUnsupported }

func TestStoreErrorThatQuotesRecordIsLoggedWithoutToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := New(Options{Store: quotingStore{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		const token = "canary-token-0123456789"
		e := c.Entry("key", func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: token, ExpiresIn: 3600}, nil
		})
		if _, err := e.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c.Close()
		if got := log.String(); !strings.Contains(got, "out of memory") || strings.Contains(got, "canary-t") {
			t.Errorf("logged: %s", got)
		}
	})
}
