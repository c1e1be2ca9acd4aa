package cctest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ccclient/go-ccclient/internal/hosts"
)

// RoundTripper returns one that reaches the server without sockets, whatever the host: for testing/synctest, where a
// socket would stop the virtual clock. See the function of the same name.
func (s *Server) RoundTripper() http.RoundTripper { return RoundTripper(s.Handler()) }

// RoundTripper returns one that serves requests with h, without sockets. Like a real connection it gives up when the
// request's context ends, and h sees that end too; the response's body is whole when RoundTrip returns. A handler
// that panics is an error of the round trip.
//
// To reach an authorization server and an API through one, let h be an http.ServeMux that tells them apart by host.
func RoundTripper(h http.Handler) http.RoundTripper { return roundTripper{h} }

type roundTripper struct{ handler http.Handler }

// errAborted stands for the connection that a server cut.
var errAborted = fmt.Errorf("cctest: the server cut the connection: %w", io.EOF)

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.check(r); err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	w := &recorder{header: make(http.Header)}
	sr := serverRequest(r)
	done := make(chan error, 1)
	// If the context ends first nobody joins this goroutine, as with a real server: h sees the end of the context and
	// is expected to heed it.
	go func() {
		err := errAborted // also when h calls runtime.Goexit
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				err = fmt.Errorf("cctest: the handler panicked: %v", v)
			}
			sr.Body.Close()
			done <- err
		}()
		t.handler.ServeHTTP(w, sr)
		err = nil
	}()
	select {
	case err := <-done:
		if r.Context().Err() != nil {
			return nil, context.Cause(r.Context())
		}
		if err != nil {
			return nil, err
		}
		return w.response(r), nil
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

func (t roundTripper) check(r *http.Request) error {
	switch {
	case r.URL == nil:
		return errors.New("cctest: the request has no URL")
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("cctest: unsupported scheme %q", r.URL.Scheme)
	case r.URL.Host == "":
		return errors.New("cctest: the request's URL has no host")
	}
	return context.Cause(r.Context())
}

// serverRequest returns the request as a server would see it.
func serverRequest(r *http.Request) *http.Request {
	sr := r.Clone(r.Context())
	sr.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if sr.URL.Path == "" {
		sr.URL.Path = "/"
	}
	sr.RequestURI = r.URL.RequestURI()
	if sr.Method == "" {
		sr.Method = http.MethodGet
	}
	sr.Host = hosts.AsSent(cmp.Or(r.Host, r.URL.Host))
	if sr.Header == nil {
		sr.Header = make(http.Header)
	}
	if sr.Body == nil {
		sr.Body = http.NoBody
	}
	sr.RemoteAddr = "192.0.2.1:1234" // RFC 5737: for documentation
	sr.Proto, sr.ProtoMajor, sr.ProtoMinor = "HTTP/1.1", 1, 1
	sr.Response = nil
	if r.URL.Scheme == "https" {
		sr.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	return sr
}

// A recorder is a ResponseWriter that keeps what is written. It is used by one goroutine, then by the other.
type recorder struct {
	header http.Header
	status int
	sent   http.Header // the header when the status was written
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status != 0 || status < 200 { // informational ones have nobody to go to
		return
	}
	w.status = status
	w.sent = w.header.Clone()
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		if w.header.Get("Content-Type") == "" {
			w.header.Set("Content-Type", http.DetectContentType(p))
		}
		w.WriteHeader(http.StatusOK)
	}
	return w.body.Write(p)
}

// Flush lets handlers that insist on an http.Flusher run.
func (w *recorder) Flush() { w.WriteHeader(http.StatusOK) }

func (w *recorder) response(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	if w.sent.Get("Date") == "" {
		w.sent.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	body, length := io.NopCloser(bytes.NewReader(w.body.Bytes())), int64(w.body.Len())
	if r.Method == http.MethodHead {
		body, length = http.NoBody, -1
	} else if w.sent.Get("Content-Length") == "" {
		w.sent.Set("Content-Length", strconv.FormatInt(length, 10))
	}
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode: w.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        w.sent,
		Body:          body,
		ContentLength: length,
		Request:       r,
	}
}
