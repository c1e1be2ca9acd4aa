package internal_test

import (
	"context"
	"crypto"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// The README's code, so that it is compiled. What can run does.

var _, _ = readmeQuickstart, readmeKeys

func readmeQuickstart(ctx context.Context) error {
	client, err := ccclient.New(ccclient.Config{
		TokenURL: "https://as.example.com/token",
		ClientID: "my-service",
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretEnv("CLIENT_SECRET")),
		Scopes:   []string{"read"},
	})
	if err != nil {
		return err // every fault of the configuration at once
	}
	defer client.Close()
	resp, err := client.HTTPClient().Get("https://api.example.com/things") // an *http.Client

	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func readmeKeys(dpopKey crypto.Signer) (*ccclient.Client, error) {
	return ccclient.New(ccclient.Config{
		Issuer:       "https://as.example.com", // endpoints and algorithms are discovered
		ClientID:     "my-service",
		Auth:         ccclient.PrivateKeyJWTFrom(ccclient.KeyFile("/run/secrets/key.pem"), ccclient.AssertionOptions{}),
		Resources:    []string{"https://api.example.com"},
		DPoPKey:      dpopKey, // a stolen token is useless without this key
		AllowedHosts: []string{"api.example.com"},
	})
}

func TestOneTokenADayForAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := cctest.NewServer(cctest.Options{Lifetime: 24 * time.Hour})
		client, err := ccclient.New(ccclient.Config{
			TokenURL:   "https://as.example/token",
			ClientID:   cctest.DefaultClientID,
			Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
			HTTPClient: &http.Client{Transport: server.RoundTripper()},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for range 7 * 24 { // a week, in no time
			if _, err := client.Token(t.Context()); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
		}
		if n := server.Stats().TokenRequests; n > 10 {
			t.Errorf("%d token requests", n)
		}
	})
}
