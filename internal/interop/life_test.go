package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/transport"
)

// A user is a client with an API to call, and counts what the API rejects.
type user struct {
	t        *testing.T
	client   *ccclient.Client
	http     *http.Client
	api      string
	rejected atomic.Int64 // answers that say that the token is dead
}

func newUser(t *testing.T, s *server, c cell) *user {
	t.Helper()
	client, err := ccclient.New(c.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	u := &user{t: t, client: client, http: client.HTTPClient(), api: s.api}
	if c.api != "" {
		u.api = c.api
	}
	spend := u.http.Transport.(*transport.Transport)
	if s.rejected != nil {
		spend.Rejected = s.rejected
	}
	spend.Base = countRejections{base: spend.Base, is: s.rejected, n: &u.rejected}
	return u
}

type countRejections struct {
	base http.RoundTripper
	is   func(*http.Response) bool // nil: invalid_token
	n    *atomic.Int64
}

func (c countRejections) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(r)
	switch {
	case err != nil:
	case c.is != nil && c.is(resp),
		c.is == nil && strings.Contains(resp.Header.Get("WWW-Authenticate"), `error="invalid_token"`):
		c.n.Add(1)
	}
	return resp, err
}

// spend calls the API with a body that has to arrive.
func (u *user) spend() {
	u.t.Helper()
	body := fmt.Sprintf("entry %d", time.Now().UnixNano())
	resp, err := u.http.Post(u.api, "text/plain", strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		u.t.Fatalf("the API answers %s, %q", resp.Status, resp.Header.Get("WWW-Authenticate"))
	}
	var echo struct{ Body string }
	if err := json.Unmarshal(text, &echo); err != nil {
		u.t.Fatal(err)
	}
	if echo.Body != body {
		u.t.Errorf("the API got the body %q, want %q", echo.Body, body)
	}
}

func (u *user) token() *oauth2.Token {
	u.t.Helper()
	tok, err := u.client.Token(u.t.Context())
	if err != nil {
		u.t.Fatal(err)
	}
	return tok
}

// isDead reports whether the API rejects tok itself, asked without the library's
// help: a request that has an Authorization header is left alone.
func (u *user) isDead(tok *oauth2.Token) bool {
	u.t.Helper()
	r, err := http.NewRequestWithContext(u.t.Context(), http.MethodGet, u.api, nil)
	if err != nil {
		u.t.Fatal(err)
	}
	r.Header.Set("Authorization", tok.TokenType+" "+tok.AccessToken)
	before := u.rejected.Load()
	resp, err := u.http.Do(r)
	if err != nil {
		u.t.Fatal(err)
	}
	resp.Body.Close()
	return u.rejected.Load() > before
}

// live leads a token from its issue to its end, twice: it is spent, revoked and
// replaced, and its successor expires and is replaced.
func live(t *testing.T, s *server, c cell) {
	u := newUser(t, s, c)

	u.spend()
	first := u.token()
	u.spend()
	if u.token() != first {
		t.Fatal("a second call took another token")
	}
	if n := u.rejected.Load(); n != 0 {
		t.Fatalf("the API rejected %d calls with a new token", n)
	}

	if err := s.revoke(first.AccessToken); err != nil {
		t.Fatal(err)
	}
	u.spend()
	if n := u.rejected.Load(); n != 1 {
		t.Fatalf("after the revocation the API rejected %d calls, want 1", n)
	}
	second := u.token()
	if second.AccessToken == first.AccessToken {
		t.Fatal("the revoked token was not replaced")
	}

	// Servers count in whole seconds: one more, and the API is sure.
	if err := waitFor(t.Context(), second.Expiry.Add(1100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	u.rejected.Store(0)
	u.spend()
	if n := u.rejected.Load(); n != 0 {
		t.Error("an expired token was sent to the API")
	}
	if u.token().AccessToken == second.AccessToken {
		t.Error("the expired token was not replaced")
	}
	for range 20 { // the server counts from its answer, which may have been slow
		if u.isDead(second) {
			return
		}
		if err := waitFor(t.Context(), time.Now().Add(500*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the API still takes a token that should have expired")
}

// waitFor ends at the given moment. The lifetimes that these servers count are
// of real time.
func waitFor(ctx context.Context, moment time.Time) error {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
