package connections

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// A ProxyRefusal is the answer of a proxy that makes no tunnel to the server.
type ProxyRefusal struct {
	Host   string // of the proxy; empty: not known
	Status int
}

func (e *ProxyRefusal) Error() string {
	who := "the proxy"
	if e.Host != "" {
		who += " " + e.Host
	}
	return fmt.Sprintf("%s made no connection to the server: %d %s", who, e.Status, http.StatusText(e.Status))
}

// ProxyRefusalIn returns what a proxy has said in place of a connection, nil if that is not why there is none. The
// connections of an HTTPClient have no more of it than the text of its status.
func ProxyRefusalIn(err error) *ProxyRefusal {
	if refusal, ok := errors.AsType[*ProxyRefusal](err); ok {
		return refusal
	}
	switch e := err.(type) {
	case nil:
	case interface{ Unwrap() error }:
		return ProxyRefusalIn(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if refusal := ProxyRefusalIn(err); refusal != nil {
				return refusal
			}
		}
	default:
		for status := 400; status < 600; status++ {
			if text := http.StatusText(status); text != "" && text == err.Error() {
				return &ProxyRefusal{Status: status}
			}
		}
	}
	return nil
}

// checkProxy makes an error of a proxy's refusal that says whose it is. Of that net/http keeps only the status's text.
func checkProxy(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &ProxyRefusal{Host: proxy.Host, Status: resp.StatusCode}
}
