package ccclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/aside"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/transport"
)

// An observer tells who wants to hear it what happens: the log, and Config.Trace.
type observer struct {
	logger *slog.Logger // nil: silent
	log    *listener    // nil: silent
	trace  *listener    // nil: none
	all    []*listener  // both
	closed func()       // for the one that Trace.Client has returned
}

type listener = aside.Listener[Trace]

func newObserver(cfg *Config) *observer {
	o := new(observer)
	if l := cfg.Logger; l != nil {
		o.logger = l.With(slog.String("client_id", cfg.ClientID), slog.String("server", cfg.server()))
		o.log = &listener{To: logTrace(o.logger)}
		o.all = append(o.all, o.log)
	}
	if cfg.Trace != nil {
		own := *cfg.Trace
		o.trace = &listener{To: &own}
		o.trace.Panicked = o.panicked
		o.all = append(o.all, o.trace)
	}
	return o
}

// warn writes to the log what is no event.
func (o *observer) warn(msg string, attrs ...slog.Attr) { o.write(slog.LevelWarn, msg, attrs...) }

func (o *observer) write(level slog.Level, msg string, attrs ...slog.Attr) {
	if o.log != nil {
		ctx := context.Background()
		o.log.Call(ctx, func() { o.logger.LogAttrs(ctx, level, msg, attrs...) })
	}
}

// opened tells that c was made.
func (o *observer) opened(c *Client) {
	if o.trace == nil || o.trace.To.Client == nil {
		return
	}
	var closed func()
	if o.trace.Call(context.Background(), func() { closed = o.trace.To.Client(c) }) && closed != nil {
		o.closed = sync.OnceFunc(func() { o.trace.Call(context.Background(), closed) })
	}
}

// close tells that the client is closed, and waits until ctx ends for those who have not returned.
func (o *observer) close(ctx context.Context) {
	if o.closed != nil {
		o.closed()
	}
	for _, l := range o.all {
		l.Close(ctx)
	}
}

func (o *observer) tokenRequest(
	ctx context.Context, i TokenRequestInfo,
) (_ context.Context, end func(TokenRequestDone)) {
	return aside.Begin(ctx, o.all, func(
		t *Trace,
	) func(context.Context, TokenRequestInfo) (context.Context, func(TokenRequestDone)) {
		return t.TokenRequest
	}, i)
}

func (o *observer) discovery(ctx context.Context, i DiscoveryInfo) (_ context.Context, end func(DiscoveryDone)) {
	return aside.Begin(ctx, o.all, func(
		t *Trace,
	) func(context.Context, DiscoveryInfo) (context.Context, func(DiscoveryDone)) {
		return t.Discovery
	}, i)
}

// discoveryOf returns what is to be called when a fetch of the metadata of cfg's issuer begins.
func (o *observer) discoveryOf(
	cfg *Config,
) func(context.Context) (_ context.Context, end func(err error, kept bool)) {
	i := DiscoveryInfo{ClientID: cfg.ClientID, Issuer: cfg.Issuer}
	i.Host, i.Port = endpoint.Endpoint{URL: cfg.Issuer}.HostPort()
	return func(ctx context.Context) (context.Context, func(error, bool)) {
		began := time.Now()
		ctx, end := o.discovery(ctx, i)
		return ctx, func(err error, kept bool) {
			end(DiscoveryDone{Took: time.Since(began), Err: err, Kept: kept})
		}
	}
}

func (o *observer) granted(ctx context.Context, i GrantInfo) {
	aside.Tell(ctx, o.all, func(t *Trace) func(context.Context, GrantInfo) { return t.Granted }, i)
}

// rejections returns what a transport tells of rejections of the token with this label; nil if nobody wants to know.
func (o *observer) rejections(label string) func(context.Context, transport.Rejection) {
	if len(o.all) == 0 {
		return nil
	}
	return func(ctx context.Context, r transport.Rejection) {
		i := RejectInfo{
			Label: label, Host: r.Host, Port: r.Port, StatusCode: r.StatusCode, Error: r.Error, Nonce: r.Proof,
			Healed: r.Healed,
		}
		aside.Tell(ctx, o.all, func(t *Trace) func(context.Context, RejectInfo) { return t.Rejected }, i)
	}
}

// cacheTrace returns what hears of what the cache does, for the Trace; nil if that wants to hear of nothing. (The log
// hears of that from the cache itself.) explain makes of an error what callers see.
func (o *observer) cacheTrace(explain func(error) error) *cache.Trace {
	if o.trace == nil {
		return nil
	}
	t := &cache.Trace{Served: o.trace.To.Served, Store: o.trace.To.Store}
	if f := o.trace.To.Waited; f != nil {
		t.Waited = func(ctx context.Context, i WaitInfo) {
			i.Err = explain(i.Err)
			f(ctx, i)
		}
	}
	if f := o.trace.To.CoolDown; f != nil {
		t.CoolDown = func(ctx context.Context, i CoolDownInfo) {
			i.Err = explain(i.Err)
			f(ctx, i)
		}
	}
	return t
}

// panicked logs a panic in a func of the Trace. A value that is not the runtime's own may hold a secret.
func (o *observer) panicked(p any, stack []byte) {
	what := slog.String("type", fmt.Sprintf("%T", p))
	if err, ok := p.(runtime.Error); ok {
		what = slog.Any("error", err)
	}
	o.write(slog.LevelError, "panic in a func of Config.Trace", what, slog.String("stack", string(stack)))
}

// explain makes of an error of the cache what may be seen of it, after what held is hidden. ctx is that of who waited;
// it may be nil.
func (r *registration) explain(ctx context.Context, err error, held string) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if other, ok := errors.AsType[*cache.FailedElsewhere](err); ok {
		return r.failed(failedElsewhere(other))
	}
	switch {
	case errors.Is(err, ErrClosed):
		return ErrClosed
	case ctx != nil && ctx.Err() != nil:
		return fmt.Errorf("ccclient: gave up waiting for a token from %s: %w", r.host, ctx.Err())
	}
	return r.failed(&Error{Err: r.exchanger.concealed(err, held), outlook: outlook.Unclear})
}

// traced is explain for a Trace, which hears of good ends too, and of a caller who gave up in the cache's words.
func (r *registration) traced(err error) error {
	gaveUp, ok := errors.AsType[*cache.GaveUp](err)
	switch {
	case err == nil:
		return nil
	case ok:
		return gaveUp
	}
	return r.explain(context.Background(), err, "")
}
