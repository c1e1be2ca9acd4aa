// Package certfile keeps the client certificate of a program that has it in files, and reads these again while the
// program runs, so that a rotation needs no restart.
package certfile

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

const (
	// interval is how long the files are taken to be as they were read last.
	interval = time.Second

	// patience is how long a caller waits for the files while there is a certificate, and firstPatience while there is
	// none. A disk needs less; a network file system that hangs must hold up neither handshakes nor callers.
	patience      = 100 * time.Millisecond
	firstPatience = 2 * time.Second

	// maxSize bounds what is read of a file, in bytes.
	maxSize = 1 << 20
)

var errSlow = errors.New("the files are still being read")

// New returns what [tls.Config] calls GetClientCertificate: the certificate chain in the PEM file certificate, with the
// key in the PEM file key, which may be the same. Files are read when the func is called, once a second at most, and
// parsed when they have changed.
//
// While the files cannot be read, do not fit together (half of a rotation) or take long, the last good certificate is
// returned, until it expires. Without one that is an error, which names the file and repeats nothing of what is in it.
func New(certificate, key string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	p := &pair{
		name: certificate,
		read: func() (c, k []byte, err error) {
			if c, err = readFile(certificate); err != nil || key == certificate {
				return c, c, err
			}
			k, err = readFile(key)
			return c, k, err
		},
	}
	if key != certificate {
		p.name += " with " + key
	}
	return p.get
}

// A pair is the certificate and the key in files. One goroutine at a time reads them: it ends with the read, which
// nothing can cancel, and a caller that has waited long enough leaves it behind.
type pair struct {
	name string // of the files
	read func() (certificate, key []byte, err error)

	mu      sync.Mutex    // guards what follows; not held over I/O
	reading chan struct{} // closed when the read under way has ended; nil: none is
	due     time.Time     // when to read again
	print   [2 * sha256.Size]byte
	last    *tls.Certificate // the last that was good; nil: none yet
	err     error            // of the last read
}

// get returns the current certificate. Outside of a handshake info has no context.
func (p *pair) get(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	var cancelled <-chan struct{}
	if ctx := info.Context(); ctx != nil {
		cancelled = ctx.Done()
	}
	reading, wait := p.startReading()
	if reading != nil {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-reading:
		case <-timer.C:
		case <-cancelled:
			return nil, context.Cause(info.Context())
		}
	}
	return p.current()
}

// startReading has the files read, if that is due. It returns what is closed when the read has ended, and how long to
// wait for that; nil if there is nothing to wait for.
func (p *pair) startReading() (reading <-chan struct{}, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reading == nil && time.Now().Before(p.due) {
		return nil, 0
	}
	if p.reading == nil {
		p.reading = make(chan struct{})
		go p.reread()
	}
	if p.last == nil {
		return p.reading, firstPatience
	}
	return p.reading, patience
}

func (p *pair) reread() {
	certificate, key, err := p.read()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		err = p.parse(certificate, key)
	}
	p.err, p.due = err, time.Now().Add(interval)
	close(p.reading)
	p.reading = nil
}

// parse makes what is in the files the last good certificate, unless it is already. The caller holds p.mu.
func (p *pair) parse(certificate, key []byte) error {
	var print [2 * sha256.Size]byte
	sumC, sumK := sha256.Sum256(certificate), sha256.Sum256(key)
	copy(print[copy(print[:], sumC[:]):], sumK[:])
	if p.last != nil && print == p.print {
		return nil
	}
	parsed, err := tls.X509KeyPair(certificate, key)
	if err == nil && parsed.Leaf == nil { // GODEBUG=x509keypairleaf=0
		parsed.Leaf, err = x509.ParseCertificate(parsed.Certificate[0])
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.last, p.print = &parsed, print
	return nil
}

// current returns the last good certificate or, if there is none that is still good, why there is no other.
func (p *pair) current() (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.err
	if p.reading != nil {
		err = fmt.Errorf("%s: %w", p.name, errSlow)
	}
	if p.last == nil || err != nil && time.Now().After(p.last.Leaf.NotAfter) {
		return nil, fmt.Errorf("client certificate: %w", err)
	}
	return p.last, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(b) > maxSize {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxSize)
	}
	return b, err
}
