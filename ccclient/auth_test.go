package ccclient_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient"
)

func newRequest(id string) *ccclient.Request {
	return &ccclient.Request{
		ClientID: id,
		TokenURL: "https://as.example/token?api-key=canary-key",
		Form:     url.Values{"grant_type": {"client_credentials"}},
		Header:   http.Header{},
	}
}

func TestBasicIsFormEncodedBeforeBase64(t *testing.T) {
	tests := []struct{ id, secret, want string }{
		// RFC 6749, section 2.3.1 and 4.4.2.
		{"s6BhdRkqt3", "gX1fBat3bV", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"},
		{"1PpG/Q 1", "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=",
			"Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA=="},
		// RFC 6749, appendix B.
		{" %&+£€", " %&+£€", "Basic " + base64.StdEncoding.EncodeToString([]byte("+%25%26%2B%C2%A3%E2%82%AC:+%25%26%2B%C2%A3%E2%82%AC"))},
		// Unreserved characters stay, for servers that do not decode.
		{"a-b_c.d~e", "Zz09-._~", "Basic " + base64.StdEncoding.EncodeToString([]byte("a-b_c.d~e:Zz09-._~"))},
	}
	for _, test := range tests {
		r := newRequest(test.id)
		if err := ccclient.ClientSecretBasic(ccclient.SecretString(test.secret)).Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := r.Header.Get("Authorization"); got != test.want {
			t.Errorf("%s:%s gives %s; want %s", test.id, test.secret, got, test.want)
		}
		if len(r.Form) != 1 {
			t.Errorf("a second method in the form: %v", r.Form)
		}
	}
}

func TestUnencodedBasicIsSentAsItIs(t *testing.T) {
	r := newRequest("1PpG/Q 1")
	if err := ccclient.ClientSecretBasicUnencoded(ccclient.SecretString("a:b%/+ é")).Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	user, password, ok := (&http.Request{Header: r.Header}).BasicAuth()
	if !ok || user != "1PpG/Q 1" || password != "a:b%/+ é" {
		t.Errorf("sent %q, %q", user, password)
	}
	if err := ccclient.ClientSecretBasicUnencoded(ccclient.SecretString("x")).Authenticate(t.Context(), newRequest("a:b")); err == nil {
		t.Error("a client id with a colon was sent unencoded")
	}
}

func TestPostSendsTheSecretInTheFormAlone(t *testing.T) {
	r := newRequest("id &")
	if err := ccclient.ClientSecretPost(ccclient.SecretString("se&cret")).Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r.Form.Get("client_id") != "id &" || r.Form.Get("client_secret") != "se&cret" || len(r.Header) != 0 {
		t.Errorf("form %v, header %v", r.Form["client_id"], r.Header)
	}
}

func TestASecretThatCannotBeHadIsAnErrorNotAPanic(t *testing.T) {
	vault := errors.New("the vault is sealed")
	methods := map[string]func(ccclient.Secret) ccclient.Auth{
		"basic":     ccclient.ClientSecretBasic,
		"unencoded": ccclient.ClientSecretBasicUnencoded,
		"post":      ccclient.ClientSecretPost,
	}
	for name, method := range methods {
		r := newRequest("client")
		if err := method(nil).Authenticate(t.Context(), r); err == nil {
			t.Errorf("%s: no error without a Secret", name)
		}
		if err := method(ccclient.SecretString("")).Authenticate(t.Context(), r); err == nil {
			t.Errorf("%s: no error for an empty secret", name)
		}
		broken := func(context.Context) (string, error) { return "", vault }
		if err := method(broken).Authenticate(t.Context(), r); !errors.Is(err, vault) {
			t.Errorf("%s: %v is not the source's error", name, err)
		}
		if len(r.Header) != 0 || len(r.Form) != 1 {
			t.Errorf("%s: credentials were added nevertheless", name)
		}
	}
	if err := ccclient.AuthFunc(nil).Authenticate(t.Context(), newRequest("client")); err == nil {
		t.Error("no error from a nil AuthFunc")
	}
}

func TestPrintingShowsNoSecret(t *testing.T) {
	const canary = "canary-secret"
	secret := ccclient.SecretString(canary)
	auths := []ccclient.Auth{
		ccclient.ClientSecretBasic(secret),
		ccclient.ClientSecretBasicUnencoded(secret),
		ccclient.ClientSecretPost(secret),
		ccclient.AuthFunc(func(_ context.Context, r *ccclient.Request) error {
			r.Form.Set("api_key", canary)
			return nil
		}),
	}
	for _, auth := range auths {
		r := newRequest("client")
		if err := auth.Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "request", r, "value", *r)
		slog.New(slog.NewTextHandler(&logged, nil)).Info("", "request", r, "value", *r, "auth", auth)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			fmt.Fprintf(&logged, verb+verb+verb+verb, r, *r, auth, secret)
			fmt.Fprintf(&logged, verb, struct{ R ccclient.Request }{*r})
		}
		printed := logged.String()
		for _, form := range []string{canary, "canary-key", base64.StdEncoding.EncodeToString([]byte("client:" + canary)), fmt.Sprintf("%x", canary)} {
			if strings.Contains(printed, form) {
				t.Errorf("%v: %q is in %s", auth, form, printed)
			}
		}
		if !strings.Contains(printed, "grant_type") {
			t.Errorf("the names are not shown: %s", printed)
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
		r := newRequest(id)
		if err := ccclient.ClientSecretBasic(ccclient.SecretString(secret)).Authenticate(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		// As a server reads it.
		user, password, ok := (&http.Request{Header: r.Header}).BasicAuth()
		gotID, err := url.QueryUnescape(user)
		gotSecret, err2 := url.QueryUnescape(password)
		if !ok || err != nil || err2 != nil || gotID != id || gotSecret != secret {
			t.Errorf("%q, %q came as %q, %q (%v, %v)", id, secret, gotID, gotSecret, err, err2)
		}
		r = newRequest(id)
		err = ccclient.ClientSecretBasicUnencoded(ccclient.SecretString(secret)).Authenticate(t.Context(), r)
		if strings.Contains(id, ":") {
			if err == nil {
				t.Errorf("an id with a colon, %q, was sent", id)
			}
			return
		}
		if user, password, ok := (&http.Request{Header: r.Header}).BasicAuth(); !ok || user != id || password != secret {
			t.Errorf("unencoded, %q, %q came as %q, %q", id, secret, user, password)
		}
	})
}
