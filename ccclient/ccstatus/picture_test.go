package ccstatus

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
)

var picture = flag.String("picture", "", "write a page with a token in each state to this `file`, for a browser")

// every returns a token in each state, as they are at now.
func every(now time.Time) []ccclient.TokenStatus {
	token := func(label string, state cache.State, age, life time.Duration) ccclient.TokenStatus {
		obtained := now.Add(-age)
		return ccclient.TokenStatus{
			ClientID: "orders", Server: "https://as.example.com", Label: label, State: state,
			Scopes: []string{"orders:read", "orders:write"}, Audience: "https://" + label + ".example.com",
			Obtained: obtained, Expiry: obtained.Add(life), Refresh: obtained.Add(life * 3 / 4),
			Counts: cache.Counts{Fetches: 12, Served: 48_213},
		}
	}
	fresh := token("catalogue", cache.StateFresh, 3*time.Minute, time.Hour)
	refreshing := token("billing", cache.StateStale, 46*time.Minute, time.Hour)
	refreshing.Fetching = true
	expiring := token("stock", cache.StateExpiring, 59*time.Minute+54*time.Second, time.Hour)
	cooling := token("shipping", cache.StateStale, 50*time.Minute, time.Hour)
	cooling.LastError, cooling.Temporary = "token request of client \"orders\" to as.example.com answered with 503", true
	cooling.Since, cooling.FailedAt = now.Add(-4*time.Minute), now.Add(-19*time.Second)
	cooling.CoolDown = now.Add(41 * time.Second)
	cooling.InARow, cooling.Shared, cooling.Counts.Failures = 7, true, 7
	without := token("archive", cache.StateNone, 0, 0)
	without.Obtained, without.Expiry, without.Refresh = time.Time{}, time.Time{}, time.Time{}
	without.LastError = "token request of client \"orders\" to as.example.com answered with 400: invalid_scope: " +
		"the scopes asked for were \"orders:read orders:write\""
	without.FailedAt, without.Since, without.InARow = now.Add(-2*time.Minute), now.Add(-2*time.Minute), 1
	without.Counts = cache.Counts{Fetches: 1, Failures: 1}
	return []ccclient.TokenStatus{fresh, refreshing, expiring, cooling, without}
}

// TestPictureShowsEveryState writes the page that docs/operations.md has a picture of:
//
//	go test ./ccclient/ccstatus -run Picture -picture /tmp/tokens.html
//	chromium --headless --screenshot=docs/ccstatus.png --window-size=820,1010 /tmp/tokens.html
func TestPictureShowsEveryState(t *testing.T) {
	now := time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)
	w := httptest.NewRecorder()
	answer(w, newPage(every(now), 1, now), false)
	for _, c := range conditions {
		if c != stale {
			contains(t, w.Body.String(), fmt.Sprintf("1 %s", c))
		}
	}
	if *picture != "" {
		if err := os.WriteFile(*picture, w.Body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
