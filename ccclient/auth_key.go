package ccclient

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ccclient/go-ccclient/internal/jws"
)

// PrivateKeyJWT signs an assertion for each attempt at a token request (private_key_jwt). The key is an RSA key of at
// least 2048 bits, an ECDSA key on P-256, P-384 or P-521, an Ed25519 key, or anything that signs like one: a key that
// never leaves a KMS or an HSM fits. [ParseKey] reads PEM and JWK. A key that is replaced while the program runs comes
// from [PrivateKeyJWTFrom].
func PrivateKeyJWT(key crypto.Signer, o AssertionOptions) Auth {
	m := keyMethod(o)
	k, err := inspect(Key{Signer: key}, o)
	if err != nil {
		m.fault = err
		return m
	}
	m.prove = func(_ context.Context, r Request) (Credentials, string, error) {
		c, err := k.prove(r)
		return c, "", err
	}
	return m
}

// PrivateKeyJWTFrom is [PrivateKeyJWT] with a key that may be replaced while the program runs: source is asked at each
// token request. What o leaves empty of KeyID, Algorithm and Certificate is taken from the key. An error fails the
// token request; a token that is still alive goes on being used.
func PrivateKeyJWTFrom(source KeySource, o AssertionOptions) Auth {
	m := keyMethod(o)
	if source == nil {
		m.fault = errors.New("no KeySource was given")
		return m
	}
	m.fault = o.lifetimeFault()
	ask := func(ctx context.Context) (k *inspected, state string, err error) {
		key, err := source(ctx)
		if err != nil {
			return nil, "", fmt.Errorf("private key: %w", err)
		}
		if k, err = inspect(key, o); err != nil {
			return nil, "", err
		}
		state, err = k.state()
		return k, state, err
	}
	m.current = func(ctx context.Context) (string, error) {
		_, state, err := ask(ctx)
		return state, err
	}
	m.prove = func(ctx context.Context, r Request) (Credentials, string, error) {
		k, state, err := ask(ctx)
		if err != nil {
			return Credentials{}, "", err
		}
		c, err := k.prove(r)
		return c, state, err
	}
	return m
}

func keyMethod(o AssertionOptions) *method {
	return newMethod(facts{
		name:       "private_key_jwt",
		listed:     []string{"private_key_jwt"},
		signs:      true,
		parameters: assertionParameters,
		remedy:     privateKeyRemedy,
		identity:   o.identity(),
	})
}

// An inspected key is known to be able to sign what its options ask for.
type inspected struct {
	pub     crypto.PublicKey
	fitting []string // the algorithms that fit it
	options AssertionOptions

	// sign has the key in its closure, out of reach of fmt.
	sign func(algorithm string, header map[string]any) (*jws.Signer, error)

	last atomic.Pointer[prepared]
}

// A prepared signer has its header encoded. What a request can change of that is the type and the algorithm, and of
// one client's requests none does, once discovery has spoken.
type prepared struct {
	algorithm string
	issuer    bool
	*jws.Signer
}

// inspect returns key ready to sign. Its error says what is wrong with key and o, alone or together.
func inspect(key Key, o AssertionOptions) (*inspected, error) {
	pub, err := jws.Public(key.Signer)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	fitting, err := jws.Algorithms(pub)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	o = o.over(key)
	if err := errors.Join(o.fault(fitting), o.certificateFault(pub)); err != nil {
		return nil, err
	}
	sign := func(algorithm string, header map[string]any) (*jws.Signer, error) {
		return jws.NewSigner(key.Signer, algorithm, header)
	}
	return &inspected{pub: pub, fitting: fitting, options: o, sign: sign}, nil
}

// over returns o with what it leaves open taken from the key.
func (o AssertionOptions) over(k Key) AssertionOptions {
	o.KeyID = cmp.Or(o.KeyID, k.ID)
	o.Algorithm = cmp.Or(o.Algorithm, k.Algorithm)
	o.Certificate = cmp.Or(o.Certificate, k.Certificate)
	return o
}

func (k *inspected) prove(r Request) (Credentials, error) {
	algorithm, err := k.options.algorithm(r, k.fitting)
	if err != nil {
		return Credentials{}, err
	}
	p := k.last.Load()
	if p == nil || p.algorithm != algorithm || p.issuer != (r.Issuer != "") {
		signer, err := k.sign(algorithm, k.options.header(r))
		if err != nil {
			return Credentials{}, err
		}
		p = &prepared{algorithm, r.Issuer != "", signer}
		k.last.Store(p)
	}
	return k.options.sign(r, p.Signer)
}

// state changes when a source has returned another key, or another name for it.
func (k *inspected) state() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.pub)
	if err != nil {
		return "", fmt.Errorf("private key: %w", err)
	}
	return fmt.Sprintf("%x %q", der, k.options.identity()), nil
}

// AuthByName returns the authentication method of that name, for programs that are told it by their configuration. The
// names are those registered with IANA, and client_secret_basic_unencoded for [ClientSecretBasicUnencoded]:
//
//	client_secret_basic, client_secret_basic_unencoded, client_secret_post   need s
//	client_secret_jwt                                                       needs s; heeds o
//	private_key_jwt                                                         needs k; heeds o
//	tls_client_auth, self_signed_tls_client_auth                            need a certificate in Config.TLS
//
// What a method does not need may be nil, and is not looked at. The error names what is missing, or what names there
// are.
func AuthByName(method string, s Secret, k KeySource, o AssertionOptions) (Auth, error) {
	a, err := authByName(method, s, k, o)
	if err != nil {
		return nil, fmt.Errorf("ccclient: %w", err)
	}
	return a, nil
}

func authByName(method string, s Secret, k KeySource, o AssertionOptions) (a Auth, err error) {
	needs := "a Secret"
	missing := s == nil
	switch method {
	case "client_secret_basic":
		a = ClientSecretBasic(s)
	case "client_secret_basic_unencoded":
		a = ClientSecretBasicUnencoded(s)
	case "client_secret_post":
		a = ClientSecretPost(s)
	case "client_secret_jwt":
		a = ClientSecretJWT(s, o)
	case "private_key_jwt":
		a, needs, missing = PrivateKeyJWTFrom(k, o), "a KeySource", k == nil
	case "tls_client_auth", "self_signed_tls_client_auth":
		a, missing = TLSClientAuth(), false
	case "":
		return nil, errors.New("no authentication method is named: " + methodNames)
	default:
		return nil, fmt.Errorf("unknown authentication method %.60q: %s", method, methodNames)
	}
	if missing {
		return nil, fmt.Errorf("authentication method %s needs %s, and there is none", method, needs)
	}
	if fault := factsOf(a).fault; fault != nil {
		return nil, fmt.Errorf("authentication method %s: %w", method, fault)
	}
	return a, nil
}

const methodNames = "use client_secret_basic, client_secret_basic_unencoded, client_secret_post, client_secret_jwt, " +
	"private_key_jwt, tls_client_auth or self_signed_tls_client_auth"
