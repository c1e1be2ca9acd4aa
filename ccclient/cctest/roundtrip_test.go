package cctest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

func TestRoundTripperShowsTheHandlerAServersRequest(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "PUT" || r.Host != "api.example:99" || r.URL.String() != "/a%2Fb?c=d" ||
			r.RequestURI != "/a%2Fb?c=d" || r.TLS == nil || string(body) != "body" || r.Header.Get("X") != "y" {
			t.Errorf("got %s %s %s %s %q", r.Method, r.Host, r.URL, r.RequestURI, body)
		}
		w.Header().Set("A", "b")
		w.WriteHeader(http.StatusAccepted)
		w.Header().Set("A", "too late")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "answer")
	})
	r, _ := http.NewRequestWithContext(t.Context(), "PUT", "https://api.example:99/a%2Fb?c=d#e",
		strings.NewReader("body"))
	r.Header.Set("X", "y")
	resp, err := cctest.RoundTripper(h).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 202 || resp.Status != "202 Accepted" || resp.Header.Get("A") != "b" ||
		string(body) != "answer" || resp.ContentLength != 6 || resp.Request != r || resp.TLS != nil {
		t.Errorf("got %+v %q", resp, body)
	}
}

func TestRoundTripperClosesTheBodyOnEveryPath(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"answers": func(http.ResponseWriter, *http.Request) {},
		"aborts":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"panics":  func(http.ResponseWriter, *http.Request) { panic("oh") },
		"exits":   func(http.ResponseWriter, *http.Request) { runtime.Goexit() },
		"waits":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		for _, target := range []string{"https://api.example/", "ftp://api.example/", "https:///x"} {
			t.Run(name+" "+target, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					body := &countingBody{}
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					r, err := http.NewRequestWithContext(ctx, "POST", target, body)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := cctest.RoundTripper(h).RoundTrip(r)
					if (err == nil) != (name == "answers" && target == "https://api.example/") {
						t.Errorf("got %v, %v", resp, err)
					}
					synctest.Wait()
					if body.closed != 1 {
						t.Errorf("closed %d times", body.closed)
					}
				})
			})
		}
	}
}

func TestRoundTripperGivesUpOnAHandlerThatHeedsNoContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Hour) })
		cause := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, cause)
		defer cancel()
		start := time.Now()
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://api.example", nil)
		if _, err := cctest.RoundTripper(h).RoundTrip(r); !errors.Is(err, cause) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(time.Hour) // a bubble does not end before its handlers
	})
}

type countingBody struct{ closed int }

func (b *countingBody) Read([]byte) (int, error) { return 0, io.EOF }
func (b *countingBody) Close() error             { b.closed++; return nil }
