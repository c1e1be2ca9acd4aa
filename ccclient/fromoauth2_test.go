package ccclient_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestConfigOfOAuth2BecomesOneOfThisLibrary(t *testing.T) {
	for style, header := range map[oauth2.AuthStyle]bool{
		oauth2.AuthStyleAutoDetect: true, oauth2.AuthStyleInHeader: true, oauth2.AuthStyleInParams: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			server := cctest.NewServer(cctest.Options{})
			old := &clientcredentials.Config{
				ClientID:       cctest.DefaultClientID,
				ClientSecret:   cctest.DefaultClientSecret,
				TokenURL:       "https://as.example/token",
				Scopes:         []string{"read write"},
				EndpointParams: url.Values{"audience": {"api"}},
				AuthStyle:      style,
			}
			cfg := ccclient.FromOAuth2(old)
			old.EndpointParams["audience"][0] = "changed"
			old.ClientSecret = "changed"
			cfg.HTTPClient = &http.Client{Transport: server.RoundTripper()}
			client, err := ccclient.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if _, err := client.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := server.TokenRequests()[0]
			if r.Form.Get("scope") != "read write" || r.Form.Get("audience") != "api" ||
				r.Form.Has("client_id") == header {
				t.Errorf("style %d: %v", style, r.Form)
			}
		})
	}
}

func TestUnusableConfigOfOAuth2IsNewsToReport(t *testing.T) {
	for _, old := range []*clientcredentials.Config{nil, {}, {TokenURL: "https://as.example/token", ClientID: "c", AuthStyle: 7}} {
		if _, err := ccclient.New(ccclient.FromOAuth2(old)); err == nil {
			t.Errorf("%v: no error", old)
		}
	}
}
