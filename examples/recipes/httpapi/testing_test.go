package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// fetch is the program that is tested.
func fetch(api *http.Client, url string) error {
	resp, err := api.Get(url + "/things")
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API answered %s", resp.Status)
	}
	return nil
}

func things(http.ResponseWriter, *http.Request) {}

func TestProgramOverSockets(t *testing.T) {
	as := cctest.NewServer(cctest.Options{Lifetime: time.Second})
	defer as.Close()
	api := httptest.NewServer(as.Protect(http.HandlerFunc(things)))
	defer api.Close()
	client, err := ccclient.New(ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 2 {
		if err := fetch(client.HTTPClient(), api.URL); err != nil {
			t.Error(err)
		}
		as.RevokeAll()
	}

	tok, err := client.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(tok.Expiry))
	if err := fetch(client.HTTPClient(), api.URL); err != nil {
		t.Error(err)
	}
	if n := as.Stats().TokenRequests; n < 3 {
		t.Errorf("%d token requests, want one for each token", n)
	}
}

func TestProgramInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{Lifetime: time.Hour})
		mux := http.NewServeMux()
		mux.Handle("as.example.com/", as.Handler())
		mux.Handle("api.example.com/", as.Protect(http.HandlerFunc(things)))
		client, err := ccclient.New(ccclient.Config{
			TokenURL:   "https://as.example.com/token",
			ClientID:   cctest.DefaultClientID,
			Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
			HTTPClient: &http.Client{Transport: cctest.RoundTripper(mux)},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for range 2 {
			if err := fetch(client.HTTPClient(), "https://api.example.com"); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Hour) // the token expires, in no time
		}

		if err := fetch(client.HTTPClient(), "https://api.example.com"); err != nil {
			t.Error(err)
		}
		as.RevokeAll()
		if err := fetch(client.HTTPClient(), "https://api.example.com"); err != nil {
			t.Error(err)
		}
		if n := as.Stats().TokenRequests; n != 4 {
			t.Errorf("%d token requests, want 4", n)
		}
	})
}

// defaultTransport is the http.DefaultTransport of the moment at which a request is sent.
type defaultTransport struct{}

func (defaultTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	return http.DefaultTransport.RoundTrip(req)
}

func newClientOfTheProgram() (*ccclient.Client, error) {
	return ccclient.New(ccclient.Config{
		TokenURL:   "https://as.example.com/token",
		ClientID:   "client",
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString("secret")),
		HTTPClient: &http.Client{Transport: defaultTransport{}},
	})
}

func TestProgramWhoseDefaultTransportIsSwapped(t *testing.T) {
	real := http.DefaultTransport
	defer func() { http.DefaultTransport = real }()
	synctest.Test(t, func(t *testing.T) {
		client, err := newClientOfTheProgram()
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		as := cctest.NewServer(cctest.Options{})
		mux := http.NewServeMux()
		mux.Handle("as.example.com/", as.Handler())
		mux.Handle("api.example.com/", as.Protect(http.HandlerFunc(things)))
		http.DefaultTransport = cctest.RoundTripper(mux) // after New
		for n, happen := range []func(){
			func() {},
			func() { time.Sleep(2 * cctest.DefaultLifetime) },
			as.RevokeAll,
		} {
			happen()
			if err := fetch(client.HTTPClient(), "https://api.example.com"); err != nil {
				t.Error(err)
			}
			if got := as.Stats().TokenRequests; got != n+1 {
				t.Errorf("%d token requests, want %d", got, n+1)
			}
		}
	})
}
