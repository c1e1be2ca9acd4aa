package ccclient

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"net/url"
	"slices"
	"sync"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/field"
	"github.com/ccclient/go-ccclient/internal/redact"
	"github.com/ccclient/go-ccclient/transport"
)

// keyVersion changes when what a key covers changes, so that stores shared with other versions of the library do not mix
// tokens up. The keys of version 1 are stable from v0.1.0 on.
const keyVersion = "ccclient/1"

// A keyHash collects what shapes a token. Every part goes in with its length, every list with its count, so that no two
// different collections are alike.
//
// A key can be read by whoever can read the Store or a log, and whoever knows the rest of a collection can try guesses
// at a part. So what may be secret is collected apart, and goes in through a [secretHash].
type keyHash struct {
	open, secret []byte
}

func add(h []byte, part string) []byte {
	h = binary.AppendUvarint(h, uint64(len(part)))
	return append(h, part...)
}

func addList(h []byte, parts []string) []byte {
	h = binary.AppendUvarint(h, uint64(len(parts)))
	for _, p := range parts {
		h = add(h, p)
	}
	return h
}

func (h *keyHash) add(part string) { h.open = add(h.open, part) }

func (h *keyHash) list(parts []string) { h.open = addList(h.open, parts) }

// params adds parameters or header fields. Of those whose names say that they hold a secret only the names are open.
func (h *keyHash) params(m map[string][]string) {
	h.open = binary.AppendUvarint(h.open, uint64(len(m)))
	if len(m) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		h.add(name)
		if redact.SecretName(name) {
			h.secret = addList(h.secret, m[name])
		} else {
			h.list(m[name])
		}
	}
}

// url adds a URL, whose query and user info may hold a secret, whatever their names.
func (h *keyHash) url(raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.RawQuery == "" && u.User == nil {
		h.open = append(h.open, 0)
		h.add(raw)
		return
	}
	h.open = append(h.open, 1)
	h.secret = add(add(h.secret, u.RawQuery), u.User.String())
	u.RawQuery, u.User = "", nil
	h.add(u.String())
}

// sum appends the key to dst: printable, and safe in a log or a file name. It reports whether a secret is in it.
func (h *keyHash) sum(dst []byte, hash secretHash) (key []byte, secret bool) {
	if secret = len(h.secret) > 0; secret {
		h.add(string(hash.sum(h.secret)))
	} else {
		h.add("")
	}
	d := sha256.Sum256(h.open)
	return base64.RawURLEncoding.AppendEncode(dst, d[:]), secret
}

// A secretHash is how secrets go into keys: keyed, so that nobody can guess at them who has not got the key.
type secretHash struct {
	sum    func(data []byte) []byte
	shared bool // it is the same for all who share the Store
}

// secretHashOf returns that of a Store, which may be nil. One that has none gets no token whose key holds a secret: the
// hash is then this process's own.
func secretHashOf(s cache.Store) secretHash {
	if k, ok := s.(cache.KeyedHasher); ok && len(k.KeyedHash(nil)) >= 16 {
		return secretHash{k.KeyedHash, true}
	}
	return secretHash{processHash(), false}
}

// processHash returns HMAC-SHA-256 under a random key of this process.
var processHash = sync.OnceValue(func() func(data []byte) []byte {
	key := make([]byte, sha256.Size)
	rand.Read(key)
	return func(data []byte) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write(data)
		return mac.Sum(nil)
	}
})

// clientKey covers what all tokens of a client have in common. It reports whether a secret is in it.
func (cfg *Config) clientKey(
	identity []string, dpop *transport.DPoP, cert *clientcert.Certificate, hash secretHash,
) (key []byte, secret bool) {
	var h keyHash
	h.add(keyVersion)
	h.url(cfg.TokenURL)
	h.url(cfg.Issuer)
	h.add(cfg.ClientID)
	h.list(identity)
	if dpop != nil {
		h.add(dpop.Thumbprint())
	} else {
		h.add("")
	}
	if cert != nil {
		h.add(cert.Last())
	} else {
		h.add("")
	}
	h.params(field.Canonical(cfg.EndpointHeader)) // one may name a tenant
	return h.sum(nil, hash)
}

// key appends to dst the cache key of the token for t with a client's key. It reports whether a secret of t is in it.
func (t *Target) key(dst, client []byte, hash secretHash) (key []byte, secret bool) {
	var buf [512]byte
	h := keyHash{open: append(buf[:0], client...)}
	scopes := t.Scopes
	if !slices.IsSorted(scopes) {
		scopes = slices.Sorted(slices.Values(scopes))
	}
	h.list(scopes)
	h.add(t.Audience)
	h.list(t.Resources)
	h.params(t.EndpointParams)
	return h.sum(dst, hash)
}

// certifiedKey is the cache key of tokens that may be bound to a certificate; key is that of their target.
func certifiedKey(key, thumbprint string) string {
	var h keyHash
	h.add(key)
	h.add(thumbprint)
	sum, _ := h.sum(nil, secretHash{})
	return string(sum)
}
