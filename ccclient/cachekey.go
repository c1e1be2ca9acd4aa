package ccclient

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/transport"
)

// keyVersion changes when what a key covers changes, so that stores shared with other versions of the library do not mix
// tokens up.
const keyVersion = "ccclient/1"

// A keyHash collects what shapes a token. Every part goes in with its length, every list with its count, so that no two
// different collections are alike. Nothing secret goes in.
type keyHash []byte

func (h keyHash) add(part string) keyHash {
	h = binary.AppendUvarint(h, uint64(len(part)))
	return append(h, part...)
}

func (h keyHash) list(parts []string) keyHash {
	h = binary.AppendUvarint(h, uint64(len(parts)))
	for _, p := range parts {
		h = h.add(p)
	}
	return h
}

func (h keyHash) lists(m map[string][]string) keyHash {
	h = binary.AppendUvarint(h, uint64(len(m)))
	if len(m) == 0 {
		return h
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		h = h.add(name).list(m[name])
	}
	return h
}

// sum appends the key to dst: printable, and safe in a log or a file name.
func (h keyHash) sum(dst []byte) []byte {
	d := sha256.Sum256(h)
	return base64.RawURLEncoding.AppendEncode(dst, d[:])
}

// clientKey covers what all tokens of a client have in common.
func (cfg *Config) clientKey(dpop *transport.DPoP, cert *clientcert.Certificate) []byte {
	var h keyHash
	h = h.add(keyVersion)
	h = h.add(cfg.TokenURL)
	h = h.add(cfg.Issuer)
	h = h.add(cfg.ClientID)
	identity, _ := identityOf(cfg.Auth)
	h = h.list(identity)
	if dpop != nil {
		h = h.add(dpop.Thumbprint())
	} else {
		h = h.add("")
	}
	if cert != nil {
		h = h.add(cert.Last())
	} else {
		h = h.add("")
	}
	h = h.lists(canonicalHeader(cfg.EndpointHeader)) // one may name a tenant
	return h.sum(nil)
}

// key appends to dst the cache key of the token for t with a client's key.
func (t *Target) key(dst, client []byte) []byte {
	var buf [512]byte
	h := append(keyHash(buf[:0]), client...)
	scopes := t.Scopes
	if !slices.IsSorted(scopes) {
		scopes = slices.Sorted(slices.Values(scopes))
	}
	h = h.list(scopes)
	h = h.add(t.Audience)
	h = h.list(t.Resources)
	h = h.lists(t.EndpointParams)
	return h.sum(dst)
}

// certifiedKey is the cache key of tokens that may be bound to a certificate; key is that of their target.
func certifiedKey(key, thumbprint string) string {
	return string(keyHash(nil).add(key).add(thumbprint).sum(nil))
}
