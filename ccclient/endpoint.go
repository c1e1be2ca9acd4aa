package ccclient

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/backoff"
	"github.com/ccclient/go-ccclient/internal/discovery"
	"github.com/ccclient/go-ccclient/internal/endpoint"
	"github.com/ccclient/go-ccclient/internal/link"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/transport"
)

// endpoints says where token requests go: to a fixed token endpoint, or to the one that an issuer's metadata name.
type endpoints struct {
	fixed      endpoint.Endpoint
	discoverer *discovery.Discoverer // nil: fixed
	issuer     string                // whose metadata say; empty: fixed
	auth       facts
	mtls       bool            // connections show a client certificate
	dpop       *transport.DPoP // nil: bearer tokens
}

func newEndpoints(
	cfg *Config, client *http.Client, dpop *transport.DPoP, mtls bool, o *observer,
) (endpoints, error) {
	e := endpoints{fixed: endpoint.Endpoint{URL: cfg.TokenURL}, issuer: cfg.Issuer, auth: factsOf(cfg.Auth), dpop: dpop}
	e.mtls = mtls || e.auth.certificate
	if cfg.Issuer == "" {
		return e, nil
	}
	err := endpoint.CheckIssuer(cfg.Issuer)
	if err != nil {
		return e, err
	}
	e.discoverer, err = discovery.New(discovery.Options{
		Issuer: cfg.Issuer, Client: client, InsecureHTTP: cfg.InsecureHTTP, Begin: o.discoveryOf(cfg),
	})
	return e, err
}

// fetch gets a new token from wherever the endpoint is. Where it may be gone, the metadata are looked at again, as
// often as the discoverer allows, and if they now name another place the request is made there.
func (e *endpoints) fetch(ctx context.Context, x *exchanger, form url.Values) (*oauth2.Token, error) {
	if e.discoverer == nil {
		return x.fetch(ctx, e.fixed, form)
	}
	m, err := e.metadata(ctx, x, x.retry.MaxAttempts)
	if err != nil {
		return nil, err
	}
	tok, err := x.fetch(ctx, endpoint.Of(m, e.mtls), form)
	if err == nil || !gone(err) {
		return tok, err
	}
	e.discoverer.Invalidate(m)
	again, err2 := e.metadata(ctx, x, 1)
	if err2 != nil || endpoint.Of(again, e.mtls).URL == endpoint.Of(m, e.mtls).URL {
		return nil, err
	}
	return x.fetch(ctx, endpoint.Of(again, e.mtls), form)
}

// metadata returns the issuer's metadata, if the configuration can be used with that server. Its error is an [*Error].
func (e *endpoints) metadata(ctx context.Context, x *exchanger, maxAttempts int) (*discovery.Metadata, error) {
	failed := &Error{client: x.clientID, host: endpoint.Host(e.issuer)}
	for attempts := 1; ; attempts++ {
		m, err := e.discoverer.Metadata(ctx)
		if err == nil {
			if err := e.supported(m); err != nil {
				e.discoverer.Invalidate(m) // should the server learn it, that is not to take an hour
				failed.Err, failed.outlook = err, outlook.Settled
				return nil, x.concealEarly(ctx, failed)
			}
			return m, nil
		}
		failed.outlook = outlook.Passing
		permanent := false
		if p, ok := errors.AsType[interface {
			error
			Permanent() bool
		}](err); ok && p.Permanent() {
			failed.outlook, permanent = outlook.Settled, true
		}
		o, hint := x.link.Judge(err, link.Request{Setting: "Issuer", Plain: endpoint.Endpoint{URL: e.issuer}.Plain()})
		failed.outlook = cmp.Or(o, failed.outlook)
		if failed.outlook == outlook.Passing && attempts < maxAttempts {
			met := &Error{client: failed.client, host: failed.host, Err: fmt.Errorf("discovery: %w", err)}
			noteFailure(ctx, x.concealEarly(ctx, met))
			if backoff.Sleep(ctx, backoff.Full(x.retry.MinBackoff, x.retry.MaxBackoff, attempts-1)) {
				continue
			}
		}
		failed.Err = fmt.Errorf("discovery: %w", err)
		if failed.Hint = hint; hint == "" && permanent {
			failed.Hint = endpoint.NoMetadata(e.issuer, err)
		}
		return nil, x.concealEarly(ctx, failed)
	}
}

// supported returns what of the configuration the server with these metadata does not support.
func (e *endpoints) supported(m *discovery.Metadata) error {
	if e.dpop != nil {
		if err := e.dpop.Negotiate(m.DPoPAlgs); err != nil {
			return fmt.Errorf("DPoPKey: %w", errors.Unwrap(err)) // without the prefix
		}
	}
	var fault error
	for _, name := range e.auth.listed {
		err := m.Supports(name)
		if err == nil {
			return nil
		}
		if fault == nil {
			fault = fmt.Errorf("Auth: %w", err)
		}
	}
	return fault
}

// gone reports whether err may say that there is no token endpoint where the metadata had it.
func gone(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok && e.misplaced {
		return true
	}
	_, otherName := errors.AsType[x509.HostnameError](err)
	unknown, _ := errors.AsType[*net.DNSError](err)
	return otherName || unknown != nil && unknown.IsNotFound
}

func (e *endpoints) close() {
	if e.discoverer != nil {
		e.discoverer.Close()
	}
}
