package grpccreds

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// A call is the context of an RPC, with a note of the token that it has. gRPC may attempt an RPC several times by
// itself; the note is of the last attempt.
type call struct {
	context.Context
	creds    *creds
	own      credentials.PerRPCCredentials // of the call itself; nil: none
	attempts atomic.Int32                  // begun
	used     atomic.Pointer[credential]    // nil: no token was sent
	deadline atomic.Pointer[time.Time]     // of the RPC, if it is not Context's but the service config's
}

type callKey struct{}

// Value is how GetRequestMetadata, far below the interceptors, finds the call.
func (c *call) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// callOf returns the call that ctx belongs to; nil if it is none of this connection's interceptors.
func (c *creds) callOf(ctx context.Context) *call {
	call, _ := ctx.Value(callKey{}).(*call)
	if call == nil || call.creds != c {
		return nil
	}
	return call
}

// perCall returns the credentials among the options of a call, of which gRPC heeds the last.
func perCall(opts []grpc.CallOption) (own credentials.PerRPCCredentials) {
	for _, o := range opts {
		if o, ok := o.(grpc.PerRPCCredsCallOption); ok {
			own = o.Creds
		}
	}
	return own
}

// begin notes that an attempt begins, whose context is ctx.
func (c *call) begin(ctx context.Context) {
	c.attempts.Add(1)
	c.used.Store(nil)
	at, ok := ctx.Deadline()
	if given, _ := c.Deadline(); ok && !at.Equal(given) && c.deadline.Load() == nil {
		earlier := at
		c.deadline.Store(&earlier)
	}
}

// ownCredentials reports whether the call has credentials that set an authorization: gRPC would send both. What they
// fail with is for gRPC to tell, when it asks them itself.
func (c *call) ownCredentials(ctx context.Context, uri []string) bool {
	if c == nil || c.own == nil {
		return false
	}
	md, err := c.own.GetRequestMetadata(ctx, uri...)
	if err != nil {
		return true
	}
	for key := range md {
		if strings.EqualFold(key, authorization) {
			return true
		}
	}
	return false
}

// rejected reports whether err, the RPC's, is the server's rejection of the token that it was sent with.
func (c *call) rejected(err error) bool {
	return err != nil && c.used.Load() != nil && status.Code(err) == codes.Unauthenticated
}

// renew reports the token of the call as rejected and waits, until ctx ends, for another. If there is none, its error
// is what the RPC comes to: the rejection, or the reason why no other can be had.
func (c *call) renew(ctx context.Context, rejection error) error {
	used := c.used.Load().token
	c.creds.invalidate(used)
	tok, err := c.creds.source.Token(ctx)
	switch {
	case err != nil:
		return failure(ctx, err, rejection)
	case ctx.Err() != nil:
		return failure(ctx, ctx.Err(), rejection)
	case tok == nil || tok.AccessToken == used.AccessToken:
		return rejection
	}
	return nil
}

// remaining returns the context for what remains of the RPC: the caller's, but not beyond a deadline from the service
// config, which would begin anew.
func (c *call) remaining() (context.Context, context.CancelFunc) {
	if at := c.deadline.Load(); at != nil {
		return context.WithDeadline(c.Context, *at)
	}
	return c.Context, func() {}
}
