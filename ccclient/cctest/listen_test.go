package cctest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestSocketsServeTheSame(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	defer s.Close()
	api := httptest.NewServer(s.Protect(ok))
	defer api.Close()
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()

	r := form(t.Context(), s.TokenURL(), "grant_type", "client_credentials")
	r.SetBasicAuth(cctest.DefaultClientID, cctest.DefaultClientSecret)
	got := do(t, c.Transport, r)
	if got.status != 200 {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	r, _ = http.NewRequest(http.MethodGet, api.URL, nil)
	r.Header.Set("Authorization", "Bearer "+got.str("access_token"))
	if got := do(t, c.Transport, r); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	r, _ = http.NewRequest(http.MethodGet, s.URL()+"/.well-known/oauth-authorization-server", nil)
	if got := do(t, c.Transport, r); got.str("issuer") != s.Issuer() {
		t.Errorf("got %s", got.body)
	}
	s.FailNext(1, cctest.NoAnswer, nil)
	if resp, err := c.Post(s.TokenURL(), "application/x-www-form-urlencoded", strings.NewReader("a=b")); err == nil {
		resp.Body.Close()
		t.Errorf("the cut connection answered %d", resp.StatusCode)
	}
}

func TestCloseEndsRequestsUnderWay(t *testing.T) {
	s := cctest.NewServer(cctest.Options{})
	s.SetDelay(time.Hour)
	answered := make(chan error)
	url := s.TokenURL()
	go func() {
		resp, err := http.Post(url, "application/x-www-form-urlencoded", strings.NewReader("a=b"))
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		answered <- err
	}()
	for len(s.TokenRequests()) == 0 {
		runtime.Gosched()
	}
	s.Close()
	s.Close()
	<-answered
	cctest.NewServer(cctest.Options{}).Close()
}
