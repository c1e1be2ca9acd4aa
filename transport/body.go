package transport

import (
	"bytes"
	"context"
	"io"
	"math"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

// replay is how the body of a request can be had again: it says so by being non-nil.
type replay func() (io.ReadCloser, error)

func (r replay) possible() bool { return r != nil }

// rewind sets out, a clone of the request, to a fresh copy of the body.
func (r replay) rewind(out *http.Request) error {
	body, err := r()
	switch {
	case err != nil:
		return err
	case body == nil:
		return faultf("the request's GetBody returned nothing")
	}
	out.Body = body
	guardBody(out)
	return nil
}

func noBody() (io.ReadCloser, error) { return http.NoBody, nil }

// prepareBody makes out's body, which is still the caller's, fit to be closed exactly once and, if it can, to be sent
// again. If it returns an error, the body is closed.
func (t *Transport) prepareBody(out *http.Request) (replay, error) {
	switch {
	case out.Body == nil || out.Body == http.NoBody:
		return noBody, nil
	case out.GetBody != nil:
		guardBody(out)
		return out.GetBody, nil
	}
	guardBody(out)
	if t.ReplayLimit <= 0 || out.ContentLength > t.ReplayLimit {
		return nil, nil
	}
	return buffer(out, t.ReplayLimit)
}

// buffer reads out's body up to limit. If that is all of it, out gets a body that can be had again; if not, it gets
// what was read followed by the rest.
func buffer(out *http.Request, limit int64) (replay, error) {
	body, ctx := out.Body, out.Context()
	stop := context.AfterFunc(ctx, func() { body.Close() })
	data, err := io.ReadAll(io.LimitReader(body, min(limit, math.MaxInt64-1)+1))
	if !stop() {
		body.Close()
		return nil, faultf("read the request's body: %w", ctx.Err())
	}
	if err != nil {
		body.Close()
		return nil, faultf("read the request's body: %w", err)
	}
	if int64(len(data)) > limit {
		out.Body = &struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(data), body), body}
		return nil, nil
	}
	if err := body.Close(); err != nil {
		return nil, faultf("close the request's body: %w", err)
	}
	out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	out.Body, _ = out.GetBody()
	return out.GetBody, nil
}

// guardBody sees to it that out's body is closed once even by a RoundTripper that closes it twice, as http.Transport
// does after some errors. A body whose Close does nothing is left as it is: http.Transport sends those it can see
// through, readers of memory, in the same packet as the header.
func guardBody(out *http.Request) {
	switch reflect.TypeOf(out.Body) {
	case nopCloser, nopCloserWriterTo:
	default:
		out.Body = &onceCloser{ReadCloser: out.Body}
	}
}

var (
	nopCloser         = reflect.TypeOf(io.NopCloser(struct{ io.Reader }{}))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(strings.NewReader("")))
)

type onceCloser struct {
	io.ReadCloser
	closed atomic.Bool
}

func (o *onceCloser) Close() error {
	if o.closed.Swap(true) {
		return nil
	}
	return o.ReadCloser.Close()
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// How much of a rejected response is read so that its connection can be used again: beyond that a new connection is
// cheaper.
const (
	drainBytes = 64 << 10
	drainTime  = 250 * time.Millisecond
)

// drain reads what is left of resp's body, within bounds, and closes it.
func drain(resp *http.Response) {
	if resp.Body == nil {
		return
	}
	body := &onceCloser{ReadCloser: resp.Body}
	timer := time.AfterFunc(drainTime, func() { body.Close() }) // A Read that waits for a stalled server returns then.
	io.CopyN(io.Discard, body, drainBytes+1)
	timer.Stop()
	body.Close()
}
