package hosts_test

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/internal/hosts"
)

// net/http reads the environment once.
func TestMain(m *testing.M) {
	os.Unsetenv("NO_PROXY")
	os.Unsetenv("no_proxy")
	os.Setenv("HTTP_PROXY", "http://proxy.example:3128")
	os.Exit(m.Run())
}

// proxied reports whether net/http sends an http request for host to a proxy.
func proxied(t *testing.T, host string) bool {
	t.Helper()
	u := &url.URL{Scheme: "http", Host: host, Path: "/"}
	if strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	return proxy != nil
}

func TestLoopbackIsWhatNetHTTPSendsToNoProxy(t *testing.T) {
	if !proxied(t, "api.example.com") {
		t.Fatal("the environment's proxy is not used")
	}
	for _, host := range []string{
		"localhost", "LocalHost", "localhost.", "LOCALHOST", "ｌｏｃａｌｈｏｓｔ", "localhost..", "127.0.0.1", "127.0.0.1.",
		"127.1.2.3",
		"127.1", "0177.0.0.1", "2130706433", "0x7f.0.0.1", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::1%lo",
		"::1%25lo", "::127.0.0.1",
	} {
		if hosts.Loopback(host) && proxied(t, host) {
			t.Errorf("%q is loopback here, and goes to a proxy in net/http", host)
		}
	}
}

func FuzzLoopback(f *testing.F) {
	for _, host := range []string{"localhost", "LocalHost", "localhost.", "127.0.0.1", "::1", "::1%lo",
		"::ffff:127.0.0.1"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if hosts.Loopback(host) && proxied(t, host) {
			t.Errorf("%q goes to a proxy", host)
		}
	})
}
