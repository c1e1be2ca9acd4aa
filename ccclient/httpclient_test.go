package ccclient_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/transport"
)

// onLoopback gives a client for a server on loopback, and a resource there
// that answers what it is sent.
func onLoopback(t *testing.T, configure func(*ccclient.Config)) (*ccclient.Client, *cctest.Server, *httptest.Server) {
	t.Helper()
	as := cctest.NewServer(cctest.Options{})
	t.Cleanup(as.Close)
	resource := httptest.NewServer(as.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	})))
	t.Cleanup(resource.Close)
	cfg := ccclient.Config{
		TokenURL: as.TokenURL(),
		ClientID: cctest.DefaultClientID,
		Auth:     ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
	}
	if configure != nil {
		configure(&cfg)
	}
	c, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, as, resource
}

func read(t *testing.T, resp *http.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(b))
}

func TestHTTPClientIsDropIn(t *testing.T) {
	c, as, resource := onLoopback(t, nil)
	httpClient := c.HTTPClient()
	if httpClient.Timeout != 0 {
		t.Errorf("a Timeout of %v would cut long downloads", httpClient.Timeout)
	}
	before := *http.DefaultClient
	*http.DefaultClient = *httpClient
	defer func() { *http.DefaultClient = before }()

	resp, err := http.Get(resource.URL + "/a")
	if got := read(t, resp, err); got != "200 GET /a " {
		t.Errorf("Get: %s", got)
	}
	as.RevokeAll()
	resp, err = http.Post(resource.URL+"/b", "text/plain", strings.NewReader("body"))
	if got := read(t, resp, err); got != "200 POST /b body" {
		t.Errorf("Post with a revoked token: %s", got)
	}
	resp, err = http.PostForm(resource.URL+"/c", url.Values{"x": {"y"}})
	if got := read(t, resp, err); got != "200 POST /c x=y" {
		t.Errorf("PostForm: %s", got)
	}
	if n := as.Stats().TokenRequests; n != 2 {
		t.Errorf("%d token requests, want 2", n)
	}
}

func TestHTTPClientsAreTheCallersToModify(t *testing.T) {
	c, _, _ := onLoopback(t, nil)
	a, b := c.HTTPClient(), c.HTTPClient()
	a.Transport.(*transport.Transport).AllowedHosts = []string{"x"}
	a.Timeout = 1
	if b.Timeout != 0 || b.Transport.(*transport.Transport).AllowedHosts != nil {
		t.Error("two HTTPClients share what a caller may modify")
	}
}

// connectionsTo returns how many connections to s there have been.
func connectionsTo(s *httptest.Server) func() int {
	var mu sync.Mutex // guards opened
	opened := make(map[string]bool)
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		opened[r.RemoteAddr] = true
		mu.Unlock()
		inner.ServeHTTP(w, r)
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(opened)
	}
}

func TestManyCallersShareTokenAndConnections(t *testing.T) {
	c, as, resource := onLoopback(t, nil)
	opened := connectionsTo(resource)
	for range 5 {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				resp, err := c.HTTPClient().Get(resource.URL)
				if got := read(t, resp, err); got != "200 GET / " {
					t.Error(got)
				}
			})
		}
		wg.Wait()
	}
	if n := as.Stats().TokenRequests; n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	// net/http's own pool would keep 2 of 50 and open some 240.
	if n := opened(); n > 100 {
		t.Errorf("250 calls, 50 at a time, opened %d connections", n)
	}
}

func TestTransportWorksInReverseProxy(t *testing.T) {
	c, as, resource := onLoopback(t, nil)
	target, _ := url.Parse(resource.URL)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: c.Transport(nil),
	})
	defer proxy.Close()
	resp, err := http.Post(proxy.URL+"/x", "text/plain", bytes.NewReader(make([]byte, 100_000)))
	if got := read(t, resp, err); len(got) != len("200 POST /x ")+100_000 {
		t.Errorf("got %d bytes: %.40q", len(got), got)
	}
	as.RevokeAll()
	resp, err = http.Get(proxy.URL + "/y")
	if got := read(t, resp, err); got != "200 GET /y " {
		t.Errorf("with a revoked token: %s", got)
	}
}

func TestTokenDoesNotFollowRedirectAway(t *testing.T) {
	c, _, _ := onLoopback(t, nil)
	var got []string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
	}))
	defer thief.Close()
	api := httptest.NewServer(http.RedirectHandler(thief.URL, http.StatusTemporaryRedirect))
	defer api.Close()
	resp, err := c.HTTPClient().Get(api.URL)
	read(t, resp, err)
	if len(got) != 1 || got[0] != "" {
		t.Errorf("the host that a redirect named got %d requests with %q", len(got), got)
	}
}

func TestOnlyAllowedHostsGetTheToken(t *testing.T) {
	c, as, resource := onLoopback(t, func(cfg *ccclient.Config) { cfg.AllowedHosts = []string{"*.example.com"} })
	if _, err := c.HTTPClient().Get(resource.URL); !errors.Is(err, transport.ErrHostNotAllowed) {
		t.Errorf("got %v, want ErrHostNotAllowed", err)
	}
	if _, err := c.HTTPClient().Get("http://api.example.com/"); !errors.Is(err, transport.ErrInsecure) {
		t.Errorf("got %v, want ErrInsecure", err)
	}
	if n := as.Stats().TokenRequests; n != 0 {
		t.Errorf("%d token requests for calls that may not have a token", n)
	}
}

func TestCallWithoutTokenIsNotSent(t *testing.T) {
	c, as, resource := onLoopback(t, func(cfg *ccclient.Config) { cfg.Retry.MaxAttempts = 1 })
	as.SetDown(http.StatusInternalServerError)
	_, err := c.HTTPClient().Get(resource.URL)
	e, ok := errors.AsType[*ccclient.Error](err)
	if !ok || e.StatusCode != http.StatusInternalServerError {
		t.Errorf("got %v, want the token request's error", err)
	}
	if n := as.Stats().ResourceRequests; n != 0 {
		t.Errorf("the resource got %d requests", n)
	}
}

func TestNewCopiesTheHTTPClient(t *testing.T) {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	// A program may make the authorized client its default one, and that may
	// be what token requests were told to use.
	theirs := &http.Client{Transport: as.RoundTripper()}
	usual := http.DefaultTransport
	http.DefaultTransport = as.RoundTripper()
	defer func() { http.DefaultTransport = usual }()
	for name, hc := range map[string]*http.Client{"with a transport": theirs, "with the default one": {}} {
		t.Run(name, func(t *testing.T) {
			c, err := ccclient.New(ccclient.Config{
				TokenURL:   asTokenURL,
				ClientID:   cctest.DefaultClientID,
				Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
				HTTPClient: hc,
				Cache:      cache.Options{FetchTimeout: time.Second},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			*hc = *c.HTTPClient()
			http.DefaultTransport = hc.Transport
			defer func() { http.DefaultTransport = as.RoundTripper() }()
			if _, err := c.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHTTPClientIsTheBaseOfEverything(t *testing.T) {
	as := cctest.NewServer(cctest.Options{})
	defer as.Close()
	var through []string
	theirs := &http.Client{
		Timeout: time.Minute,
		Jar:     sameCookie{},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
		Transport: cctest.RoundTripper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			through = append(through, r.Method+" "+r.Host+" "+r.Header.Get("Cookie"))
			if r.Host == "as.example.com" {
				as.Handler().ServeHTTP(w, r)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		})),
	}
	c, err := ccclient.New(ccclient.Config{
		TokenURL:   asTokenURL,
		ClientID:   cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: theirs,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	httpClient := c.HTTPClient()
	resp, err := httpClient.Get("https://api.example.com/")
	if got := read(t, resp, err); !strings.HasPrefix(got, "302 ") {
		t.Errorf("got %s: CheckRedirect is not theirs", got)
	}
	resp, err = (&http.Client{Transport: c.Transport(nil)}).Head("https://api.example.com/elsewhere")
	if err == nil {
		t.Errorf("got %s, want an end to the redirects", read(t, resp, nil))
	}
	if len(through) < 3 || through[0] != "POST as.example.com " || through[1] != "GET api.example.com a=b" ||
		through[2] != "HEAD api.example.com " {
		t.Errorf("through the client went %q", through)
	}
	if httpClient.Timeout != time.Minute || httpClient.Jar != theirs.Jar {
		t.Error("the Timeout and the Jar are not theirs")
	}
	if _, changed := theirs.Transport.(*transport.Transport); changed || httpClient == theirs {
		t.Error("their client was changed")
	}
}

// sameCookie is a jar with one cookie for everybody.
type sameCookie struct{}

func (sameCookie) SetCookies(*url.URL, []*http.Cookie) {}
func (sameCookie) Cookies(*url.URL) []*http.Cookie     { return []*http.Cookie{{Name: "a", Value: "b"}} }

func TestWrapTransportSeesTokenRequestsAndCalls(t *testing.T) {
	var seen []string
	made := 0
	c, as, resource := onLoopback(t, func(cfg *ccclient.Config) {
		cfg.WrapTransport = func(own http.RoundTripper) http.RoundTripper {
			made++
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				seen = append(seen, r.Method+" "+r.URL.Host)
				return own.RoundTrip(r)
			})
		}
	})
	resp, err := c.HTTPClient().Get(resource.URL)
	if got := read(t, resp, err); got != "200 GET / " {
		t.Error(got)
	}
	resp, err = c.For(ccclient.Target{Audience: "x"}).HTTPClient().Get(resource.URL)
	read(t, resp, err)
	host := func(u string) string { return strings.TrimPrefix(u, "http://") }
	want := []string{
		"POST " + host(as.URL()), "GET " + host(resource.URL), "POST " + host(as.URL()), "GET " + host(resource.URL),
	}
	if !slices.Equal(seen, want) || made != 1 {
		t.Errorf("the %d wrappers saw %q, want %q", made, seen, want)
	}
}

func TestWrappedConnectionsCanBeClosed(t *testing.T) {
	c, _, resource := onLoopback(t, func(cfg *ccclient.Config) {
		cfg.WrapTransport = func(own http.RoundTripper) http.RoundTripper { return roundTripper(own.RoundTrip) }
	})
	opened := connectionsTo(resource)
	for range 3 {
		for range 3 {
			resp, err := c.HTTPClient().Get(resource.URL)
			read(t, resp, err)
		}
		c.HTTPClient().CloseIdleConnections()
	}
	if n := opened(); n != 3 {
		t.Errorf("%d connections were opened, want 3", n)
	}
}

func TestReplayLimitIsThatOfTheTransports(t *testing.T) {
	for how, client := range map[string]func(*ccclient.Client) *http.Client{
		"HTTPClient": (*ccclient.Client).HTTPClient,
		"Transport": func(c *ccclient.Client) *http.Client {
			return &http.Client{Transport: c.Transport(http.DefaultTransport)}
		},
	} {
		for size, want := range map[int]string{100: "200 POST / ", 101: "401 "} {
			c, as, resource := onLoopback(t, func(cfg *ccclient.Config) { cfg.ReplayLimit = 100 })
			if _, err := c.Token(t.Context()); err != nil {
				t.Fatal(err)
			}
			as.RevokeAll()
			resp, err := client(c).Post(resource.URL, "text/plain", io.LimitReader(neverEnding('x'), int64(size)))
			if got := read(t, resp, err); !strings.HasPrefix(got, want) {
				t.Errorf("%s, a body of %d bytes: %.40s, want %s", how, size, got, want)
			}
		}
	}
}

// neverEnding is a body of the same byte without an end.
type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}
