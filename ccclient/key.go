package ccclient

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/ccclient/go-ccclient/transport"
)

// keyVersion changes when what a key covers changes, so that stores shared
// with other versions of the library do not mix tokens up.
const keyVersion = "ccclient/1"

// A keyHash collects what shapes a token. Every part goes in with its length,
// every list with its count, so that no two different collections are alike.
// Nothing secret goes in.
type keyHash struct{ parts []byte }

func (h *keyHash) add(part string) {
	h.parts = binary.AppendUvarint(h.parts, uint64(len(part)))
	h.parts = append(h.parts, part...)
}

func (h *keyHash) list(parts []string) {
	h.parts = binary.AppendUvarint(h.parts, uint64(len(parts)))
	for _, p := range parts {
		h.add(p)
	}
}

func (h *keyHash) lists(m map[string][]string) {
	h.parts = binary.AppendUvarint(h.parts, uint64(len(m)))
	if len(m) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		h.add(name)
		h.list(m[name])
	}
}

// sum appends the key to dst: printable, and safe in a log or a file name.
func (h *keyHash) sum(dst []byte) []byte {
	d := sha256.Sum256(h.parts)
	return base64.RawURLEncoding.AppendEncode(dst, d[:])
}

// clientKey covers what all tokens of a client have in common.
func (cfg *Config) clientKey(dpop *transport.DPoP, cert *certificate) []byte {
	var h keyHash
	h.add(keyVersion)
	h.add(cfg.TokenURL)
	h.add(cfg.Issuer)
	h.add(cfg.ClientID)
	name, identity := "", []string(nil)
	if m, ok := cfg.Auth.(*method); ok {
		name, identity = m.name, m.identity
	}
	h.add(name)
	h.list(identity)
	if dpop != nil {
		h.add(dpop.Thumbprint())
	} else {
		h.add("")
	}
	if cert != nil {
		h.add(cert.seen())
	} else {
		h.add("")
	}
	h.lists(canonicalHeader(cfg.EndpointHeader)) // one may name a tenant
	return h.sum(nil)
}

// key appends to dst the cache key of what r asks for with a client's key.
func (r *TokenRequest) key(dst, client []byte) []byte {
	var buf [512]byte
	h := keyHash{parts: append(buf[:0], client...)}
	scopes := r.Scopes
	if !slices.IsSorted(scopes) {
		scopes = slices.Sorted(slices.Values(scopes))
	}
	h.list(scopes)
	h.add(r.Audience)
	h.list(r.Resources)
	h.lists(r.EndpointParams)
	return h.sum(dst)
}
