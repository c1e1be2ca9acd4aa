package clientcredentials_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	theirs "golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/clientcredentials"
)

// The code of docs/moving-in.md, so that it is compiled.

var _, _ = movingByImport, movingByHand

func movingByImport(ctx context.Context, secret string) error {
	conf := &clientcredentials.Config{
		ClientID:     "my-service",
		ClientSecret: secret,
		TokenURL:     "https://as.example.com/token",
		Scopes:       []string{"read"},
		AuthStyle:    oauth2.AuthStyleInHeader, // else both ways are tried, as in x/oauth2
	}
	api := conf.Client(ctx)

	conf.Configure = func(c *ccclient.Config) {
		c.AllowedHosts = []string{"api.example.com"}
		c.InsecureHTTP = true // http:// beyond loopback, which is refused otherwise
	}

	resp, err := api.Get("https://api.example.com/things")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func movingByHand(ctx context.Context, old *theirs.Config, tenant string) error {
	cfg := ccclient.FromOAuth2(old)
	client, err := ccclient.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()

	tok, err := client.For(ccclient.Target{Audience: tenant}).Token(ctx)

	_ = tok
	return err
}

func TestCodeOnThePageIsCompiled(t *testing.T) {
	page, err := os.ReadFile("../../docs/moving-in.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.ReadFile("docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	plain := func(s string) string {
		return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(strings.ReplaceAll(s, "import \"", "\""), "")
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		t.Errorf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(plain(string(here)), plain(block[1])) {
			t.Errorf("not compiled:\n%s", block[1])
		}
	}
}
