package main

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// guard lets through only what a program on this machine sends on purpose. Whoever can reach the proxy can use the
// token, and a page in a browser can make that browser reach it: by an address of the page's own that resolves to
// loopback, which the Host field shows, or by a request across origins, which Origin and Sec-Fetch-Site show.
func guard(l net.Listener, api *url.URL, next http.Handler) http.Handler {
	_, isTCP := l.Addr().(*net.TCPAddr)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect, r.URL.Host != "" && !strings.EqualFold(r.URL.Host, api.Host):
			http.Error(w, "cctoken: this serves "+api.Host+" alone", http.StatusMisdirectedRequest)
		case isTCP && !isLocal(r.Host) && !strings.EqualFold(r.Host, api.Host):
			http.Error(w, "cctoken: the Host is neither loopback nor "+api.Host, http.StatusMisdirectedRequest)
		case crossOrigin(r):
			http.Error(w, "cctoken: pages of other origins may not use this", http.StatusForbidden)
		case slices.Contains(strings.Split(r.URL.Path, "/"), ".."):
			http.Error(w, "cctoken: the path may not leave that of "+api.String(), http.StatusBadRequest)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isLocal reports whether host, a Host field, names loopback.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// crossOrigin reports whether a browser sent r for a page of another origin. Programs send neither field.
func crossOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}
