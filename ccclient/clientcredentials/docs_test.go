package clientcredentials_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"
	theirs "golang.org/x/oauth2/clientcredentials"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/clientcredentials"
)

// The code of docs/moving-in.md, so that it is compiled. What can run does.

var _, _, _, _ = movingByImport, movingByHand, movingFromAMap, movingFromAzure

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

	_, err = client.For(ccclient.Target{Audience: tenant}).Token(ctx)
	return err
}

func movingFromAMap(ctx context.Context, client *ccclient.Client, tenant string) (string, error) {
	return client.For(ccclient.Target{Audience: tenant}).AccessToken(ctx)
}

func movingFromAzure(
	tenant, id string, secret ccclient.Secret, key ccclient.KeySource, certificate *x509.Certificate,
) ccclient.Config {
	cfg := ccclient.Config{
		TokenURL: "https://login.microsoftonline.com/" + tenant + "/oauth2/v2.0/token",
		ClientID: id,
		Auth:     ccclient.ClientSecretPost(secret),
		Scopes:   []string{"https://vault.azure.net/.default"},
	}

	cfg.Auth = ccclient.PrivateKeyJWTFrom(key, ccclient.AssertionOptions{Algorithm: "PS256", Certificate: certificate})

	cfg.Auth = ccclient.ClientAssertion(ccclient.SecretFile(os.Getenv("AZURE_FEDERATED_TOKEN_FILE")))

	return cfg
}

func TestMovedTestCountsOneTokenRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := refusing(http.StatusInternalServerError, "")
		ctx := s.with(t.Context())
		conf := usual().ours()

		conf.Configure = func(c *ccclient.Config) { c.Retry.MaxAttempts = 1 }
		if _, err := conf.Token(ctx); err == nil {
			t.Error("a server that fails, and no error")
		}

		if n := len(s.requests()); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
}

func TestMovedTestWaitsForTheCoolDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		s := &server{answer: func(*http.Request, url.Values) (int, http.Header, string) {
			if down {
				return http.StatusServiceUnavailable, nil, ""
			}
			return http.StatusOK, nil, good
		}}
		source := usual().ours().TokenSource(s.with(t.Context()))

		if _, err := source.Token(); err == nil {
			t.Error("an outage, and no error")
		}
		down = false
		if _, err := source.Token(); err == nil {
			t.Error("the failure has not cooled down yet")
		}
		time.Sleep(time.Minute) // in a bubble of testing/synctest
		if _, err := source.Token(); err != nil {
			t.Error(err)
		}
	})
}

func TestMovedTestExpectsTwoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := numbered(func(string) int { calls++; return http.StatusUnauthorized })
		ctx := s.with(t.Context())
		conf := usual().ours()

		resp, err := conf.Client(ctx).Get("https://api.example.com/things")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized || calls != 2 {
			t.Errorf("%s after %d calls, want two: the second with another token", resp.Status, calls)
		}
	})
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
	for i, line := range strings.Split(string(page), "\n") {
		if n := len([]rune(line)); n > 150 {
			t.Errorf("line %d has %d columns", i+1, n)
		}
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
