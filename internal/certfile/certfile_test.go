package certfile_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
	"github.com/ccclient/go-ccclient/internal/certfile"
)

// A rotating certificate is one in files of a test's own.
type rotating struct {
	t                *testing.T
	certificate, key string
}

func newRotating(t *testing.T) rotating {
	dir := t.TempDir()
	return rotating{t, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
}

// issue returns a certificate for name and its key, in PEM.
func issue(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	c, err := cctest.SelfSigned(name)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func (r rotating) write(path string, text []byte) {
	r.t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// put writes a certificate for name and its key.
func (r rotating) put(name string) {
	c, k := issue(r.t, name)
	r.write(r.certificate, c)
	r.write(r.key, k)
}

// name returns whom the certificate is for, or the error.
func name(get func(*tls.CertificateRequestInfo) (*tls.Certificate, error)) string {
	c, err := get(new(tls.CertificateRequestInfo))
	if err != nil {
		return err.Error()
	}
	return c.Leaf.Subject.CommonName
}

func TestCertificateIsReadAgainWhenItsFilesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRotating(t)
		r.put("first")
		get := certfile.New(r.certificate, r.key)
		if got := name(get); got != "first" {
			t.Fatal(got)
		}
		r.put("second")
		if got := name(get); got != "first" {
			t.Errorf("it was read again within a second: %s", got)
		}
		time.Sleep(time.Second)
		if got := name(get); got != "second" {
			t.Error(got)
		}
		a, _ := get(new(tls.CertificateRequestInfo))
		time.Sleep(time.Second)
		if b, _ := get(new(tls.CertificateRequestInfo)); a != b {
			t.Error("it was parsed though nothing had changed")
		}
	})
}

func TestCertificateAndKeyMayShareOneFile(t *testing.T) {
	r := newRotating(t)
	c, k := issue(t, "both")
	r.write(r.certificate, append(k, c...))
	if got := name(certfile.New(r.certificate, r.certificate)); got != "both" {
		t.Error(got)
	}
}

func TestLastGoodCertificateServesHalfwayThroughRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRotating(t)
		r.put("first")
		get := certfile.New(r.certificate, r.key)
		if got := name(get); got != "first" {
			t.Fatal(got)
		}
		c, k := issue(t, "second")
		r.write(r.certificate, c) // the key is still the first's
		time.Sleep(time.Second)
		if got := name(get); got != "first" {
			t.Error(got)
		}
		time.Sleep(24 * time.Hour) // until the first has expired
		got, want := name(get), "client certificate: "+r.certificate+" with "+r.key+": tls: private key does not match"
		if !strings.HasPrefix(got, want) {
			t.Error(got)
		}
		r.write(r.key, k)
		time.Sleep(time.Second)
		if got := name(get); got != "second" {
			t.Error(got)
		}
	})
}

func TestCertificateThatCannotBeHadNamesItsFile(t *testing.T) {
	good := newRotating(t)
	good.put("good")
	bad := newRotating(t)
	bad.write(bad.certificate, []byte("canary"))
	large := newRotating(t)
	large.write(large.certificate, make([]byte, 1<<20+1))
	missing := newRotating(t)
	for _, c := range []struct{ certificate, key, want string }{
		{missing.certificate, good.key, "client certificate: open " + missing.certificate + ": "},
		{good.certificate, missing.key, "client certificate: open " + missing.key + ": "},
		{bad.certificate, good.key, "client certificate: " + bad.certificate + " with " + good.key + ": tls: "},
		{bad.certificate, bad.certificate, "client certificate: " + bad.certificate + ": tls: "},
		{good.certificate, good.certificate, "client certificate: " + good.certificate + ": tls: "},
		{large.certificate, good.key, "client certificate: " + large.certificate + ": larger than 1048576 bytes"},
	} {
		got := name(certfile.New(c.certificate, c.key))
		if !strings.HasPrefix(got, c.want) || strings.Contains(got, "canary") {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
