package main

import (
	"net/http"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestExitStatusTellsWhatWentWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		args   []string
		before func(*testing.T, *rig)
		status int
		says   string
	}{
		"nothing asked for":   {nil, nil, misused, "cctoken token"},
		"unknown command":     {[]string{"tokn"}, nil, misused, `"tokn" is no command`},
		"help":                {[]string{"help"}, nil, succeeded, ""},
		"help of a command":   {[]string{"token", "-h"}, nil, succeeded, "usage: cctoken token"},
		"unknown flag":        {[]string{"token", "-fromat", "json"}, nil, misused, "-fromat"},
		"unknown format":      {[]string{"token", "-format", "yaml"}, nil, misused, "text, header, json or exec"},
		"too much":            {[]string{"token", "orders"}, nil, misused, "too many arguments"},
		"file and prefix":     {[]string{"token", "-config", "f", "-prefix", "P_"}, nil, misused, "-prefix together"},
		"no such file":        {[]string{"token", "-config", "missing.json"}, nil, misused, "missing.json"},
		"no URL":              {[]string{"call"}, nil, misused, "the URL of a resource"},
		"credential as field": {[]string{"call", "-header", "authorization: x", "http://localhost"}, nil, misused, "no place"},
		"no API":              {[]string{"proxy"}, nil, misused, "-to is required"},
		"beyond loopback":     {[]string{"proxy", "-to", "https://a.example", "-listen", ":0"}, nil, misused, "not loopback"},
		"API in clear":        {[]string{"proxy", "-to", "http://a.example"}, nil, misused, "insecure_http"},
		"no client id": {[]string{"token"}, func(t *testing.T, _ *rig) { t.Setenv("CLIENT_ID", "") },
			misused, "CLIENT_ID: required"},
		"server gone": {[]string{"token"}, func(_ *testing.T, r *rig) { r.as.Close() }, unavailable, "127.0.0.1"},
		"server is not well": {[]string{"token"}, func(_ *testing.T, r *rig) { r.as.SetDown(http.StatusBadGateway) },
			unavailable, "502"},
		"wrong secret": {[]string{"token"}, func(t *testing.T, _ *rig) {
			t.Setenv("CLIENT_SECRET_FILE", file(t, "secret", "not-"+secret[:4]))
		}, refused, "invalid_client"},
		"missing secret": {[]string{"token"}, func(t *testing.T, _ *rig) { t.Setenv("CLIENT_SECRET_FILE", "missing") },
			misused, "missing"},
		"unknown scope": {[]string{"token"}, func(t *testing.T, _ *rig) { t.Setenv("SCOPES", "cancel") },
			refused, "invalid_scope"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cctest.Options{Scopes: []string{"read"}}, nil)
			if tc.before != nil {
				tc.before(t, r)
			}
			got := cctoken(t, "", tc.args...)
			equal(t, "status", got.status, tc.status)
			contains(t, "standard error", got.err, tc.says)
			if tc.status != succeeded {
				equal(t, "standard output", got.out, "")
			}
		})
	}
}
