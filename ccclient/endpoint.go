package ccclient

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

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
	link       *link.Link      // what is known of the client's connections
}

func newEndpoints(
	cfg *Config, client *http.Client, l *link.Link, dpop *transport.DPoP, mtls bool, o *observer,
) (endpoints, error) {
	e := endpoints{
		fixed: endpoint.Endpoint{URL: cfg.TokenURL}, issuer: cfg.Issuer, auth: factsOf(cfg.Auth),
		dpop: dpop, link: l,
	}
	e.mtls = mtls || e.auth.certificate
	if cfg.Issuer == "" {
		return e, nil
	}
	err := endpoint.CheckIssuer(cfg.Issuer)
	if err != nil {
		return e, err
	}
	e.discoverer, err = discovery.New(discovery.Options{
		Issuer: cfg.Issuer, HTTPClient: client, InsecureHTTP: cfg.InsecureHTTP, Begin: o.discoveryOf(cfg),
	})
	return e, err
}

// locate returns where a token request goes now: where the metadata of an issuer say, if the configuration can be used
// with that server. With an Error it returns where those were looked for.
func (e *endpoints) locate(ctx context.Context) (endpoint.Endpoint, *Error) {
	if e.discoverer == nil {
		return e.fixed, nil
	}
	m, err := e.discoverer.Metadata(ctx)
	if err != nil {
		return endpoint.Endpoint{URL: e.issuer}, e.undiscovered(err)
	}
	if err := e.supported(m); err != nil {
		e.discoverer.Invalidate(m) // should the server learn it, that is not to take an hour
		return endpoint.Endpoint{URL: e.issuer}, &Error{
			Err: err, Hint: "set one that it supports", outlook: outlook.Settled,
		}
	}
	return endpoint.Of(m, e.mtls), nil
}

// undiscovered returns the Error for metadata that could not be had, less who asked whom.
func (e *endpoints) undiscovered(err error) *Error {
	problem := &Error{Err: fmt.Errorf("discovery: %w", err), outlook: outlook.Passing}
	permanent, _ := errors.AsType[interface {
		error
		Permanent() bool
	}](err)
	judged, hint := e.link.Judge(err, link.Request{Setting: "Issuer", Plain: endpoint.Endpoint{URL: e.issuer}.Plain()})
	problem.Hint = hint
	if permanent != nil && permanent.Permanent() {
		problem.outlook = outlook.Settled
		problem.Hint = cmp.Or(hint, endpoint.NoMetadata(e.issuer, err))
	}
	problem.outlook = cmp.Or(judged, problem.outlook)
	return problem
}

// moved reports whether the metadata, which are read again as often as the discoverer allows, now name another place
// than ep, where there may be no token endpoint.
func (e *endpoints) moved(ctx context.Context, ep endpoint.Endpoint) bool {
	if e.discoverer == nil {
		return false
	}
	if m, err := e.discoverer.Metadata(ctx); err == nil && endpoint.Of(m, e.mtls).URL == ep.URL {
		e.discoverer.Invalidate(m)
	}
	now, err := e.locate(ctx)
	return err == nil && now.URL != ep.URL
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

// gone reports whether e may say that there is no token endpoint where the metadata had it.
func gone(e *Error) bool {
	_, otherName := errors.AsType[x509.HostnameError](e)
	unknown, _ := errors.AsType[*net.DNSError](e)
	return e.misplaced || otherName || unknown != nil && unknown.IsNotFound
}

func (e *endpoints) close() {
	if e.discoverer != nil {
		e.discoverer.Close()
	}
}
