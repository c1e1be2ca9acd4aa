// Package protectedresource finds out which authorization servers a protected resource takes tokens from (RFC 9728).
package protectedresource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	timeout  = 10 * time.Second // of a search, all places included
	lifetime = 10 * time.Minute
	maxBody  = 1 << 20
)

// A Reader reads metadata, and keeps what it read last for ten minutes. It is safe for concurrent use.
type Reader struct {
	client http.Client
	last   atomic.Pointer[kept]
}

// kept is what was found for a question.
type kept struct {
	url, place string
	metadata   *Metadata
	until      time.Time
}

// NewReader returns a Reader that makes its requests with client; nil: http.DefaultClient. It is copied: redirects are
// not followed, and it gets no cookies.
func NewReader(client *http.Client) *Reader {
	if client == nil {
		client = http.DefaultClient
	}
	r := &Reader{client: *client}
	r.client.Jar = nil
	r.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return r
}

// Read returns the metadata of the resource that a request to u was for. place is where the resource says that they
// are, the resource_metadata of its challenge; empty: where RFC 9728, section 3.1 has them. All URLs must be https, or
// http to this machine itself.
//
// An answer that is no metadata leads to the next place; no answer, and metadata of another resource, end the search.
func (r *Reader) Read(ctx context.Context, u *url.URL, place string) (*Metadata, error) {
	res, err := at(u, place)
	if err != nil {
		shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
		return nil, fmt.Errorf("resource %q: %w", Clean(shown.String()), err)
	}
	if k := r.last.Load(); k != nil && k.url == res.url && k.place == place && time.Now().Before(k.until) {
		return k.metadata, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := r.search(ctx, res)
	if err != nil {
		return nil, err
	}
	r.last.Store(&kept{url: res.url, place: place, metadata: m, until: time.Now().Add(lifetime)})
	return m, nil
}

func (r *Reader) search(ctx context.Context, res resource) (*Metadata, error) {
	failed := &notFound{resource: res.url}
	for _, place := range res.places {
		m, err := r.get(ctx, place)
		if err == nil && !res.is(m.Resource, place) {
			err = &mismatch{m.Resource}
		}
		if err == nil {
			return m, nil
		}
		failed.places = append(failed.places, place)
		failed.errs = append(failed.errs, err)
		if _, ok := errors.AsType[*noAnswer](err); ok {
			break // The other place is on the same host.
		}
		if _, ok := errors.AsType[*mismatch](err); ok {
			break
		}
	}
	return nil, failed
}

func (r *Reader) get(ctx context.Context, place string) (*Metadata, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, &noAnswer{within(err)}
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, &noAnswer{err}
	case resp.StatusCode != http.StatusOK:
		return nil, refused(resp)
	case len(data) > maxBody:
		return nil, errors.New("the document is larger than 1 MiB")
	}
	return parse(data)
}
