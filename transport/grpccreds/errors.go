package grpccreds

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// prefix is what every error has in front, once.
const prefix = "ccclient: "

// A refusal says why an RPC was not sent though there may be a token.
type refusal struct {
	text string
	err  error // what errors.Is is to find; may be nil
}

func refusef(err error, format string, args ...any) error {
	return &refusal{prefix + fmt.Sprintf(format, args...), err}
}

func (e *refusal) Error() string              { return e.text }
func (e *refusal) Unwrap() error              { return e.err }
func (e *refusal) GRPCStatus() *status.Status { return status.New(codes.Unauthenticated, e.text) }

// A tokenError says why an RPC was not sent, or not again: the source had no token.
type tokenError struct {
	code     codes.Code
	err      error // the source's
	rejected error // the server's answer to the token before; nil: none was tried
}

// failure returns the error of an RPC whose source failed with err on ctx, the RPC's.
func failure(ctx context.Context, err, rejected error) error {
	return &tokenError{codeOf(ctx, err), err, rejected}
}

func (e *tokenError) Error() string {
	text := e.err.Error()
	if !strings.HasPrefix(text, prefix) {
		text = prefix + "no token: " + text
	}
	if e.rejected != nil {
		text += " (the token before was rejected by the server called)"
	}
	return text
}

func (e *tokenError) Unwrap() []error {
	if e.rejected != nil {
		return []error{e.err, e.rejected}
	}
	return []error{e.err}
}

func (e *tokenError) GRPCStatus() *status.Status { return status.New(e.code, e.Error()) }

// codeOf returns the code for a source's failure, out of those that gRPC lets credentials use (gRFC A54).
func codeOf(ctx context.Context, err error) codes.Code {
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case ended != nil:
		return codes.Canceled
	case temporary(err):
		return codes.Unavailable
	default:
		return codes.Unauthenticated
	}
}

// temporary reports whether time alone may mend err. That is the word of an error that has one, such as ccclient's.
// The errors of package net have one too, which is of no use: a refused connection is not temporary by it.
func temporary(err error) bool {
	own, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	_, network := own.(net.Error)
	if ok && !network {
		return own.Temporary()
	}
	if answer, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answer.Response != nil {
		switch code := answer.Response.StatusCode; code {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
			return true
		default:
			return code >= 500
		}
	}
	_, network = errors.AsType[net.Error](err)
	return network || status.Code(err) == codes.Unavailable
}
