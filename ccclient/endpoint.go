package ccclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/ccclient/go-ccclient/internal/backoff"
	"github.com/ccclient/go-ccclient/internal/discovery"
	"github.com/ccclient/go-ccclient/transport"
)

// endpoints says where token requests go: to a fixed token endpoint, or to the
// one that an issuer's metadata names.
type endpoints struct {
	fixed      endpoint
	discoverer *discovery.Discoverer // nil: fixed
	method     string                // of authentication; empty: not one of the registered
	mtls       bool                  // connections show a client certificate
	dpop       *transport.DPoP       // nil: bearer tokens
}

func newEndpoints(cfg *Config, client *http.Client, dpop *transport.DPoP, mtls bool) (endpoints, error) {
	e := endpoints{fixed: endpoint{tokenURL: cfg.TokenURL}, mtls: mtls, dpop: dpop}
	if m, ok := cfg.Auth.(*method); ok {
		e.method = strings.TrimSuffix(m.name, "_unencoded")
		e.mtls = e.mtls || m.name == "tls_client_auth"
	}
	if cfg.Issuer == "" {
		return e, nil
	}
	var err error
	e.discoverer, err = discovery.New(discovery.Options{
		Issuer: cfg.Issuer, Client: client, InsecureHTTP: cfg.InsecureHTTP, Kept: logger{cfg.Logger}.metadataKept,
	})
	return e, err
}

// fetch gets a new token from wherever the endpoint is. Where it turns out to
// be gone, the metadata is looked at again, and if they now name another place
// the request is made there.
func (e *endpoints) fetch(ctx context.Context, r *requester, form url.Values) (*oauth2.Token, error) {
	if e.discoverer == nil {
		return r.fetch(ctx, e.fixed, form)
	}
	m, err := e.metadata(ctx, r.retry)
	if err != nil {
		return nil, err
	}
	tok, err := r.fetch(ctx, e.of(m), form)
	if err == nil || !gone(err) {
		return tok, err
	}
	e.discoverer.Invalidate(m)
	again, err2 := e.metadata(ctx, Retry{MaxAttempts: 1})
	if err2 != nil || e.of(again).tokenURL == e.of(m).tokenURL {
		return nil, err
	}
	return r.fetch(ctx, e.of(again), form)
}

// metadata gives the issuer's metadata, if the configuration can be used with
// that server.
func (e *endpoints) metadata(ctx context.Context, retry Retry) (*discovery.Metadata, error) {
	for attempts := 1; ; attempts++ {
		m, err := e.discoverer.Metadata(ctx)
		if err == nil {
			if err = e.supported(m); err != nil {
				e.discoverer.Invalidate(m) // should the server learn it, that is not to take an hour
				return nil, &failure{err: &Error{Err: err}, permanent: true}
			}
			return m, nil
		}
		var p interface{ Permanent() bool }
		permanent := errors.As(err, &p) && p.Permanent()
		if permanent || attempts >= retry.MaxAttempts || !sleep(ctx, backoff.Full(retry.MinBackoff, retry.MaxBackoff, attempts-1)) {
			err = fmt.Errorf("discovery: %w", err)
			if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
				err = fmt.Errorf("%w: %s", err, rootCAsAdvice)
			}
			return nil, &failure{err: &Error{Err: err}, permanent: permanent, temporary: !permanent}
		}
	}
}

func (e *endpoints) supported(m *discovery.Metadata) error {
	if e.dpop != nil {
		if err := e.dpop.Negotiate(m.DPoPAlgs); err != nil {
			return fmt.Errorf("DPoPKey: %w", errors.Unwrap(err)) // without the prefix
		}
	}
	switch e.method {
	case "", "spiffe_jwt": // a draft's name: Keycloak takes it and does not list it
		return nil
	case "tls_client_auth":
		// Which of the two it is, the certificate decides.
		if m.Supports("self_signed_tls_client_auth") == nil {
			return nil
		}
	}
	if err := m.Supports(e.method); err != nil {
		return fmt.Errorf("Auth: %w", err)
	}
	return nil
}

func (e *endpoints) of(m *discovery.Metadata) endpoint {
	ep := endpoint{tokenURL: m.TokenEndpoint, issuer: m.Issuer, algorithms: m.AssertionAlgs, methods: m.AuthMethods}
	if e.mtls && m.MTLSTokenEndpoint != "" {
		ep.tokenURL = m.MTLSTokenEndpoint
	}
	return ep
}

// gone reports whether err says that there is no token endpoint where the
// metadata had it.
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
