package ccclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/backoff"
	"github.com/ccclient/go-ccclient/internal/discovery"
	"github.com/ccclient/go-ccclient/transport"
)

// endpoints says where token requests go: to a fixed token endpoint, or to the one that an issuer's metadata name.
type endpoints struct {
	fixed      endpoint
	discoverer *discovery.Discoverer // nil: fixed
	issuer     string                // whose metadata say; empty: fixed
	auth       facts
	mtls       bool            // connections show a client certificate
	dpop       *transport.DPoP // nil: bearer tokens
}

func newEndpoints(cfg *Config, client *http.Client, dpop *transport.DPoP, mtls bool) (endpoints, error) {
	e := endpoints{fixed: endpoint{tokenURL: cfg.TokenURL}, issuer: cfg.Issuer, auth: factsOf(cfg.Auth), dpop: dpop}
	e.mtls = mtls || e.auth.certificate
	if cfg.Issuer == "" {
		return e, nil
	}
	var err error
	e.discoverer, err = discovery.New(discovery.Options{
		Issuer: cfg.Issuer, Client: client, InsecureHTTP: cfg.InsecureHTTP, Kept: logger{cfg.logger()}.metadataKept,
	})
	return e, err
}

// fetch gets a new token from wherever the endpoint is. Where it turns out to be gone, the metadata are looked at again,
// and if they now name another place the request is made there.
func (e *endpoints) fetch(ctx context.Context, x *exchanger, form url.Values) (*oauth2.Token, error) {
	if e.discoverer == nil {
		return x.fetch(ctx, e.fixed, form)
	}
	m, err := e.metadata(ctx, x, x.retry.MaxAttempts)
	if err != nil {
		return nil, err
	}
	tok, err := x.fetch(ctx, e.of(m), form)
	if err == nil || !gone(err) {
		return tok, err
	}
	e.discoverer.Invalidate(m)
	again, err2 := e.metadata(ctx, x, 1)
	if err2 != nil || e.of(again).tokenURL == e.of(m).tokenURL {
		return nil, err
	}
	return x.fetch(ctx, e.of(again), form)
}

// metadata returns the issuer's metadata, if the configuration can be used with that server. Its error is an [*Error].
func (e *endpoints) metadata(ctx context.Context, x *exchanger, maxAttempts int) (*discovery.Metadata, error) {
	failed := &Error{client: x.clientID, host: endpoint{tokenURL: e.issuer}.host()}
	for attempts := 1; ; attempts++ {
		m, err := e.discoverer.Metadata(ctx)
		if err == nil {
			if failed.Err = e.supported(m); failed.Err != nil {
				e.discoverer.Invalidate(m) // should the server learn it, that is not to take an hour
				failed.outlook = settled
				return nil, failed
			}
			return m, nil
		}
		failed.outlook = passing
		if p, ok := errors.AsType[interface {
			error
			Permanent() bool
		}](err); ok && p.Permanent() {
			failed.outlook = settled
		}
		if failed.outlook == passing && attempts < maxAttempts && backoff.Sleep(ctx, backoff.Full(x.retry.MinBackoff, x.retry.MaxBackoff, attempts-1)) {
			continue
		}
		failed.Err = fmt.Errorf("discovery: %w", err)
		if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
			failed.Hint = rootCAsHint
		}
		return nil, failed
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

// of returns the token endpoint that the metadata name, for mutual TLS where there is a certificate to show.
func (e *endpoints) of(m *discovery.Metadata) endpoint {
	ep := endpoint{tokenURL: m.TokenEndpoint, issuer: m.Issuer, algorithms: m.AssertionAlgs, methods: m.AuthMethods}
	if e.mtls && m.MTLSTokenEndpoint != "" {
		ep.tokenURL = m.MTLSTokenEndpoint
	}
	return ep
}

// gone reports whether err says that there is no token endpoint where the metadata had it.
func gone(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok && (e.StatusCode == http.StatusNotFound || e.StatusCode == http.StatusGone) {
		return true
	}
	_, otherName := errors.AsType[x509.HostnameError](err)
	return otherName
}

func (e *endpoints) close() {
	if e.discoverer != nil {
		e.discoverer.Close()
	}
}
