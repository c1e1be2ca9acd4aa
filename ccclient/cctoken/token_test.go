package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// accepted reports whether the rig's API takes a value of Authorization.
func (r *rig) accepted(t *testing.T, authorization string) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.api.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func TestTokenIsPrintedAsText(t *testing.T) {
	r := newRig(t, cctest.Options{}, nil)
	got := cctoken(t, "", "token")
	equal(t, "accepted", r.accepted(t, "Bearer "+strings.TrimSuffix(got.out, "\n")), true)
	equal(t, "standard error", got.err, "")
}

func TestTokenIsPrintedAsAHeaderField(t *testing.T) {
	r := newRig(t, cctest.Options{}, nil)
	field, ok := strings.CutPrefix(cctoken(t, "", "token", "-format", "header").out, "Authorization: ")
	equal(t, "named", ok, true)
	equal(t, "accepted", r.accepted(t, strings.TrimSuffix(field, "\n")), true)
}

func TestTokenIsPrintedAsJSONWithItsExpiry(t *testing.T) {
	r := newRig(t, cctest.Options{Lifetime: time.Hour}, nil)
	t.Setenv("SCOPES", "read write")
	var tok struct {
		AccessToken string    `json:"access_token"`
		TokenType   string    `json:"token_type"`
		ExpiresIn   int       `json:"expires_in"`
		Expiry      time.Time `json:"expiry"`
		Scope       string    `json:"scope"`
	}
	before := time.Now()
	if err := json.Unmarshal([]byte(cctoken(t, "", "token", "-format", "json").out), &tok); err != nil {
		t.Fatal(err)
	}
	equal(t, "accepted", r.accepted(t, tok.TokenType+" "+tok.AccessToken), true)
	equal(t, "scope", tok.Scope, "read write")
	equal(t, "expires_in is of the hour", tok.ExpiresIn > 3000 && tok.ExpiresIn <= 3600, true)
	equal(t, "expiry is in the hour", tok.Expiry.After(before) && !tok.Expiry.After(time.Now().Add(time.Hour)), true)
}

func TestExecCredentialHasTheVersionThatIsAskedFor(t *testing.T) {
	const beta = `{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "spec": {}}`
	r := newRig(t, cctest.Options{Lifetime: time.Hour}, nil)
	for info, version := range map[string]string{
		"": "client.authentication.k8s.io/v1", beta: "client.authentication.k8s.io/v1beta1",
	} {
		t.Setenv("KUBERNETES_EXEC_INFO", info)
		var got execCredential
		if err := json.Unmarshal([]byte(cctoken(t, "", "token", "-format", "exec").out), &got); err != nil {
			t.Fatal(err)
		}
		equal(t, "apiVersion", got.APIVersion, version)
		equal(t, "kind", got.Kind, "ExecCredential")
		equal(t, "accepted", r.accepted(t, "Bearer "+got.Status.Token), true)
		equal(t, "lives", time.Until(got.Status.ExpirationTimestamp) > 50*time.Minute, true)
	}
	for _, info := range []string{"no JSON", `{"apiVersion": "client.authentication.k8s.io/v1alpha1"}`} {
		t.Setenv("KUBERNETES_EXEC_INFO", info)
		got := cctoken(t, "", "token", "-format", "exec")
		equal(t, "status", got.status, misused)
		equal(t, "standard output", got.out, "")
	}
}
