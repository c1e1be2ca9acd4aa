package cache

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

const sealKeySize = 32 // AES-256

// sealVersion is the first byte of a sealed record. What follows it in version 1 is a nonce of 12 bytes, the
// ciphertext, and a tag of 16 bytes. The version byte and the store key are the associated data.
const sealVersion = 1

// Seal returns a Store that keeps its data in s encrypted and authenticated with AES-256-GCM, so that whoever can read
// s learns no token, and whoever can write to it can neither forge a record nor move one to another key.
//
// The first of the keys seals; all of them open. To rotate, first add the new key behind the old one everywhere, then
// put it first, then drop the old one after the longest token life. A key has 32 random bytes, see [ParseKey]; with
// random nonces one key should not seal more than 2^32 records.
//
// A record that no key opens, as after a rotation that left a process behind, is not a plain miss: the error of Get is
// [ErrUnreadable] and says why. The result is a Locker if and only if s is one; the names of keys and locks go through
// as they are.
//
// It is a [KeyedHasher] too, by the first of the keys: while a rotation is under way, those who have not got it yet
// share no token whose key holds a secret with those who have.
func Seal(s Store, keys ...[]byte) (Store, error) {
	var faults []error
	if s == nil {
		faults = append(faults, errors.New("cache: seal: no store"))
	}
	if len(keys) == 0 {
		faults = append(faults, errors.New("cache: seal: no key; generate one of 32 bytes with `openssl rand 32`"))
	}
	aeads := make([]cipher.AEAD, 0, len(keys))
	for i, key := range keys {
		if len(key) != sealKeySize {
			faults = append(faults, fmt.Errorf("cache: seal: key %d has %d bytes; AES-256-GCM wants %d: generate one with `openssl rand 32`%s",
				i+1, len(key), sealKeySize, encodedKeyHint(len(key))))
			continue
		}
		aead, err := newAEAD(key)
		if err != nil {
			faults = append(faults, fmt.Errorf("cache: seal: key %d: %w", i+1, err))
			continue
		}
		aeads = append(aeads, aead)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	hash, err := keyedHash(keys[0])
	if err != nil {
		return nil, fmt.Errorf("cache: seal: %w", err)
	}

	// The ciphers hold the expanded keys, so they live in closures only: fmt prints fields, exported or not, but never
	// what a func captured.
	base := &sealed{
		store: s,
		seal:  func(key string, data []byte) []byte { return sealRecord(aeads[0], key, data) },
		open:  func(key string, record []byte) ([]byte, error) { return openRecord(aeads, key, record) },
		hash:  hash,
	}
	if l, ok := s.(Locker); ok {
		return &sealedLocker{sealed: base, Locker: l}, nil
	}
	return base, nil
}

type sealed struct {
	store Store
	seal  func(key string, data []byte) []byte
	open  func(key string, record []byte) ([]byte, error)
	hash  func(data []byte) []byte
}

type sealedLocker struct {
	*sealed
	Locker
}

// Format prints the kind of Store behind s.
func (s *sealed) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "cache.Seal(%T)", s.store) }

func (s *sealed) Get(ctx context.Context, key string) ([]byte, error) {
	record, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return s.open(key, record)
}

func (s *sealed) Put(ctx context.Context, key string, data []byte, ttl time.Duration) error {
	return s.store.Put(ctx, key, s.seal(key, data), ttl)
}

func (s *sealed) Delete(ctx context.Context, key string) error {
	return s.store.Delete(ctx, key)
}

// KeyedHash returns a hash under a key that is derived from the one that seals.
func (s *sealed) KeyedHash(data []byte) []byte { return s.hash(data) }

// newAEAD returns AES-GCM with a random 96-bit nonce, drawn anew for each record and put in front of it.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func sealRecord(aead cipher.AEAD, key string, data []byte) []byte {
	record := make([]byte, 1, 1+len(data)+aead.Overhead())
	record[0] = sealVersion
	return aead.Seal(record, nil, data, sealAAD(key))
}

func openRecord(aeads []cipher.AEAD, key string, record []byte) ([]byte, error) {
	if len(record) == 0 {
		return nil, fmt.Errorf("cache: the sealed record is empty: %w", ErrUnreadable)
	}
	if record[0] != sealVersion {
		return nil, fmt.Errorf("cache: the record is not sealed, or by another version of this package: %w", ErrUnreadable)
	}
	aad := sealAAD(key)
	buf := make([]byte, 0, len(record)) // each key tries to open into it
	for _, aead := range aeads {
		data, err := aead.Open(buf, nil, record[1:], aad)
		if err == nil {
			return data, nil
		}
	}
	return nil, fmt.Errorf("cache: a sealed record opens with none of the %d keys (was one rotated away, which Seal is to "+
		"be given behind the new one for as long as a token lives, or was the record altered?): %w", len(aeads), ErrUnreadable)
}

func sealAAD(key string) []byte {
	aad := make([]byte, 0, 1+len(key))
	aad = append(aad, sealVersion)
	return append(aad, key...)
}

// encodedKeyHint recognises the commonest mistake: the text form of a key.
func encodedKeyHint(n int) string {
	switch n {
	case 64:
		return " (is this one hex-encoded? ParseKey reads it)"
	case 43, 44, 45:
		return " (is this one base64-encoded? ParseKey reads it)"
	}
	return ""
}

// ParseKey reads a key for [Seal] as files and environment variables hold it: 32 raw bytes, or these as hex or base64
// (standard or URL alphabet, padded or not); white space around is left out. 32 bytes are taken for a raw key, whatever
// they look like. The error never shows the key.
func ParseKey(data []byte) ([]byte, error) {
	trimmed := bytes.TrimSpace(data)
	line := bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	for _, raw := range [][]byte{data, line, trimmed} {
		if len(raw) == sealKeySize {
			return bytes.Clone(raw), nil
		}
	}
	text := string(trimmed)
	if text == "" {
		return nil, errors.New("cache: the key is empty; generate one with `openssl rand -hex 32`")
	}
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString,
		base64.StdEncoding.DecodeString, base64.URLEncoding.DecodeString,
		base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(text); err == nil && len(key) == sealKeySize {
			return key, nil
		}
	}
	return nil, fmt.Errorf("cache: not a key: %d bytes that are neither a raw key of %d bytes nor one as hex or base64; generate one with `openssl rand -hex 32`",
		len(data), sealKeySize)
}
