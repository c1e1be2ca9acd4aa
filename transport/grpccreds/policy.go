package grpccreds

import (
	"context"
	"net"
	"net/url"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/ccclient/go-ccclient/internal/hosts"
	"github.com/ccclient/go-ccclient/transport"
)

// ownAuthorization reports whether the caller has set the metadata that the token is for. gRPC would send both.
func ownAuthorization(ctx context.Context) bool {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy, but nothing where there is none
	return len(md[authorization]) > 0
}

// allowed says why no token may go over the connection that ctx tells of to the server that uri names, if so.
func (c *creds) allowed(ctx context.Context, uri []string) error {
	if c.source == nil {
		return refusef(nil, "no Source to get a token from")
	}
	var server url.URL
	if len(uri) > 0 {
		server = url.URL{Scheme: "https", Host: authority(uri[0])}
	}
	if !c.options.InsecureTransport && !secure(ctx) && !within(ctx, &server) {
		return refusef(transport.ErrInsecure, "a token must not go to %.100q over a connection without TLS, which "+
			"InsecureTransport would allow", server.Host)
	}
	patterns := c.options.AllowedHosts
	if len(patterns) == 0 || hosts.Match(patterns, &server) {
		return nil
	}
	for _, pattern := range patterns {
		if err := hosts.Validate(pattern); err != nil {
			return refusef(transport.ErrHostNotAllowed, "%.100q may not have the token: AllowedHosts: %v", server.Host, err)
		}
	}
	return refusef(transport.ErrHostNotAllowed, "%.100q may not have the token: it is none of AllowedHosts", server.Host)
}

// authority returns the host, and the port unless that is 443, of what gRPC calls the audience: https://host/service.
func authority(uri string) string {
	uri = strings.TrimPrefix(uri, "https://")
	host, _, _ := strings.Cut(uri, "/")
	return host
}

func secure(ctx context.Context) bool {
	info, _ := credentials.RequestInfoFromContext(ctx)
	return info.AuthInfo != nil && credentials.CheckSecurityLevel(info.AuthInfo, credentials.PrivacyAndIntegrity) == nil
}

// within reports whether the connection does not leave this machine. An address of the peer's on loopback is not
// enough: it may be a proxy's, so the server has to be called so too.
func within(ctx context.Context, server *url.URL) bool {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr == nil {
		return false
	}
	switch addr := p.Addr.(type) {
	case *net.TCPAddr:
		return addr.IP.IsLoopback() && hosts.Loopback(server.Hostname())
	case *net.UnixAddr:
		return true
	}
	return p.Addr.Network() == "bufconn" // google.golang.org/grpc/test/bufconn: memory of this process
}
