package httpapi_test

import (
	"bytes"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/examples/recipes/httpapi"
	"github.com/ccclient/go-ccclient/examples/recipes/internal/rig"
)

func TestRetryableClientLivesOn(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.Protect(t, rig.Things)
		api := httpapi.NewRetryable(r.Client)
		r.LivesOn(t, func() error {
			return rig.Status(api.Post("https://api.example.com/things", "text/plain", bytes.NewReader([]byte("a thing"))))
		})
	})
}

func TestRetryableClientDoesNotRepeatPermanentErrors(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		r.AS.SetDown(http.StatusUnauthorized) // as for a wrong secret
		start := time.Now()
		_, err := httpapi.NewRetryable(r.Client).Get("https://api.example.com/things")
		if !errors.Is(err, ccclient.InvalidClient) {
			t.Error(err)
		}
		if n := r.AS.Stats().TokenRequests; n != 1 || time.Since(start) > 0 {
			t.Errorf("%d token requests in %v, want one and no pause", n, time.Since(start))
		}
	})
}

func TestRetryableClientOutlastsOutages(t *testing.T) {
	rig.Run(t, func(t *testing.T, r *rig.Rig) {
		var calls atomic.Int32
		r.Protect(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}))
		r.AS.SetDown(http.StatusServiceUnavailable)
		time.AfterFunc(5*time.Second, func() { r.AS.SetDown(0) })
		api := httpapi.NewRetryable(r.Client)
		if err := rig.Status(api.Get("https://api.example.com/things")); err != nil || calls.Load() != 2 {
			t.Errorf("%v after %d calls", err, calls.Load())
		}
		synctest.Wait()
	})
}
