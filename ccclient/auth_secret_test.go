package ccclient_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

func newRequest(id string) ccclient.Request {
	return ccclient.Request{
		ClientID: id,
		TokenURL: "https://as.example/token?api-key=canary-key",
		Form:     url.Values{"grant_type": {"client_credentials"}},
	}
}

func TestBasicIsFormEncodedBeforeBase64(t *testing.T) {
	tests := []struct{ id, secret, want string }{
		// RFC 6749, section 2.3.1 and 4.4.2.
		{"s6BhdRkqt3", "gX1fBat3bV", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"},
		{"1PpG/Q1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=",
			"Basic " + base64.StdEncoding.EncodeToString([]byte("1PpG%2FQ1:z%2FtZ9VwFZqApmIQ%2BZH1I5pLk%2FuB4ud%3AX2%2F8bL%2BwfFTt1rFw%3D"))},
		// RFC 6749, appendix B, but for the space: some servers percent-decode and know no "+".
		{" %&+£€", " %&+£€", "Basic " + base64.StdEncoding.EncodeToString([]byte("%20%25%26%2B%C2%A3%E2%82%AC:%20%25%26%2B%C2%A3%E2%82%AC"))},
		// Unreserved characters stay, for servers that do not decode.
		{"a-b_c.d~e", "Zz09-._~", "Basic " + base64.StdEncoding.EncodeToString([]byte("a-b_c.d~e:Zz09-._~"))},
	}
	for _, test := range tests {
		c, err := ccclient.ClientSecretBasic(ccclient.SecretString(test.secret)).Authenticate(t.Context(),
			newRequest(test.id))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Header.Get("Authorization"); got != test.want {
			t.Errorf("%s:%s is sent as %s; want %s", test.id, test.secret, got, test.want)
		}
		if len(c.Form) != 0 {
			t.Errorf("a second method in the form: %v", c.Form)
		}
	}
}

func TestUnencodedBasicIsSentAsItIs(t *testing.T) {
	c, err := ccclient.ClientSecretBasicUnencoded(ccclient.SecretString("a:b%/+ é")).Authenticate(t.Context(),
		newRequest("1PpG/Q 1"))
	if err != nil {
		t.Fatal(err)
	}
	user, password, ok := (&http.Request{Header: c.Header}).BasicAuth()
	if !ok || user != "1PpG/Q 1" || password != "a:b%/+ é" {
		t.Errorf("sent %q, %q", user, password)
	}
	if _, err := ccclient.ClientSecretBasicUnencoded(ccclient.SecretString("x")).Authenticate(t.Context(),
		newRequest("a:b")); err == nil {
		t.Error("a client id with a colon was sent unencoded")
	}
}

func TestPostSendsTheSecretInTheFormAlone(t *testing.T) {
	c, err := ccclient.ClientSecretPost(ccclient.SecretString("se&cret")).Authenticate(t.Context(), newRequest("id &"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Form.Get("client_id") != "id &" || c.Form.Get("client_secret") != "se&cret" || len(c.Form) != 2 ||
		len(c.Header) != 0 {
		t.Errorf("form %q, header %v", c.Form["client_id"], c.Header)
	}
}

func TestSecretThatCannotBeHadIsAnErrorNotAPanic(t *testing.T) {
	vault := errors.New("the vault is sealed")
	for name, method := range map[string]func(ccclient.Secret) ccclient.Auth{
		"basic":     ccclient.ClientSecretBasic,
		"unencoded": ccclient.ClientSecretBasicUnencoded,
		"post":      ccclient.ClientSecretPost,
	} {
		broken := func(context.Context) (string, error) { return "", vault }
		for kind, secret := range map[string]ccclient.Secret{"none": nil, "empty": ccclient.SecretString(""),
			"failing": broken} {
			c, err := method(secret).Authenticate(t.Context(), newRequest("client"))
			if err == nil || errors.Is(err, vault) != (kind == "failing") {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
			if len(c.Header) != 0 || len(c.Form) != 0 {
				t.Errorf("%s, %s: credentials nevertheless", name, kind)
			}
		}
	}
}

func FuzzBasic(f *testing.F) {
	f.Add("s6BhdRkqt3", "gX1fBat3bV")
	f.Add("1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=")
	f.Add(" %&+£€", ":\x00\xff\n")
	f.Fuzz(func(t *testing.T, id, secret string) {
		if secret == "" {
			return
		}
		c, err := ccclient.ClientSecretBasic(ccclient.SecretString(secret)).Authenticate(t.Context(), newRequest(id))
		if err != nil {
			t.Fatal(err)
		}
		// As a server reads it that form-decodes, and as one that percent-decodes.
		user, password, ok := (&http.Request{Header: c.Header}).BasicAuth()
		for _, decode := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
			gotID, err := decode(user)
			gotSecret, err2 := decode(password)
			if !ok || err != nil || err2 != nil || gotID != id || gotSecret != secret {
				t.Errorf("%q, %q came as %q, %q (%v, %v)", id, secret, gotID, gotSecret, err, err2)
			}
		}
		c, err = ccclient.ClientSecretBasicUnencoded(ccclient.SecretString(secret)).Authenticate(t.Context(), newRequest(id))
		if strings.Contains(id, ":") {
			if err == nil {
				t.Errorf("an id with a colon, %q, was sent", id)
			}
			return
		}
		if user, password, ok := (&http.Request{Header: c.Header}).BasicAuth(); !ok || user != id || password != secret {
			t.Errorf("unencoded, %q, %q came as %q, %q", id, secret, user, password)
		}
	})
}
