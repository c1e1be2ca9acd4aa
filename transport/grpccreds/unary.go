package grpccreds

import (
	"context"
	"io"

	"google.golang.org/grpc"
)

// unary is a [grpc.UnaryClientInterceptor]. It repeats an RPC whose token is rejected, once, if there is another.
func (c *creds) unary(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	first := &call{Context: ctx, creds: c, own: perCall(opts)}
	err := invoke(first, method, req, reply, cc, opts...)
	if err == io.EOF { // gRPC lost the status, as told at stream.receive. The server did not have the request.
		ctx, cancel := first.remaining()
		defer cancel()
		first = &call{Context: ctx, creds: c, own: first.own}
		err = invoke(first, method, req, reply, cc, opts...)
	}
	if !first.rejected(err) {
		return err
	}
	ctx, cancel := first.remaining()
	defer cancel()
	if err := first.renew(ctx, err); err != nil {
		return err
	}
	second := &call{Context: ctx, creds: c, own: first.own}
	return invoke(second, method, req, reply, cc, opts...)
}
