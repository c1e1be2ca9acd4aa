package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A proxied is a running cctoken proxy.
type proxied struct {
	url    string       // where it listens
	client *http.Client // goes there
	end    func() result
}

// startProxy runs "cctoken proxy" in front of the rig's API until the test ends.
func (r *rig) startProxy(t *testing.T, listen string, args ...string) *proxied {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, errs := io.Pipe()
	lines := bufio.NewScanner(out)
	status := make(chan int, 1)
	go func() {
		args := append([]string{"proxy", "-to", r.api.URL, "-listen", listen}, args...)
		status <- run(ctx, args, streams{nil, io.Discard, errs})
		errs.Close()
	}()
	if !lines.Scan() {
		t.Fatalf("no line came, and the status %d", <-status)
	}
	address, _, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "cctoken: "), " ")
	var rest strings.Builder
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
			fmt.Fprintln(&rest, lines.Text())
		}
	}()
	p := &proxied{url: address, client: &http.Client{Transport: new(http.Transport)}}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		p.url = "http://localhost"
		p.client.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}}
	}
	p.end = func() result {
		p.client.CloseIdleConnections()
		cancel()
		<-drained
		return result{status: <-status, err: rest.String()}
	}
	t.Cleanup(cancel)
	return p
}

func (p *proxied) do(
	t *testing.T, method, path string, body io.Reader, change func(*http.Request),
) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestProxyAddsTheTokenOnTCPAndOnAUnixSocket(t *testing.T) {
	for name, listen := range map[string]string{
		"TCP": "127.0.0.1:0", "a Unix socket": "unix:" + filepath.Join(t.TempDir(), "s"),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cctest.Options{}, nil)
			p := r.startProxy(t, listen)
			resp, text := p.do(t, http.MethodGet, "/a%2Fb;c?x=1;y=%zz", nil, nil)
			equal(t, "status", resp.StatusCode, http.StatusOK)
			equal(t, "sent on", text, "GET /a%2Fb;c?x=1;y=%zz")
			equal(t, "exit status", p.end().status, succeeded)
		})
	}
}

func TestProxyRepeatsWhatARevokedTokenWasSentWith(t *testing.T) {
	r := newRig(t, cctest.Options{}, echo)
	p := r.startProxy(t, "127.0.0.1:0")
	{
		resp, text := p.do(t, http.MethodPost, "/", strings.NewReader("an order"), nil)
		equal(t, "status", resp.StatusCode, http.StatusOK)
		equal(t, "sent on", text, `POST /  "an order"`)
		r.as.RevokeAll()
	}
	resp, text := p.do(t, http.MethodPost, "/", strings.NewReader("another"), nil)
	equal(t, "status", resp.StatusCode, http.StatusOK)
	equal(t, "sent on", text, `POST /  "another"`)
	equal(t, "token requests", r.as.Stats().TokenRequests, 2)
}

func TestProxyRefusesWhatIsNotMeantForIt(t *testing.T) {
	var reached atomic.Int32
	r := newRig(t, cctest.Options{}, func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	p := r.startProxy(t, "127.0.0.1:0")
	host := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	field := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, tc := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"loopback":                {host("127.0.0.1"), http.StatusOK},
		"localhost":               {host("LOCALHOST:99"), http.StatusOK},
		"IPv6 loopback":           {host("[::1]:99"), http.StatusOK},
		"the API's own name":      {host(strings.TrimPrefix(r.api.URL, "http://")), http.StatusOK},
		"a page of this origin":   {field("Origin", p.url), http.StatusOK},
		"a name that is rebound":  {host("evil.example"), http.StatusMisdirectedRequest},
		"a name that looks alike": {host("localhost.evil.example"), http.StatusMisdirectedRequest},
		"a page of elsewhere":     {field("Origin", "https://evil.example"), http.StatusForbidden},
		"a page without origin":   {field("Origin", "null"), http.StatusForbidden},
		"an image in a page":      {field("Sec-Fetch-Site", "cross-site"), http.StatusForbidden},
		"another port's page":     {field("Sec-Fetch-Site", "same-site"), http.StatusForbidden},
		"out of the path":         {func(r *http.Request) { r.URL.Path = "/v1/../admin" }, http.StatusBadRequest},
		"out of it, escaped":      {func(r *http.Request) { r.URL.Opaque = "/v1/%2e%2E/admin" }, http.StatusBadRequest},
		"another server": {func(r *http.Request) { r.URL.Opaque = "http://evil.example/" },
			http.StatusMisdirectedRequest},
	} {
		before := reached.Load()
		resp, _ := p.do(t, http.MethodGet, "/", nil, tc.change)
		equal(t, name, resp.StatusCode, tc.status)
		equal(t, name+": reached the API", reached.Load() > before, tc.status == http.StatusOK)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: localhost\r\n\r\n", strings.TrimPrefix(r.api.URL, "http://"))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "CONNECT", resp.StatusCode, http.StatusMisdirectedRequest)
}

func TestProxyStreamsBothWays(t *testing.T) {
	r := newRig(t, cctest.Options{}, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Trailer", "X-Last")
		http.NewResponseController(w).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "%s!\n", lines.Text())
			http.NewResponseController(w).Flush()
		}
		w.Header().Set("X-Last", r.Trailer.Get("X-Sum"))
	})
	for name, protocols := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2":   func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		t.Run(name, func(t *testing.T) {
			p := r.startProxy(t, "127.0.0.1:0")
			transport := &http.Transport{Protocols: new(http.Protocols)}
			protocols(transport.Protocols)
			p.client.Transport = transport
			body, writer := io.Pipe()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Trailer = http.Header{"X-Sum": nil}
			resp, err := p.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			answers := bufio.NewReader(resp.Body)
			for _, word := range []string{"one", "two", "three"} {
				fmt.Fprintln(writer, word)
				answer, err := answers.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "answer", answer, word+"!\n")
			}
			req.Trailer.Set("X-Sum", "11")
			writer.Close()
			if _, err := io.ReadAll(answers); err != nil {
				t.Fatal(err)
			}
			equal(t, "trailer", resp.Trailer.Get("X-Last"), "11")
			equal(t, "protocol", resp.Proto, strings.Replace(name+".0", "1.1.0", "1.1", 1))
		})
	}
}

func TestProxyPassesUpgradesAndEarlyHints(t *testing.T) {
	r := newRig(t, cctest.Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := both.ReadString('\n')
		fmt.Fprintf(conn, "you said %s", line)
	})
	p := r.startProxy(t, "127.0.0.1:0")
	hints := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "parrot")
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	equal(t, "status", resp.StatusCode, http.StatusSwitchingProtocols)
	equal(t, "hints", hints, 1)
	both := resp.Body.(io.ReadWriter)
	fmt.Fprintln(both, "hello")
	line, err := bufio.NewReader(both).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "answer", line, "you said hello\n")
}

func TestProxySaysWhyThereIsNoToken(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(*testing.T, *rig)
		status int
		after  string
		says   string
	}{
		"server is busy": {func(_ *testing.T, r *rig) {
			r.as.FailNext(1, http.StatusServiceUnavailable, http.Header{"Retry-After": {"90"}})
		}, http.StatusServiceUnavailable, "90", "503"},
		"wrong secret": {func(t *testing.T, _ *rig) {
			t.Setenv("CLIENT_SECRET_FILE", file(t, "secret", "not-"+secret[:4]))
		}, http.StatusBadGateway, "", "invalid_client"},
		"no API": {func(_ *testing.T, r *rig) { r.api.Close() }, http.StatusBadGateway, "", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, cctest.Options{}, nil)
			tc.before(t, r)
			p := r.startProxy(t, "127.0.0.1:0")
			resp, text := p.do(t, http.MethodGet, "/orders?key=private", nil, nil)
			equal(t, "status", resp.StatusCode, tc.status)
			equal(t, "Retry-After", resp.Header.Get("Retry-After"), tc.after)
			contains(t, "answer", text, "cctoken: ", tc.says)
			log := p.end().err
			contains(t, "log", log, "GET /orders", tc.says)
			lacks(t, "log", log, "private", secret)
		})
	}
}

func TestProxyLetsRequestsEndBeforeItDoes(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	r := newRig(t, cctest.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		io.WriteString(w, "done")
	})
	p := r.startProxy(t, "127.0.0.1:0")
	ended := make(chan result, 1)
	go func() {
		<-begun
		time.AfterFunc(50*time.Millisecond, func() { close(goOn) })
		ended <- p.end()
	}()
	_, text := p.do(t, http.MethodGet, "/", nil, nil)
	equal(t, "answer", text, "done")
	equal(t, "exit status", (<-ended).status, succeeded)
}

func TestProxyKeepsThePathOfTheAPI(t *testing.T) {
	r := newRig(t, cctest.Options{}, nil)
	api, err := url.Parse(r.api.URL + "/v1/")
	if err != nil {
		t.Fatal(err)
	}
	r.api = &httptest.Server{URL: api.String()}
	_, text := r.startProxy(t, "127.0.0.1:0").do(t, http.MethodGet, "/orders", nil, nil)
	equal(t, "sent on", text, "GET /v1/orders")
}
