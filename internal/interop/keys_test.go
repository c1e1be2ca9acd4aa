package interop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Keys and certificates of one run. The servers get the public halves.
var (
	rsaKey     = must(rsa.GenerateKey(rand.Reader, 2048))
	ecKey      = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edKey   = must2(ed25519.GenerateKey(rand.Reader))
	dpopECKey  = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, dpopEd  = must2(ed25519.GenerateKey(rand.Reader))
	dpopRSAKey = must(rsa.GenerateKey(rand.Reader, 2048))

	ca         = issue("interop test CA", nil)
	serverCert = issue("127.0.0.1", ca)
	clientCert = issue(clientDNSName, ca)
	selfSigned = issue("self-signed.client.example", nil)
)

const clientDNSName = "pki.client.example"

// issue makes a certificate that is valid for an hour to come, signed by parent or,
// where that is nil, by itself.
func issue(name string, parent *tls.Certificate) *tls.Certificate {
	return issueUntil(name, parent, time.Now().Add(time.Hour))
}

func issueUntil(name string, parent *tls.Certificate, end time.Time) *tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber:          must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             end.Add(-2 * time.Hour),
		NotAfter:              end,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	issuer, signer := template, crypto.Signer(key)
	if parent != nil {
		issuer, signer = parent.Leaf, parent.PrivateKey.(crypto.Signer)
	} else {
		template.IsCA = true
		template.KeyUsage |= x509.KeyUsageCertSign
	}
	der := must(x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer))
	return &tls.Certificate{
		Certificate: [][]byte{der},
		PrivateKey:  key,
		Leaf:        must(x509.ParseCertificate(der)),
	}
}

// clientTLS trusts the test CA and shows the given certificates.
func clientTLS(certs ...*tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	c := &tls.Config{RootCAs: roots}
	for _, cert := range certs {
		c.Certificates = append(c.Certificates, *cert)
	}
	return c
}

func certPEM(c *tls.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
}

func keyPEM(c *tls.Certificate) string {
	der := must(x509.MarshalPKCS8PrivateKey(c.PrivateKey))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func jwks(keys ...jose.JSONWebKey) *jose.JSONWebKeySet {
	return &jose.JSONWebKeySet{Keys: keys}
}

func jwk(key crypto.Signer, kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: kid, Use: "sig"}
}

func certJWK(c *tls.Certificate) jose.JSONWebKey {
	thumbprint := sha256.Sum256(c.Leaf.Raw)
	return jose.JSONWebKey{
		Key:                         c.Leaf.PublicKey,
		Certificates:                []*x509.Certificate{c.Leaf},
		CertificateThumbprintSHA256: thumbprint[:],
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}
