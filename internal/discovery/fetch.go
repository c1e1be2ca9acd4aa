package discovery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/hosts"
	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/internal/tlsport"
)

const (
	maxBody      = 1 << 20
	maxRedirects = 5
)

// fetch looks in all places. An answer that will not do, whatever its status, leads to the next place: servers that
// have only one of them say so with 400, 403, 500 or a welcome page as often as with 404. No answer at all ends the
// search: the other places are on the same host.
func (d *Discoverer) fetch(ctx context.Context) (*Metadata, time.Duration, error) {
	failed := &notFound{issuer: d.issuer}
	for _, u := range d.urls {
		m, good, err := d.get(ctx, u)
		if err == nil {
			return m, good, nil
		}
		failed.urls = append(failed.urls, u)
		failed.errs = append(failed.errs, err)
		if _, ok := errors.AsType[*noAnswer](err); ok {
			break
		}
	}
	return nil, 0, failed
}

func (d *Discoverer) get(ctx context.Context, u string) (*Metadata, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // it repeats the URL
		}
		if refusal := connections.ProxyRefusalIn(err); refusal != nil {
			err = refusal // by name
		}
		return nil, 0, &noAnswer{err}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, 0, &noAnswer{err}
	case req.URL.Scheme == "http" && tlsport.Says(resp.StatusCode, data):
		return nil, 0, tlsport.Err
	case resp.StatusCode == http.StatusProxyAuthRequired:
		return nil, 0, &noAnswer{&connections.ProxyRefusal{Status: resp.StatusCode}}
	case resp.StatusCode != http.StatusOK:
		return nil, 0, &status{resp.StatusCode, redirectHost(resp)}
	case len(data) > maxBody:
		return nil, 0, errors.New("the document is larger than 1 MiB")
	}
	m, err := parse(data, d.issuer, d.insecureHTTP)
	return m, lifetime(resp.Header), err
}

// sameOrigin follows redirects only within the origin of the issuer: whoever answers for another host is not the one
// that was asked.
func sameOrigin(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !hosts.SameOrigin(req.URL, via[0].URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

func redirectHost(resp *http.Response) string {
	if to, err := resp.Location(); err == nil {
		return to.Host
	}
	return ""
}

// noAnswer is a request that got no whole response.
type noAnswer struct{ error }

func (e *noAnswer) Error() string { return redact.Clean(e.error.Error()) }
func (e *noAnswer) Unwrap() error { return e.error }

// status is an answer that is not 200.
type status struct {
	code     int
	redirect string // the host it redirects to
}

func (e *status) Error() string {
	s := strings.TrimSpace(fmt.Sprint(e.code, " ", http.StatusText(e.code)))
	if e.redirect != "" {
		s += fmt.Sprintf(", a redirect to host %q, which is not followed", redact.Clean(e.redirect))
	}
	return s
}

// notFound is a failed search: where it looked, and what it met there.
type notFound struct {
	issuer string
	urls   []string
	errs   []error
}

func (e *notFound) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "issuer %q: no usable metadata", e.issuer)
	for i, u := range e.urls {
		sep := ": "
		if i > 0 {
			sep = "; "
		}
		fmt.Fprintf(&b, "%sGET %s: %v", sep, u, e.errs[i])
	}
	return b.String()
}

func (e *notFound) Unwrap() []error { return e.errs }

// Permanent reports whether everything that was met stays as it is until somebody changes a configuration.
func (e *notFound) Permanent() bool {
	for _, err := range e.errs {
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			continue
		}
		if _, ok := errors.AsType[*noAnswer](err); ok {
			return false
		}
		if s, ok := errors.AsType[*status](err); ok && temporary(s.code) {
			return false
		}
	}
	return true
}

func temporary(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}
