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
	"strings"

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

func newEndpoints(
	cfg *Config, client *http.Client, dpop *transport.DPoP, mtls bool, o *observer,
) (endpoints, error) {
	e := endpoints{fixed: endpoint{tokenURL: cfg.TokenURL}, issuer: cfg.Issuer, auth: factsOf(cfg.Auth), dpop: dpop}
	e.mtls = mtls || e.auth.certificate
	if cfg.Issuer == "" {
		return e, nil
	}
	err := checkIssuer(cfg.Issuer)
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
			if err := e.supported(m); err != nil {
				e.discoverer.Invalidate(m) // should the server learn it, that is not to take an hour
				failed.Err, failed.outlook = err, settled
				return nil, x.concealEarly(ctx, failed)
			}
			return m, nil
		}
		failed.outlook = passing
		permanent := false
		if p, ok := errors.AsType[interface {
			error
			Permanent() bool
		}](err); ok && p.Permanent() {
			failed.outlook, permanent = settled, true
		}
		o, hint := x.link.judge(err, "Issuer", false)
		failed.outlook = cmp.Or(o, failed.outlook)
		if failed.outlook == passing && attempts < maxAttempts {
			met := &Error{client: failed.client, host: failed.host, Err: fmt.Errorf("discovery: %w", err)}
			noteFailure(ctx, x.concealEarly(ctx, met))
			if backoff.Sleep(ctx, backoff.Full(x.retry.MinBackoff, x.retry.MaxBackoff, attempts-1)) {
				continue
			}
		}
		failed.Err = fmt.Errorf("discovery: %w", err)
		if failed.Hint = hint; hint == "" && permanent {
			failed.Hint = e.noMetadata(err)
		}
		return nil, x.concealEarly(ctx, failed)
	}
}

// noMetadata says what to do where the issuer has no metadata that can be used, and time will not change that.
func (e *endpoints) noMetadata(err error) string {
	if other, ok := errors.AsType[discovery.OtherIssuer](err); ok {
		if strings.TrimSuffix(other.Issuer, "/") == strings.TrimSuffix(e.issuer, "/") {
			return fmt.Sprintf("set Issuer to %q: a trailing slash counts", other.Issuer)
		}
		return fmt.Sprintf("set Issuer to %q if that is the server which is meant", other.Issuer)
	}
	if u, err := url.Parse(e.issuer); err == nil && tokenPath(u.Path) {
		return "it looks like a token endpoint, which goes into TokenURL"
	}
	return "if the server publishes none, set TokenURL in place of Issuer"
}

// tokenPath reports whether a path is like those of token endpoints.
func tokenPath(path string) bool {
	last := path[strings.LastIndex(strings.TrimSuffix(path, "/"), "/")+1:]
	return strings.HasPrefix(strings.ToLower(last), "token") || strings.HasSuffix(strings.ToLower(last), "token")
}

// checkIssuer refuses the address of metadata, and says which issuer would have them there.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil // said elsewhere
	}
	before, after, found := strings.Cut(u.EscapedPath(), "/.well-known/")
	if !found {
		return nil
	}
	_, tenant, _ := strings.Cut(after, "/") // RFC 8414, section 3.1, puts the issuer's path behind
	if tenant != "" {
		before += "/" + tenant
	}
	return fmt.Errorf("is the address of metadata, which are found from the issuer itself: that may be %q",
		(&url.URL{Scheme: u.Scheme, Host: u.Host}).String()+before)
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
	ep := endpoint{
		tokenURL: m.TokenEndpoint, issuer: m.Issuer, algorithms: m.AssertionAlgs, methods: m.AuthMethods,
		dpop: m.DPoPAlgs,
	}
	if e.mtls && m.MTLSTokenEndpoint != "" {
		ep.tokenURL = m.MTLSTokenEndpoint
	}
	return ep
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
