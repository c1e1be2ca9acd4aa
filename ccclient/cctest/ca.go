package cctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"
)

// A CA is a certificate authority in memory, made by NewCA, for servers and clients of tests.
type CA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewCA returns an authority with a new key, valid for a day around now.
func NewCA() *CA {
	template := newTemplate("cctest CA")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	c, err := sign(template, nil)
	if err != nil { // the template is ours, and is good
		panic("cctest: " + err.Error())
	}
	return &CA{certificate: c.Leaf, key: c.PrivateKey.(*ecdsa.PrivateKey)}
}

// Certificate returns the authority's own certificate.
func (ca *CA) Certificate() *x509.Certificate { return ca.certificate }

// Pool returns a pool of the authority's certificate alone: RootCAs of those who trust its servers, ClientCAs of
// those who trust its clients.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	if ca.certificate != nil { // a zero CA has none
		pool.AddCert(ca.certificate)
	}
	return pool
}

// Issue returns a key and a certificate for a server or a client: a common name, and subject alternative names, each
// an IP address, a URI, an e-mail address or, if none of these, a DNS name. It is an error if the names do not fit
// into a certificate.
func (ca *CA) Issue(commonName string, alternatives ...string) (tls.Certificate, error) {
	if ca.certificate == nil {
		return tls.Certificate{}, errors.New("cctest: a CA is made by NewCA")
	}
	template, err := newLeaf(commonName, alternatives)
	if err != nil {
		return tls.Certificate{}, err
	}
	return sign(template, ca)
}

// SelfSigned returns a key and a certificate that nobody vouches for, for self_signed_tls_client_auth; its names are
// like those of Issue.
func SelfSigned(commonName string, alternatives ...string) (tls.Certificate, error) {
	template, err := newLeaf(commonName, alternatives)
	if err != nil {
		return tls.Certificate{}, err
	}
	return sign(template, nil)
}

// Format prints the authority's type alone, for every verb: it holds a key.
func (ca *CA) Format(f fmt.State, _ rune) { fmt.Fprint(f, "cctest.CA") }

func newTemplate(commonName string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:16])),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-12 * time.Hour),
		NotAfter:     now.Add(12 * time.Hour),
	}
}

func newLeaf(commonName string, alternatives []string) (*x509.Certificate, error) {
	template := newTemplate(commonName)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, name := range alternatives {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if strings.Contains(name, "://") {
			u, err := url.Parse(name)
			if err != nil {
				return nil, fmt.Errorf("cctest: subject alternative name: %w", err)
			}
			template.URIs = append(template.URIs, u)
		} else if strings.Contains(name, "@") {
			template.EmailAddresses = append(template.EmailAddresses, name)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	return template, nil
}

// sign makes a key and has the authority sign for it; nil: the key itself.
func sign(template *x509.Certificate, ca *CA) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cctest: %w", err)
	}
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.certificate, ca.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cctest: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cctest: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
