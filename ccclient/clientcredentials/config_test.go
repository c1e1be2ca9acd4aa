package clientcredentials_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/clientcredentials"
)

func TestConfigShowsNoSecretHoweverItIsPrinted(t *testing.T) {
	const secret = "canary-of-a-secret-4711"
	c := clientcredentials.Config{
		ClientID: "id", ClientSecret: secret, TokenURL: "https://user:" + secret + "@as.example.com/token?key=" + secret,
		EndpointParams: url.Values{"password": {secret}},
	}
	var b bytes.Buffer
	for _, v := range []any{c, &c, []clientcredentials.Config{c}, map[string]any{"c": &c}, struct{ C any }{c}} {
		for _, verb := range "vsqxXdT" {
			fmt.Fprintf(&b, "%"+string(verb)+" %+"+string(verb)+" %#"+string(verb)+"\n", v, v, v)
		}
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v, slog.Group("g", "v", v))
		if err := json.NewEncoder(&b).Encode(v); err != nil {
			t.Error(err)
		}
	}
	text := b.String()
	if i := strings.Index(text, secret[:8]); i >= 0 {
		t.Errorf("the secret is in …%.300s", text[max(0, i-100):])
	}
	if !strings.Contains(text, `ClientID: "id"`) {
		t.Error(text)
	}
}

func TestConfigIsReadFromJSONAsBefore(t *testing.T) {
	var c clientcredentials.Config
	err := json.Unmarshal([]byte(`{"ClientID":"id","ClientSecret":"s","TokenURL":"u","Scopes":["a"]}`), &c)
	if err != nil || c.ClientID != "id" || c.ClientSecret != "s" || c.TokenURL != "u" || len(c.Scopes) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}
