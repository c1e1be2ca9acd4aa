package ccclient

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ccclient/go-ccclient/internal/jws"
)

// PrivateKeyJWT signs an assertion for each attempt at a token request
// (private_key_jwt). The key is an RSA key of at least 2048 bits, an ECDSA key
// on P-256, P-384 or P-521, an Ed25519 key, or anything that signs like one: a
// key that never leaves a KMS or an HSM fits. [ParsePrivateKey] reads PEM and
// JWK. A key that is replaced while the program runs comes from
// [PrivateKeyJWTFrom].
func PrivateKeyJWT(key crypto.Signer, o AssertionOptions) Auth {
	m := &method{name: "private_key_jwt", identity: o.identity()}
	// What a request can change is the type and the algorithm, and of one
	// client's requests none does, once discovery has spoken: so the header
	// is encoded once.
	type prepared struct {
		algorithm string
		issuer    bool
		*jws.Signer
	}
	var last atomic.Pointer[prepared]
	_, fitting, err := inspect(key, o)
	if err != nil {
		m.fault = err
		return m
	}
	m.authenticate = func(_ context.Context, r *Request) error {
		algorithm, err := o.algorithm(r, fitting)
		if err != nil {
			return err
		}
		p := last.Load()
		if p == nil || p.algorithm != algorithm || p.issuer != (r.Issuer != "") {
			signer, err := jws.NewSigner(key, algorithm, o.header(r))
			if err != nil {
				return err
			}
			p = &prepared{algorithm, r.Issuer != "", signer}
			last.Store(p)
		}
		return signAssertion(r, o, p.Signer)
	}
	return m
}

// A KeySource gives a client's current private key, and the options that go
// with it: those that name the key (KeyID, Certificate) change when it does. It
// is asked at each token request, must be safe for concurrent use and should
// heed ctx. [ParsedKey] makes one of a file, an environment variable or a vault.
type KeySource func(ctx context.Context) (crypto.Signer, AssertionOptions, error)

// PrivateKeyJWTFrom is [PrivateKeyJWT] with a key that may be replaced while
// the program runs: source is asked at each token request. An error fails the
// token request; a token that is still alive goes on being used.
func PrivateKeyJWTFrom(source KeySource) Auth {
	m := &method{name: "private_key_jwt"}
	if source == nil {
		m.fault = errors.New("PrivateKeyJWTFrom: no KeySource was given")
		return m
	}
	m.current = func(ctx context.Context) (string, error) {
		key, o, err := source(ctx)
		if err != nil {
			return "", err
		}
		pub, _, err := inspect(key, o)
		if err != nil {
			return "", err
		}
		return keyState(pub, o)
	}
	m.authenticate = func(ctx context.Context, r *Request) error {
		key, o, err := source(ctx)
		if err != nil {
			return fmt.Errorf("private key: %w", err)
		}
		pub, fitting, err := inspect(key, o)
		if err != nil {
			return err
		}
		state, err := keyState(pub, o)
		if err != nil {
			return err
		}
		r.used(state)
		algorithm, err := o.algorithm(r, fitting)
		if err != nil {
			return err
		}
		signer, err := jws.NewSigner(key, algorithm, o.header(r))
		if err != nil {
			return err
		}
		return signAssertion(r, o, signer)
	}
	return m
}

// inspect gives the public half of key and the algorithms that fit it, or says
// what is wrong with key and o, alone or together.
func inspect(key crypto.Signer, o AssertionOptions) (pub crypto.PublicKey, fitting []string, err error) {
	if pub, err = jws.Public(key); err == nil {
		fitting, err = jws.Algorithms(pub)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("private key: %w", err)
	}
	return pub, fitting, errors.Join(o.fault(fitting), o.certificateFault(pub))
}

// keyState changes when a source has given another key, or another name for it.
func keyState(pub crypto.PublicKey, o AssertionOptions) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("private key: %w", err)
	}
	return fmt.Sprintf("%x %q", der, o.identity()), nil
}

func signAssertion(r *Request, o AssertionOptions, s *jws.Signer) error {
	payload, err := o.payload(r)
	if err != nil {
		return err
	}
	assertion, err := s.Sign(payload)
	if err != nil {
		return err
	}
	r.setAssertion(assertionJWT, assertion)
	return nil
}
