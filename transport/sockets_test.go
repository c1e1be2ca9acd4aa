package transport_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/transport"
)

// api is a server over real sockets that rejects every token but the one it expects.
type api struct {
	*httptest.Server
	mu    sync.Mutex
	want  string
	seen  []string // method, path, authorization and body of each request
	conns atomic.Int32
}

func newAPI(t *testing.T, want string, configure ...func(*httptest.Server)) *api {
	t.Helper()
	a := &api{want: want}
	a.Server = httptest.NewUnstartedServer(a)
	a.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			a.conns.Add(1)
		}
	}
	for _, c := range configure {
		c(a.Server)
	}
	if a.URL == "" {
		a.Start()
	}
	t.Cleanup(a.Close)
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	auth := r.Header.Get("Authorization")
	authorized := a.want == "" || auth == "Bearer "+a.want
	var body []byte
	if authorized || r.Header.Get("Expect") == "" {
		body, _ = io.ReadAll(r.Body)
	}
	a.mu.Lock()
	a.seen = append(a.seen, fmt.Sprintf("%s %s %q %q", r.Method, r.URL.Path, auth, body))
	a.mu.Unlock()
	switch to := r.URL.Query().Get("to"); {
	case to != "":
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	case !authorized:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, strings.Repeat("who are you ", 1000))
	case r.Header.Get("Upgrade") == "echo":
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(conn, line)
	default:
		fmt.Fprintf(w, "%s: %s", r.Proto, body)
	}
}

func (a *api) log() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.seen, "\n")
}

// call sends req and returns the status and the body of the answer.
func call(t *testing.T, c *http.Client, req *http.Request) (int, string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

func TestRetryReusesTheConnectionOfTheRejectedRequest(t *testing.T) {
	a := newAPI(t, "second")
	c := &http.Client{Transport: &transport.Transport{Source: bearer("first", "second"), Base: a.Client().Transport}}
	status, text := call(t, c, request(t, "POST", a.URL+"/x", strings.NewReader("text")))
	equal(t, "status", status, 200)
	equal(t, "answer", text, "HTTP/1.1: text")
	equal(t, "connections", a.conns.Load(), 1)
}

func TestClientFollowsRedirectsWithTheTokenOnlyAtHome(t *testing.T) {
	home, away := newAPI(t, ""), newAPI(t, "")
	back := away.URL + "/2?to=" + url.QueryEscape(home.URL+"/3")
	first := home.URL + "/0?to=" + url.QueryEscape(home.URL+"/1?to="+url.QueryEscape(back))
	c := &http.Client{Transport: &transport.Transport{Source: bearer("token"), Base: home.Client().Transport}}
	status, _ := call(t, c, request(t, "POST", first, strings.NewReader("text")))
	equal(t, "status", status, 200)
	equal(t, "at home", home.log(), `POST /0 "Bearer token" "text"`+"\n"+`POST /1 "Bearer token" "text"`+"\n"+`POST /3 "" "text"`)
	equal(t, "away", away.log(), `POST /2 "" "text"`)
}

func TestRejectedRequestIsSentOnceMoreOverHTTP2(t *testing.T) {
	a := newAPI(t, "second", func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.StartTLS()
	})
	c := &http.Client{Transport: &transport.Transport{Source: bearer("first", "second"), Base: a.Client().Transport,
		ReplayLimit: 1 << 10}}
	status, text := call(t, c, request(t, "PUT", a.URL, struct{ io.Reader }{strings.NewReader("text")}))
	equal(t, "status", status, 200)
	equal(t, "answer", text, "HTTP/2.0: text")
}

func TestBodyThatWaitsFor100ContinueIsSentOnce(t *testing.T) {
	a := newAPI(t, "second")
	base := a.Client().Transport.(*http.Transport).Clone()
	base.ExpectContinueTimeout = time.Minute
	defer base.CloseIdleConnections()
	c := &http.Client{Transport: &transport.Transport{Source: bearer("first", "second"), Base: base}}
	req := request(t, "POST", a.URL+"/", bytes.NewReader(make([]byte, 100_000)))
	req.Header.Set("Expect", "100-continue")
	status, text := call(t, c, req)
	equal(t, "status", status, 200)
	equal(t, "answer", len(text), len("HTTP/1.1: ")+100_000)
	if first, _, _ := strings.Cut(a.log(), "\n"); first != `POST / "Bearer first" ""` {
		t.Errorf("first request: %s", first)
	}
}

func TestUpgradedConnectionPassesThrough(t *testing.T) {
	a := newAPI(t, "token")
	tr := &transport.Transport{Source: bearer("token"), Base: a.Client().Transport}
	req := request(t, "GET", a.URL, nil)
	req.Header.Set("Connection", "upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "status", resp.StatusCode, 101)
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		t.Fatalf("the body is a %T", resp.Body)
	}
	defer conn.Close()
	io.WriteString(conn, "hello\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line != "hello\n" {
		t.Errorf("%q %v", line, err)
	}
}

func TestInsideAReverseProxyABodyFromTheNetworkIsSentAgain(t *testing.T) {
	a := newAPI(t, "second")
	target, err := url.Parse(a.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: &transport.Transport{Source: bearer("first", "second"), Base: a.Client().Transport,
			ReplayLimit: 1 << 20},
	})
	defer proxy.Close()
	for _, length := range []int64{4, -1} {
		req := request(t, "POST", proxy.URL+"/x", struct{ io.Reader }{strings.NewReader("text")})
		req.ContentLength = length
		status, text := call(t, proxy.Client(), req)
		equal(t, "status", status, 200)
		equal(t, "answer", text, "HTTP/1.1: text")
	}
	equal(t, "requests", a.log(), `POST /x "Bearer first" "text"`+"\n"+`POST /x "Bearer second" "text"`+"\n"+`POST /x "Bearer second" "text"`)
}

func TestRevokedTokenIsHealedForAllWhoUseItAtOnce(t *testing.T) {
	a := newAPI(t, "second")
	s := bearer("first", "second")
	tr := &transport.Transport{Source: s, Base: a.Client().Transport}
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			req := request(t, "POST", a.URL, strings.NewReader(fmt.Sprint(i)))
			resp, err := tr.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if want := fmt.Sprintf("HTTP/1.1: %d", i); err != nil || string(text) != want {
				t.Errorf("%q %v", text, err)
			}
		})
	}
	group.Wait()
}
