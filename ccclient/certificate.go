package ccclient

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often a certificate that may rotate is asked for while
// tokens are used and nothing else asks.
const lookEvery = time.Second

// A rotation costs a token and all connections. A source that gives another
// certificate at each call is therefore followed as often as settle says, after
// the first few times.
const (
	settle = time.Second
	atOnce = 4
)

// A certificate is the client certificate of the library's own connections, to
// which a server may bind tokens (RFC 8705, section 3). It may rotate: then its
// thumbprint, which is part of the cache key, changes.
type certificate struct {
	ask     func() string // for the thumbprint of the current one; empty: not to be had. Nil if it is static
	rotated func()        // called before the new thumbprint is seen; not for the first

	thumbprint atomic.Pointer[string] // of the one seen last
	epoch      time.Time              // monotonic times count from here
	due        atomic.Int64           // when to look again, since epoch

	mu      sync.Mutex // guards settled, and the storing of thumbprint
	settled time.Time  // when all rotations so far, one in each settle, would be over
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
	if get == nil && len(config.Certificates) == 0 {
		return nil, config
	}
	c := &certificate{epoch: time.Now()}
	none := ""
	c.thumbprint.Store(&none)
	if get != nil {
		c.ask = func() string { return current(get) }
		config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			// What get chooses may depend on who asks, so that alone is
			// no rotation; but it is the time to look for one.
			known := c.look()
			shown, err := get(info)
			if !known && err == nil && shown != nil {
				c.note(thumbprint(shown))
			}
			return shown, err
		}
		return c, config
	}
	all := ""
	for _, cert := range config.Certificates {
		all += thumbprint(&cert)
	}
	c.thumbprint.Store(&all)
	if len(config.Certificates) == 1 {
		// Left to choose, crypto/tls shows no certificate whose issuer is
		// none of the CAs that the server names: a self-signed one never is
		// (RFC 8705, section 2.2).
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &config.Certificates[0], nil
		}
	}
	return c, config
}

// current gives the thumbprint of the certificate that get gives now, empty if it
// gives none: whether that hurts, a handshake will tell. Outside of one a
// callback may also panic: the Context of what it is passed is nil there.
func current(get func(*tls.CertificateRequestInfo) (*tls.Certificate, error)) (now string) {
	defer func() {
		if recover() != nil {
			now = ""
		}
	}()
	cert, err := get(&tls.CertificateRequestInfo{
		Version: tls.VersionTLS13,
		SignatureSchemes: []tls.SignatureScheme{
			tls.ECDSAWithP256AndSHA256, tls.ECDSAWithP384AndSHA384, tls.ECDSAWithP521AndSHA512, tls.Ed25519,
			tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512, tls.PKCS1WithSHA256,
		},
	})
	if err != nil || cert == nil {
		return ""
	}
	return thumbprint(cert)
}

// rotates reports whether the certificate may change.
func (c *certificate) rotates() bool { return c != nil && c.ask != nil }

// seen gives the thumbprint that was current last; empty if none was seen yet.
func (c *certificate) seen() string { return *c.thumbprint.Load() }

// lately gives the thumbprint as it was a second ago at most. One caller at a
// time looks, the others go on with what was seen last.
func (c *certificate) lately() string {
	due := c.due.Load()
	if int64(time.Since(c.epoch)) >= due && c.due.CompareAndSwap(due, math.MaxInt64) {
		defer func() { c.due.Store(int64(time.Since(c.epoch) + lookEvery)) }()
		c.look()
	}
	return c.seen()
}

// look asks for the current certificate and notes it. It reports whether there
// was an answer.
func (c *certificate) look() bool {
	now := c.ask()
	if now != "" {
		c.note(now)
	}
	return now != ""
}

// note takes notice of the current certificate's thumbprint.
func (c *certificate) note(now string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch before := c.seen(); {
	case now == before:
		return
	case before != "":
		ahead := max(0, time.Until(c.settled))
		if ahead > (atOnce-1)*settle {
			return
		}
		c.settled = time.Now().Add(ahead + settle)
		c.rotated()
	}
	c.thumbprint.Store(&now)
}

// thumbprint is x5t#S256 (RFC 8705, section 3.1).
func thumbprint(cert *tls.Certificate) string {
	if len(cert.Certificate) == 0 {
		return ""
	}
	sum := sha256.Sum256(cert.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
