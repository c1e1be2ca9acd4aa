package main

import (
	"fmt"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestSettingsComeFromTheEnvironmentOrFromAFile(t *testing.T) {
	r := newRig(t, cctest.Options{}, nil)
	config := file(t, "orders.json", fmt.Sprintf(`{"token_url": %q, "client_id": "orders", "client_secret_file": %q}`,
		r.as.TokenURL(), file(t, "secret", secret)))
	equal(t, "status", cctoken(t, "", "token").status, succeeded)
	t.Setenv("ORDERS_TOKEN_URL", r.as.TokenURL())
	t.Setenv("ORDERS_CLIENT_ID", "orders")
	t.Setenv("ORDERS_CLIENT_SECRET", secret)
	t.Setenv("TOKEN_URL", "")
	t.Setenv("CLIENT_ID", "")
	equal(t, "status with -prefix", cctoken(t, "", "token", "-prefix", "ORDERS_").status, succeeded)
	equal(t, "status with -config", cctoken(t, "", "token", "-config", config).status, succeeded)
	equal(t, "status without either", cctoken(t, "", "token").status, misused)
	equal(t, "token requests", r.as.Stats().TokenRequests, 3)
}

func TestWrongFileOfSettingsIsSaidToBe(t *testing.T) {
	for content, says := range map[string]string{
		"":                                    "no JSON object of settings",
		"issuer: x":                           "goes wrong at byte",
		`{"issuer": 5}`:                       "issuer is a number, and should be a string",
		`{"client_secret": "` + secret + `"}`: `unknown field "client_secret"`,
		`{"issuer": "https://a.example"} {}`:  "more than one JSON value",
		`{"issuer": "https://a.example"}`:     "client_id",
	} {
		t.Run(says, func(t *testing.T) {
			got := cctoken(t, "", "token", "-config", file(t, "orders.json", content))
			equal(t, "status", got.status, misused)
			contains(t, "standard error", got.err, says)
		})
	}
}

func TestLogGoesToStandardErrorWithoutTheToken(t *testing.T) {
	newRig(t, cctest.Options{}, nil)
	got := cctoken(t, "", "token", "-v")
	equal(t, "status", got.status, succeeded)
	contains(t, "standard error", got.err, "level=DEBUG")
	lacks(t, "standard error", got.err, got.out[:20])
}
