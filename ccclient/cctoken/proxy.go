package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/internal/hosts"
)

// replayLimit is up to how many bytes a body is kept so that a request can be repeated when its token was rejected.
const replayLimit = 1 << 20

func runProxy(ctx context.Context, args []string, s streams) error {
	f := newFlags("proxy", "", s)
	to := f.String("to", "", "`URL` of the one API that gets the requests, such as https://api.example.com")
	listen := f.String("listen", "127.0.0.1:8080", "loopback `address`, or unix:/path/of/socket")
	grace := f.Duration("grace", 10*time.Second, "for requests under way, when it is told to end")
	if err := f.parse(args, 0); err != nil {
		return err
	}
	api, err := url.Parse(*to)
	if err != nil || api.Host == "" || api.User != nil || api.RawQuery != "" || api.Fragment != "" {
		return usagef("-to is required: the URL of an API, such as https://api.example.com, without user and query")
	}
	client, err := f.client(func(cfg *ccclient.Config) error {
		if !hosts.Secure(api, cfg.InsecureHTTP) {
			return usagef("-to is http:// beyond loopback, which shows the token to the network: use https, or set " +
				"insecure_http to true")
		}
		if len(cfg.AllowedHosts) == 0 {
			cfg.AllowedHosts = []string{api.Host}
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer client.Close()
	l, err := listenLocally(ctx, *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "cctoken: %s adds tokens for %s\n", addressOf(l), api)
	errorLog := log.New(s.err, "cctoken: ", 0)
	server := &http.Server{
		Handler:           guard(l, api, newProxy(client, api, errorLog)),
		ErrorLog:          errorLog,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return serve(ctx, server, l, *grace)
}

// serve serves until ctx ends, and then for as long as requests are under way, by grace at most.
func serve(ctx context.Context, server *http.Server, l net.Listener, grace time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		server.Close()
		return fmt.Errorf("requests were cut off: they took longer than -grace %v", grace)
	}
	return nil
}

// newProxy returns a handler that sends requests on to api with client's tokens. Bodies stream both ways, and
// trailers, upgrades and what comes before the final answer pass.
func newProxy(client *ccclient.Client, api *url.URL, errorLog *log.Logger) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(api)
			r.Out.URL.RawQuery = r.In.URL.RawQuery // as it was written
			r.Out.Trailer = r.In.Trailer           // the map that is filled in when the body has ended
		},
		Transport:     replaying(client),
		FlushInterval: -1,
		ErrorLog:      errorLog,
		ErrorHandler:  func(w http.ResponseWriter, r *http.Request, err error) { answerError(w, r, err, errorLog) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Else an answer over HTTP/1 waits for the end of the request. Where that cannot be had there is no need.
		_ = http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	})
}

// replaying returns a RoundTripper that keeps bodies of a known and moderate size, so that requests can be repeated.
// One whose length is not known is a stream that may wait for the response, so it is sent on as it comes.
func replaying(client *ccclient.Client) http.RoundTripper {
	streaming, keeping := client.Transport(nil), client.Transport(nil)
	keeping.ReplayLimit = replayLimit
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.ContentLength < 0 {
			return streaming.RoundTrip(req)
		}
		return keeping.RoundTrip(req)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// answerError answers a request that has no answer from the API.
func answerError(w http.ResponseWriter, r *http.Request, err error, errorLog *log.Logger) {
	if r.Context().Err() != nil {
		w.WriteHeader(499) // Nobody is there any more to read it.
		return
	}
	status := http.StatusBadGateway
	if e, ok := errors.AsType[*ccclient.Error](err); ok && e.Temporary() {
		status = http.StatusServiceUnavailable
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
		}
	}
	errorLog.Printf("%s %s: %v", r.Method, r.URL.EscapedPath(), err)
	http.Error(w, "cctoken: "+err.Error(), status)
}
