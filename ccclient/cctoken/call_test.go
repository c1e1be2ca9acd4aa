package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// echo answers with the request, and repeats its header, the token included, in its own.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Echo", r.Header.Get("Authorization"))
	fmt.Fprintf(w, "%s %s %s %q", r.Method, r.URL.RequestURI(), r.Header.Get("X-Order"), body)
}

func TestCallShowsTheRequestWithoutTheToken(t *testing.T) {
	r := newRig(t, cctest.Options{}, echo)
	got := cctoken(t, "", "call", "-header", "X-Order: 7", r.api.URL+"/orders?open=1")
	equal(t, "status", got.status, succeeded)
	equal(t, "standard output", got.out, `GET /orders?open=1 7 ""`)
	contains(t, "standard error", got.err, "> GET /orders?open=1 to 127.0.0.1", "> Authorization: Bearer [redacted]",
		"> X-Order: 7", "< HTTP/1.1 200 OK", "< X-Echo: Bearer [redacted]")
}

func TestCallSendsABody(t *testing.T) {
	r := newRig(t, cctest.Options{}, echo)
	for name, tc := range map[string]struct {
		args  []string
		stdin string
		want  string
	}{
		"text":       {[]string{"-data", "one"}, "", `POST /  "one"`},
		"a file":     {[]string{"-data", "@" + file(t, "data", "two")}, "", `POST /  "two"`},
		"input":      {[]string{"-data", "-", "-method", "put"}, "three", `PUT /  "three"`},
		"none at it": {[]string{"-method", "DELETE"}, "", `DELETE /  ""`},
	} {
		t.Run(name, func(t *testing.T) {
			got := cctoken(t, tc.stdin, append(append([]string{"call"}, tc.args...), r.api.URL+"/")...)
			equal(t, "standard output", got.out, tc.want)
		})
	}
}

func TestCallRepeatsWhatWasRejectedAndShowsBoth(t *testing.T) {
	rejections := 0
	r := newRig(t, cctest.Options{}, nil)
	r.api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if rejections++; rejections == 1 {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		echo(w, req)
	})
	got := cctoken(t, "body", "call", "-data", "-", r.api.URL+"/")
	equal(t, "status", got.status, succeeded)
	equal(t, "standard output", got.out, `POST /  "body"`)
	equal(t, "requests shown", strings.Count(got.err, "> POST / to"), 2)
	contains(t, "standard error", got.err, "< HTTP/1.1 401 Unauthorized", "< HTTP/1.1 200 OK")
}

func TestCallFailsWithTheAPI(t *testing.T) {
	r := newRig(t, cctest.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "short and stout")
	})
	got := cctoken(t, "", "call", r.api.URL)
	equal(t, "status", got.status, failed)
	equal(t, "standard output", got.out, "short and stout")
	contains(t, "standard error", got.err, "answered 418")
	r.api.Close()
	equal(t, "status without an API", cctoken(t, "", "call", r.api.URL).status, failed)
}
