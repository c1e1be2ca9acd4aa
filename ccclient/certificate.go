package ccclient

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
)

// A certificate is the client certificate of the library's own connections, to
// which a server may bind tokens (RFC 8705, section 3). It may rotate: then its
// thumbprint, which is part of the cache key, changes.
type certificate struct {
	ask     func() (*tls.Certificate, error) // nil if it is static
	rotated func()                           // not called for the first

	mu         sync.Mutex // guards thumbprint
	thumbprint string     // empty: none seen yet
}

// newCertificate gives nil if config has no client certificate, and the
// configuration of the connections, which look for a rotation at each
// handshake.
func newCertificate(config *tls.Config) (*certificate, *tls.Config) {
	if config == nil {
		return nil, nil
	}
	config = config.Clone()
	get := config.GetClientCertificate
	if get == nil {
		if len(config.Certificates) == 0 {
			return nil, config
		}
		c := &certificate{}
		for _, cert := range config.Certificates {
			c.thumbprint += thumbprint(&cert)
		}
		if len(config.Certificates) == 1 {
			// Left to choose, crypto/tls shows no certificate whose
			// issuer is none of the CAs that the server names: a
			// self-signed one never is (RFC 8705, section 2.2).
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &config.Certificates[0], nil
			}
		}
		return c, config
	}
	c := &certificate{}
	c.ask = func() (*tls.Certificate, error) {
		cert, err := get(&tls.CertificateRequestInfo{
			Version: tls.VersionTLS13,
			SignatureSchemes: []tls.SignatureScheme{
				tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512, tls.Ed25519,
				tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512, tls.PKCS1WithSHA256,
			},
		})
		if err == nil && cert == nil {
			err = errors.New("GetClientCertificate gave nil")
		}
		return cert, err
	}
	config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		// What get chooses may depend on who asks, so that alone is no
		// rotation; but it is the time to look for one.
		c.current()
		return get(info)
	}
	return c, config
}

// rotates reports whether the certificate may change.
func (c *certificate) rotates() bool { return c != nil && c.ask != nil }

// current gives the thumbprint of the certificate that is shown now, and tells
// if it is another one than before.
func (c *certificate) current() (string, error) {
	cert, err := c.ask()
	if err != nil {
		return "", fmt.Errorf("client certificate of Config.TLS: %w", err)
	}
	now := thumbprint(cert)
	if now == "" {
		return "", errors.New("client certificate of Config.TLS: GetClientCertificate gave an empty one")
	}
	c.mu.Lock()
	before := c.thumbprint
	c.thumbprint = now
	c.mu.Unlock()
	if before != "" && before != now {
		c.rotated()
	}
	return now, nil
}

// seen gives the thumbprint that was current last.
func (c *certificate) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.thumbprint
}

// thumbprint is x5t#S256 (RFC 8705, section 3.1).
func thumbprint(cert *tls.Certificate) string {
	if len(cert.Certificate) == 0 {
		return ""
	}
	sum := sha256.Sum256(cert.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
