package ccclient_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A rig is a client before an authorization server and a protected resource,
// all in this process and in virtual time.
type rig struct {
	*ccclient.Client
	t   *testing.T
	as  *cctest.Server
	api *http.Client // authorized, to the resource
}

const asTokenURL = "https://as.example.com/token"

// inBubble runs f with a rig. configure, if not nil, changes the usual Config.
func inBubble(t *testing.T, o cctest.Options, configure func(*ccclient.Config), f func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(o)
		defer as.Close()
		cfg := ccclient.Config{
			TokenURL:   asTokenURL,
			ClientID:   cctest.DefaultClientID,
			Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
			HTTPClient: &http.Client{Transport: as.RoundTripper()},
		}
		if configure != nil {
			configure(&cfg)
		}
		c, err := ccclient.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		resource := as.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("hello"))
		}))
		f(t, &rig{c, t, as, &http.Client{Transport: c.Transport(cctest.RoundTripper(resource))}})
	})
}

// token gets a token without a wait.
func (r *rig) token() string {
	r.t.Helper()
	start := time.Now()
	tok, err := r.Token(r.t.Context())
	if err != nil {
		r.t.Fatalf("Token: %v", err)
	}
	if waited := time.Since(start); waited != 0 {
		r.t.Errorf("Token took %v", waited)
	}
	synctest.Wait()
	return tok.AccessToken
}

// call spends a token and gives the status.
func (r *rig) call() int {
	r.t.Helper()
	resp, err := r.api.Get("https://api.example.com/things")
	if err != nil {
		r.t.Fatalf("call: %v", err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (r *rig) wantRequests(n int) {
	r.t.Helper()
	synctest.Wait()
	if got := len(r.as.TokenRequests()); got != n {
		r.t.Errorf("the server got %d token requests, want %d", got, n)
	}
}
