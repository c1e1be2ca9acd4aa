package certfile

import (
	"crypto/x509"
	"fmt"
	"io"
	"os"
)

// maxCAFile bounds what is read of a CA file, in bytes: a system's bundle has less than a tenth.
const maxCAFile = 4 << 20

// Pool returns the certificates in the PEM file at path. Its errors name the file, and repeat nothing of what is in it.
func Pool(path string) (*x509.CertPool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: it is to name a PEM file of certificates", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	switch pool := x509.NewCertPool(); {
	case err != nil:
		return nil, fmt.Errorf("%w: it is to name a PEM file of certificates", err)
	case len(b) > maxCAFile:
		return nil, fmt.Errorf("%s is larger than %d bytes: it is to name a PEM file of certificates", path, maxCAFile)
	case !pool.AppendCertsFromPEM(b):
		return nil, fmt.Errorf("%s has no certificate in it: it is to name a PEM file of certificates", path)
	default:
		return pool, nil
	}
}
