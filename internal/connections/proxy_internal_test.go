package connections

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestRefusalOfProxyNamesIt(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	tr := newTransport(nil)
	tr.Proxy = http.ProxyURL(through) // the environment's is read once in a process
	defer tr.CloseIdleConnections()
	_, err = (&http.Client{Transport: tr}).Get("https://as.example.com/token")
	refusal := ProxyRefusalIn(err)
	if refusal == nil || refusal.Host != through.Host || refusal.Status != http.StatusProxyAuthRequired {
		t.Fatalf("got %v", err)
	}
	want := "the proxy " + through.Host + " made no connection to the server: 407 Proxy Authentication Required"
	if !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRefusalOfProxyIsFoundInAnyError(t *testing.T) {
	forbidden := errors.New("Forbidden")
	for name, err := range map[string]error{
		"net/http's": forbidden, "of a client": &url.Error{Op: "Get", URL: "https://as.example.com", Err: forbidden},
		"wrapped": fmt.Errorf("wrapped: %w", forbidden), "joined": errors.Join(errors.New("another"), forbidden),
		"named": fmt.Errorf("wrapped: %w", &ProxyRefusal{Status: http.StatusForbidden}),
	} {
		if refusal := ProxyRefusalIn(err); refusal == nil || refusal.Status != http.StatusForbidden {
			t.Errorf("%s: %v", name, refusal)
		}
	}
	for _, err := range []error{nil, errors.New("Forbidden: it is"), errors.Join(errors.New("another"))} {
		if refusal := ProxyRefusalIn(err); refusal != nil {
			t.Errorf("%v: %v", err, refusal)
		}
	}
}
