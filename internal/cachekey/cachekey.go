// Package cachekey makes the keys under which tokens are cached.
package cachekey

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

	"github.com/ccclient/go-ccclient/internal/redact"
)

// A Hash collects what shapes a token. Every part goes in with its length, every list with its count, so that no two
// different collections are alike.
//
// A key can be read by whoever can read the Store or a log, and whoever knows the rest of a collection can try guesses
// at a part. So what may be secret is collected apart, and goes in through a [Secrets].
type Hash struct {
	open, secret []byte
}

// After returns a Hash that continues what open has collected, in the memory of that.
func After(open []byte) Hash { return Hash{open: open} }

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

// Add adds one part.
func (h *Hash) Add(part string) { h.open = add(h.open, part) }

// List adds a list of parts.
func (h *Hash) List(parts []string) { h.open = addList(h.open, parts) }

// Params adds parameters or header fields. Of those whose names say that they hold a secret only the names are open.
func (h *Hash) Params(m map[string][]string) {
	h.open = binary.AppendUvarint(h.open, uint64(len(m)))
	if len(m) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		h.Add(name)
		if redact.SecretName(name) {
			h.secret = addList(h.secret, m[name])
		} else {
			h.List(m[name])
		}
	}
}

// URL adds a URL, whose query and user info may hold a secret, whatever their names.
func (h *Hash) URL(raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.RawQuery == "" && u.User == nil {
		h.open = append(h.open, 0)
		h.Add(raw)
		return
	}
	h.open = append(h.open, 1)
	h.secret = add(add(h.secret, u.RawQuery), u.User.String())
	u.RawQuery, u.User = "", nil
	h.Add(u.String())
}

// Sum appends the key to dst: printable, and safe in a log or a file name. It reports whether a secret is in it.
func (h *Hash) Sum(dst []byte, hash Secrets) (key []byte, secret bool) {
	if secret = len(h.secret) > 0; secret {
		h.Add(string(hash.sum(h.secret)))
	} else {
		h.Add("")
	}
	d := sha256.Sum256(h.open)
	return base64.RawURLEncoding.AppendEncode(dst, d[:]), secret
}

// A Secrets is how secrets go into keys: keyed, so that nobody can guess at them who has not got the key.
type Secrets struct {
	sum    func(data []byte) []byte
	Shared bool // it is the same for all who share the Store
}

// SecretsOf returns that of a Store, which may be nil. One that has none gets no token whose key holds a secret: the
// hash is then this process's own.
func SecretsOf(s any) Secrets {
	if k, ok := s.(interface{ KeyedHash(data []byte) []byte }); ok && len(k.KeyedHash(nil)) >= 16 {
		return Secrets{k.KeyedHash, true}
	}
	return Secrets{processHash(), false}
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
