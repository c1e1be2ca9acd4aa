package ccclient

import (
	"slices"

	"github.com/ccclient/go-ccclient/internal/cachekey"
	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/field"
	"github.com/ccclient/go-ccclient/transport"
)

// keyVersion changes when what a key covers changes, so that stores shared with other versions of the library do not
// mix tokens up. The keys of version 1 are stable from v0.1.0 on.
const keyVersion = "ccclient/1"

// clientKey covers what all tokens of a client have in common. It reports whether a secret is in it.
func (cfg *Config) clientKey(
	identity []string, dpop *transport.DPoP, cert *clientcert.Certificate, hash cachekey.Secrets,
) (key []byte, secret bool) {
	var h cachekey.Hash
	h.Add(keyVersion)
	h.URL(cfg.TokenURL)
	h.URL(cfg.Issuer)
	h.Add(cfg.ClientID)
	h.List(identity)
	if dpop != nil {
		h.Add(dpop.Thumbprint())
	} else {
		h.Add("")
	}
	if cert != nil {
		h.Add(cert.Last())
	} else {
		h.Add("")
	}
	h.Params(field.Canonical(cfg.EndpointHeader)) // one may name a tenant
	return h.Sum(nil, hash)
}

// key appends to dst the cache key of the token for t with a client's key. It reports whether a secret of t is in it.
func (t *Target) key(dst, client []byte, hash cachekey.Secrets) (key []byte, secret bool) {
	var buf [512]byte
	h := cachekey.After(append(buf[:0], client...))
	scopes := t.Scopes
	if !slices.IsSorted(scopes) {
		scopes = slices.Sorted(slices.Values(scopes))
	}
	h.List(scopes)
	h.Add(t.Audience)
	h.List(t.Resources)
	h.Params(t.EndpointParams)
	return h.Sum(dst, hash)
}
