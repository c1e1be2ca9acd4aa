package privatekey

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// parsePEM finds the one private key among the blocks, and its certificate, which may stand before or after it. Other
// certificates, such as those of a chain, are passed over, as are those that cannot be read.
func parsePEM(data []byte) (Key, error) {
	var key Key
	var certs []*x509.Certificate
	var others []string
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			others = append(others, block.Type)
			if block.Type != "CERTIFICATE" {
				continue
			}
			if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
				certs = append(certs, cert)
			}
			continue
		}
		if key.Signer != nil {
			return Key{}, errors.New("several private keys: leave the one to use")
		}
		signer, err := parseBlock(block)
		if err != nil {
			return Key{}, err
		}
		key.Signer = signer
	}
	if key.Signer == nil {
		return Key{}, errNoPrivateKey(others)
	}
	if i := slices.IndexFunc(certs, func(c *x509.Certificate) bool { return belongs(c, key.Signer.Public()) }); i >= 0 {
		key.Certificate = certs[i]
	}
	return key, nil
}

// belongs reports whether cert certifies pub.
func belongs(cert *x509.Certificate, pub crypto.PublicKey) bool {
	k, ok := pub.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(cert.PublicKey)
}

// errNoPrivateKey returns the error for PEM whose blocks, of the types found, hold no private key.
func errNoPrivateKey(found []string) error {
	for _, name := range found {
		switch name {
		case "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
			return errors.New("a certificate, not a private key")
		case "PUBLIC KEY", "RSA PUBLIC KEY":
			return errors.New("a public key, not a private one")
		case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
			return errors.New("a certificate request, not a private key")
		}
	}
	if len(found) == 0 {
		return errors.New("a PEM block that cannot be read: cut short, or its line breaks lost?")
	}
	return errors.New("PEM without a private key")
}

// parseBlock reads one block whose type ends in PRIVATE KEY.
func parseBlock(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("encrypted: decrypt it first: openssl pkcs8 -topk8 -nocrypt -in FILE -out NEWFILE")
	}
	switch block.Type {
	case "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, pkcs8Fault(block.Bytes)
		}
		if signer, ok := key.(crypto.Signer); ok {
			return signer, nil
		}
		return nil, errors.New("a key for key agreement, which cannot sign: use RSA, ECDSA or Ed25519")
	case "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("damaged, or too weak: not a PKCS #1 key")
		}
		return key, nil
	case "EC PRIVATE KEY":
		key, err := x509.ParseECPrivateKey(block.Bytes)
		if err != nil {
			return nil, sec1Fault(block.Bytes)
		}
		return key, nil
	case "OPENSSH PRIVATE KEY":
		return nil, errors.New("in OpenSSH's own format: ssh-keygen -p -N '' -m PKCS8 -f FILE rewrites it")
	}
	return nil, fmt.Errorf("%.40q is not supported: use RSA, ECDSA or Ed25519", block.Type)
}

var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}
)

// pkcs8Fault returns why a PKCS #8 key (RFC 5208, section 5) could not be parsed, by its algorithm identifier, which
// holds nothing secret. The errors of crypto/x509 are not passed on: nothing is promised of what they repeat.
func pkcs8Fault(der []byte) error {
	var outer struct {
		Version   int
		Algorithm struct {
			OID        asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		PrivateKey []byte
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return errors.New("damaged: not a PKCS #8 key")
	}
	switch oid := outer.Algorithm.OID; {
	case oid.Equal(oidEC):
		var curve asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(outer.Algorithm.Parameters.FullBytes, &curve); err != nil {
			curve = nil
		}
		return curveFault(curve)
	case oid.Equal(oidRSA):
		return errors.New("damaged, or too weak: not an RSA key")
	case oid.Equal(oidEd25519):
		return errors.New("damaged: not an Ed25519 key")
	default:
		return fmt.Errorf("a key of the algorithm %.80s: use RSA, ECDSA or Ed25519", oid)
	}
}

// sec1Fault returns why a SEC 1 key (RFC 5915, section 3) could not be parsed.
func sec1Fault(der []byte) error {
	var outer struct {
		Version    int
		PrivateKey []byte
		Curve      asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return errors.New("damaged: not a SEC 1 key")
	}
	return curveFault(outer.Curve)
}

// curveFault returns what is wrong with an ECDSA key on this curve; on none, if its parameters are spelled out where
// the curve's name should be.
func curveFault(curve asn1.ObjectIdentifier) error {
	if len(curve) == 0 {
		return errors.New("an ECDSA key whose curve has no name: use P-256, P-384 or P-521")
	}
	// P-256, P-384 and P-521.
	supported := []asn1.ObjectIdentifier{{1, 2, 840, 10045, 3, 1, 7}, {1, 3, 132, 0, 34}, {1, 3, 132, 0, 35}}
	if slices.ContainsFunc(supported, curve.Equal) {
		return errors.New("damaged: not an ECDSA key")
	}
	return fmt.Errorf("an ECDSA key on the curve %.80s: use P-256, P-384 or P-521", curve)
}
