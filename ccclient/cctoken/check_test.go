package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestCheckSaysWhatWasGranted(t *testing.T) {
	r := newRig(t, cctest.Options{
		Lifetime: time.Hour,
		TokenResponse: func(_ cctest.RecordedRequest, members map[string]any) {
			members["scope"] = "read"
		},
	}, nil)
	t.Setenv("SCOPES", "read")
	got := cctoken(t, "", "check")
	equal(t, "status", got.status, succeeded)
	contains(t, "standard output", got.out, "ok: ", "orders", "type: Bearer", "scope: read", "lives for: ")
	equal(t, "token requests", r.as.Stats().TokenRequests, 1)
}

func TestCheckSaysWhatToMend(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(*testing.T, *rig)
		status int
		says   string
	}{
		"wrong secret": {func(t *testing.T, _ *rig) {
			t.Setenv("CLIENT_SECRET_FILE", file(t, "secret", "not-"+secret[:4]))
		}, refused, "secret"},
		"server down": {func(_ *testing.T, r *rig) { r.as.SetDown(http.StatusServiceUnavailable) }, unavailable, "503"},
		"wrong address": {func(t *testing.T, r *rig) { t.Setenv("TOKEN_URL", r.api.URL+"/token") },
			refused, "TokenURL"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cctest.Options{}, nil)
			tc.before(t, r)
			got := cctoken(t, "", "check")
			equal(t, "status", got.status, tc.status)
			contains(t, "standard error", got.err, tc.says)
			equal(t, "standard output", got.out, "")
		})
	}
}
