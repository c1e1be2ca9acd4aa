// Package discovery finds an authorization server's endpoints from its issuer identifier (RFC 8414, then OpenID
// Connect Discovery 1.0), and keeps what it found for as long as it is good.
package discovery

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ccclient/go-ccclient/internal/redact"
)

const (
	// timeout bounds one fetch, all places included.
	timeout = 10 * time.Second

	// patience is how long a caller waits for a refetch while there is a document that was good a moment ago.
	patience = 2 * time.Second

	// pause is kept after a failed refetch.
	pause = time.Minute

	// spacing is the least time between two fetches that Invalidate forces: a token endpoint that is gone for good
	// costs its server no more.
	spacing = 10 * time.Second

	// closeWait is how long Close waits for a client that ignores its context.
	closeWait = 5 * time.Second
)

// Options say what to discover and how. Issuer is required.
type Options struct {
	// Issuer is the issuer identifier: an https URL without query and fragment. Nil and "" elsewhere are good
	// defaults.
	Issuer string

	// HTTPClient makes the requests; nil: http.DefaultClient. It is copied: redirects to another origin are not
	// followed, and it gets no cookies.
	HTTPClient *http.Client

	// InsecureHTTP allows http:// beyond loopback.
	InsecureHTTP bool

	// Begin, if set, is called when a fetch begins, and end when it has ended: err is why it failed, and kept says that
	// this hurts nobody, because an older document stays in use. The requests have the values of the context.
	Begin func(context.Context) (_ context.Context, end func(err error, kept bool))
}

// A Discoverer holds the metadata of one issuer. It is safe for concurrent use.
type Discoverer struct {
	issuer       string
	urls         []string
	client       *http.Client
	insecureHTTP bool
	begin        func(context.Context) (context.Context, func(error, bool))
	life         context.Context // ended by Close
	end          context.CancelFunc

	mu      sync.Mutex // guards what follows; not held over I/O or begin
	current *Metadata  // the last good document; nil: none yet
	refetch time.Time  // from then on current is stale
	tried   time.Time  // when the last fetch ended
	flight  *flight    // the fetch under way, if any
}

// A flight is one fetch and its outcome, which may be read once done is closed.
type flight struct {
	old      *Metadata // what stays in use should it fail; nil: nothing
	done     chan struct{}
	metadata *Metadata
	err      error
	failure  error // why there are no new metadata, also where the old ones stay in use
}

// New checks the options. It does no I/O.
func New(o Options) (*Discoverer, error) {
	urls, err := wellKnown(o.Issuer, o.InsecureHTTP)
	if err != nil {
		return nil, err
	}
	var client http.Client
	if o.HTTPClient != nil {
		client = *o.HTTPClient
	}
	client.Jar = nil
	client.CheckRedirect = sameOrigin
	d := &Discoverer{
		issuer:       o.Issuer,
		urls:         urls,
		client:       &client,
		insecureHTTP: o.InsecureHTTP,
		begin:        o.Begin,
	}
	d.life, d.end = context.WithCancel(context.Background())
	return d, nil
}

// Metadata returns the issuer's metadata, fetching it if there is none or if what there is has outlived its
// Cache-Control (5 minutes to 24 hours; an hour if the server does not say). All callers share one fetch, which runs
// on no caller's context but has the first one's values; each waits on its own.
//
// Once there is a document, a refetch that fails or dawdles is no error: the old document is returned, and the next
// attempt is a minute away.
//
// An error may have a method Permanent() bool: a retry without a change on either side cannot help.
func (d *Discoverer) Metadata(ctx context.Context) (*Metadata, error) {
	d.mu.Lock()
	current := d.current
	if current != nil && time.Now().Before(d.refetch) {
		d.mu.Unlock()
		return current, nil
	}
	if d.life.Err() != nil {
		d.mu.Unlock()
		return nil, d.closed()
	}
	f := d.flight
	if f == nil {
		f = &flight{old: current, done: make(chan struct{})}
		d.flight = f
		go d.runFlight(context.WithoutCancel(ctx), f) // joined by Close
	}
	d.mu.Unlock()

	var late <-chan time.Time
	if current != nil {
		t := time.NewTimer(patience)
		defer t.Stop()
		late = t.C
	}
	select {
	case <-f.done:
		return f.metadata, f.err
	case <-late:
		return current, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("issuer %q: waiting for its metadata: %w", d.issuer, ctx.Err())
	}
}

// Refetch returns the issuer's metadata as they are now, whatever is held. If that fails, what is held stays in use.
func (d *Discoverer) Refetch(ctx context.Context) (*Metadata, error) {
	for {
		d.mu.Lock()
		if d.life.Err() != nil {
			d.mu.Unlock()
			return nil, d.closed()
		}
		f, own := d.flight, false
		if f == nil {
			f, own = &flight{old: d.current, done: make(chan struct{})}, true
			d.flight = f
			go d.runFlight(context.WithoutCancel(ctx), f) // joined by Close
		}
		d.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("issuer %q: waiting for its metadata: %w", d.issuer, ctx.Err())
		}
		if own && f.failure != nil {
			return nil, f.failure
		}
		if own {
			return f.metadata, nil
		}
	}
}

// Invalidate says that m is of no use, since it led to an endpoint that is gone, say. If it is still the current
// document, the next Metadata fetches again, but not within 10 seconds of the last fetch. Should that fail, m stays in
// use.
func (d *Discoverer) Invalidate(m *Metadata) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m == d.current && time.Since(d.tried) >= spacing {
		d.refetch = time.Time{}
	}
}

// Close ends a fetch that is under way and waits for it, for 5 seconds at most. After it only a document that is
// still good is returned.
func (d *Discoverer) Close() {
	d.mu.Lock()
	d.end()
	f := d.flight
	d.mu.Unlock()
	if f == nil {
		return
	}
	t := time.NewTimer(closeWait)
	defer t.Stop()
	select {
	case <-f.done:
	case <-t.C:
	}
}

func (d *Discoverer) closed() error {
	return fmt.Errorf("issuer %q: closed: %w", d.issuer, context.Canceled)
}

// runFlight runs one fetch and always ends it: the client's RoundTripper may panic or call runtime.Goexit.
// (x/sync/singleflight would then end the process, or leave those who wait on its channels without a word.)
func (d *Discoverer) runFlight(ctx context.Context, f *flight) {
	var good time.Duration
	end := func(error, bool) {}
	err := fmt.Errorf("issuer %q: the fetch of its metadata ended without an answer", d.issuer)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("issuer %q: panic while fetching its metadata: %s", d.issuer, redact.Clean(fmt.Sprint(p)))
		}
		d.endFlight(f, good, err, end)
	}()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer context.AfterFunc(d.life, cancel)()
	if d.begin != nil {
		ctx, end = d.begin(ctx)
	}
	f.metadata, good, err = d.fetch(ctx)
}

func (d *Discoverer) endFlight(f *flight, good time.Duration, err error, end func(error, bool)) {
	kept := err != nil && f.old != nil
	f.failure = err
	end(err, kept && d.life.Err() == nil)
	if kept {
		f.metadata, good, err = f.old, pause, nil
	}
	f.err = err
	d.mu.Lock()
	if err == nil {
		d.current = f.metadata
	}
	d.tried = time.Now()
	d.refetch = d.tried.Add(good)
	d.flight = nil
	d.mu.Unlock()
	close(f.done)
}
