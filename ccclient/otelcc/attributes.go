package otelcc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"

	"go.opentelemetry.io/otel/attribute"

	"github.com/ccclient/go-ccclient/ccclient"
)

func label(s string) attribute.KeyValue { return attribute.String("oauth.client.label", s) }

func server(host string, port int) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("server.address", host), attribute.Int("server.port", port)}
}

// errorType says in one of few words why there was no token.
func errorType(err error) attribute.KeyValue { return attribute.String("error.type", typeOf(err)) }

func typeOf(err error) string {
	e, ok := errors.AsType[*ccclient.Error](err)
	if ok {
		switch e.Code {
		case ccclient.InvalidRequest, ccclient.InvalidClient, ccclient.InvalidGrant, ccclient.UnauthorizedClient,
			ccclient.UnsupportedGrantType, ccclient.InvalidScope, ccclient.AccessDenied, ccclient.ServerError,
			ccclient.TemporarilyUnavailable, ccclient.InvalidTarget, ccclient.InvalidAuthorizationDetails,
			ccclient.UseDPoPNonce, ccclient.InvalidDPoPProof:
			return string(e.Code)
		}
		if e.StatusCode != 0 {
			return strconv.Itoa(e.StatusCode)
		}
	}
	_, unknownHost := errors.AsType[*net.DNSError](err)
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownCA := errors.AsType[x509.UnknownAuthorityError](err)
	_, otherHost := errors.AsType[x509.HostnameError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	operation, isNetwork := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, ccclient.ErrClosed):
		return "closed"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), isNetwork && operation.Timeout():
		return "timeout"
	case unknownHost:
		return "name_resolution"
	case unverified, unknownCA, otherHost, alert:
		return "tls"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection_refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "connection_cut"
	case errors.Is(err, ccclient.ErrExpired):
		return "expired"
	}
	return "_OTHER" // as the semantic conventions have it
}
