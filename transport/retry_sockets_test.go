package transport_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/transport"
)

// raw is a server that reads the header of each request, without the body, and writes the next answer as it stands. An
// answer that says so is the last on its connection.
func raw(t *testing.T, answers ...string) (url string, seen func() []*http.Request) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var requests []*http.Request
	var group sync.WaitGroup
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			mu.Lock()
			answer := answers[min(len(requests), len(answers)-1)]
			requests = append(requests, req)
			mu.Unlock()
			if io.WriteString(conn, answer); strings.Contains(answer, "Connection: close") {
				return
			}
		}
	}
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		group.Wait()
	})
	return "http://" + listener.Addr().String() + "/", func() []*http.Request {
		mu.Lock()
		defer mu.Unlock()
		return requests
	}
}

const rejectedAndClosed = "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno!"

func TestRejectionThatClosesItsConnectionIsHealedOnAnother(t *testing.T) {
	for name, first := range map[string]string{
		"with a length":     rejectedAndClosed,
		"without":           "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\nno!",
		"cut":               "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 30\r\n\r\nno!",
		"of HTTP/1.0":       "HTTP/1.0 401 Unauthorized\r\nX: Connection: close\r\n\r\nno!",
		"after early hints": "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + rejectedAndClosed,
	} {
		t.Run(name, func(t *testing.T) {
			url, seen := raw(t, first, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK")
			base := new(http.Transport)
			defer base.CloseIdleConnections()
			c := &http.Client{Transport: &transport.Transport{Source: bearer("first", "second"), Base: base}}
			status, text := call(t, c, request(t, "GET", url, nil))
			equal(t, "status", status, 200)
			equal(t, "answer", text, "OK")
			equal(t, "Authorization", seen()[1].Header.Get("Authorization"), "Bearer second")
		})
	}
}

func TestInterimAnswersReachTheCallersTrace(t *testing.T) {
	url, _ := raw(t, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	base := new(http.Transport)
	defer base.CloseIdleConnections()
	var interim []int
	req := request(t, "GET", url, nil)
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
			interim = append(interim, code)
			return nil
		},
	}))
	resp, _ := roundTrip(t, &transport.Transport{Source: bearer("first", "second"), Base: base}, req)
	equal(t, "status", resp.StatusCode, 200)
	equal(t, "interim", fmt.Sprint(interim), "[103 102]")
}

func TestTrailersGoBothWays(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		var got []string
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			got = append(got, r.Trailer.Get("X-Sum"))
			w.Header().Set("Trailer", "X-Answered")
			if r.Header.Get("Authorization") != "Bearer second" {
				w.WriteHeader(http.StatusUnauthorized)
			}
			io.WriteString(w, "answer")
			w.Header().Set("X-Answered", "yes")
		}))
		s.EnableHTTP2 = http2
		s.StartTLS()
		defer s.Close()
		req := request(t, "POST", s.URL, newBody("text"))
		req.GetBody = func() (io.ReadCloser, error) { return newBody("text"), nil }
		req.Trailer = http.Header{"X-Sum": {"42"}}
		tr := &transport.Transport{Source: bearer("first", "second"), Base: s.Client().Transport}
		resp, text := roundTrip(t, tr, req)
		equal(t, "status", resp.StatusCode, 200)
		equal(t, "answer", text, "answer")
		equal(t, "trailer", resp.Trailer.Get("X-Answered"), "yes")
		equal(t, "trailers of the requests", fmt.Sprint(got), "[42 42]")
		equal(t, "version", resp.ProtoMajor, map[bool]int{false: 1, true: 2}[http2])
	}
}

// A stream whose server answers before it has read all is not waited for.
func TestRejectionBeforeTheEndOfStreamIsReturnedAtOnce(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="write"`)
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "no")
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	reader, writer := io.Pipe()
	asked := 0
	tr := &transport.Transport{Source: bearer("first"), Base: s.Client().Transport,
		Challenged: challenged(bearer("wider"), &asked)}
	resp, text := roundTrip(t, tr, request(t, "POST", s.URL, reader))
	equal(t, "status", resp.StatusCode, 403)
	equal(t, "answer", text, "no")
	equal(t, "asked", asked, 1)
	if _, err := writer.Write(make([]byte, 10<<20)); err == nil {
		t.Error("the caller's stream is still read, though nobody has its answer")
	}
}

// One that can be sent again is, while the first copy is still under way.
func TestRejectionBeforeTheEndOfLongBodyIsHealed(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer second" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		}))
		s.EnableHTTP2 = http2
		s.StartTLS()
		defer s.Close()
		req := request(t, "POST", s.URL, bytes.NewReader(make([]byte, 32<<20)))
		req.Header.Set("Expect", "100-continue") // else the first connection may break while HTTP/1.1 writes to it
		base := s.Client().Transport.(*http.Transport)
		base.ExpectContinueTimeout = time.Minute
		resp, text := roundTrip(t, &transport.Transport{Source: bearer("first", "second"), Base: base}, req)
		equal(t, "status", resp.StatusCode, 200)
		equal(t, "answer", text, fmt.Sprint(32<<20))
	}
}

func TestTokenDoesNotReachTheProxy(t *testing.T) {
	a := newAPI(t, "second", func(s *httptest.Server) { s.StartTLS() })
	var seen []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, fmt.Sprintf("%s %q", r.Method, r.Header.Get("Authorization")))
		there, err := net.Dial("tcp", a.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { // ends when the handler closes there
			io.Copy(here, there)
			here.Close()
		}()
		io.Copy(there, here)
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	base := a.Client().Transport.(*http.Transport).Clone()
	base.Proxy = http.ProxyURL(through)
	c := &http.Client{Transport: &transport.Transport{Source: bearer("first", "second"), Base: base}}
	status, _ := call(t, c, request(t, "POST", a.URL+"/x", strings.NewReader("text")))
	base.CloseIdleConnections()
	equal(t, "status", status, 200)
	equal(t, "the proxy saw", strings.Join(seen, ", "), `CONNECT ""`)
}
