package ccclient

import (
	"errors"
	"fmt"
)

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
