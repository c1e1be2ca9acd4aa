package session_test

import (
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
	"github.com/ccclient/go-ccclient/examples/recipes/session"
)

// shortest returns the shortest time that a token was still good for when it was handed out, of a day on which a
// connection is made every 55 minutes and nobody else asks.
func shortest(t *testing.T, o cache.Options) time.Duration {
	t.Helper()
	least := cctest.DefaultLifetime
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		client := r.NewClient(t, o)
		for range 24 {
			tok, err := client.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Until(tok.Expiry))
			time.Sleep(55 * time.Minute)
		}
	})
	return least
}

func TestTokenForSessionIsGoodForHalfItsLife(t *testing.T) {
	if left := shortest(t, session.Long); left < cctest.DefaultLifetime/2 {
		t.Errorf("a token was good for %v", left)
	}
}

func TestTokenOfIdleClientMayBeGoodForMinutesOnly(t *testing.T) {
	if left := shortest(t, cache.Options{}); left > 5*time.Minute {
		t.Errorf("each token was good for %v", left)
	}
}
