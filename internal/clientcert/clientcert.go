// Package clientcert follows the client certificate of the library's own connections, to which a server may bind tokens
// (RFC 8705, section 3), while it rotates.
package clientcert

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// checkInterval is how often a certificate that may rotate is asked for while tokens are used and nothing else asks.
const checkInterval = time.Second

// A rotation costs a token and all connections, so a source that returns another certificate at each call must not be
// followed each time: there may be one rotation in each rotationInterval, and of those not made before up to
// RotationBurst at once.
const (
	rotationInterval = time.Second
	RotationBurst    = 4
)

// checkPatience is how long a caller whose own context leaves it more time waits for the source of a certificate
// before it goes on with what was observed last.
const checkPatience = time.Second

// A Certificate is a client certificate of the connections, known by its thumbprint. It may rotate: then the thumbprint
// changes. It is safe for concurrent use, and holds no key.
//
// The source of one that rotates is the user's, and may hang: it is asked by one goroutine at a time, which Close
// joins, and with no mutex held.
type Certificate struct {
	ask     func() string // returns the thumbprint of the current one; empty: not to be had. Nil if it is static
	rotated func()        // called before the new thumbprint is seen; not for the first
	watched bool          // whenever it is asked for, that is noted
	shown   atomic.Pointer[Shown]

	thumbprint atomic.Pointer[string] // of the certificate observed last
	epoch      time.Time              // monotonic times count from here
	due        atomic.Int64           // when to check again, since epoch

	mu      sync.Mutex // guards what follows, and the storing of thumbprint
	check   *check     // under way; nil: none
	closed  bool       // there are no more checks
	telling bool       // somebody is telling of a rotation
	repaid  time.Time  // when all rotations so far, one in each rotationInterval, would be over
}

// A check is one question to the source.
type check struct {
	done     chan struct{} // closed at the end
	answered bool          // set before
}

// New returns the client certificate of config and the configuration for the connections, a copy that checks for a
// rotation at each handshake. The certificate is nil if config has none. It may rotate if it comes from
// GetClientCertificate; rotated is then called before a new thumbprint is seen, one call at a time.
func New(config *tls.Config, rotated func()) (*Certificate, *tls.Config) {
	if config == nil {
		return nil, nil
	}
	config = config.Clone()
	get := config.GetClientCertificate
	if get == nil && len(config.Certificates) == 0 {
		return nil, config
	}
	c := &Certificate{rotated: rotated, epoch: time.Now()}
	none := ""
	c.thumbprint.Store(&none)
	if get != nil {
		c.watched = true
		c.ask = func() string { return current(get) }
		config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			// What get chooses may depend on who asks, so that alone is no rotation; but it is the time to check for
			// one.
			known := c.Check(contextOf(info))
			shown, err := get(info)
			c.noteAsked(info, shown)
			if !known && err == nil && shown != nil {
				c.observe(thumbprint(shown))
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
		// Left to choose, crypto/tls shows no certificate whose issuer is none of the CAs that the server names: a
		// self-signed one never is (RFC 8705, section 2.2).
		only := config.Certificates[0]
		c.watched = true
		c.shown.Store(ShownOf(&only))
		config.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			c.noteAsked(info, nil)
			return &only, nil
		}
	}
	return c, config
}

// Rotates reports whether the certificate may change. A nil one does not.
func (c *Certificate) Rotates() bool { return c != nil && c.ask != nil }

// Last returns the thumbprint that was current when the certificate was last observed; empty if it never was.
func (c *Certificate) Last() string { return *c.thumbprint.Load() }

// Recent returns the thumbprint as it was a second ago at most, or as it was observed last if ctx ends, or
// checkPatience is over, before the source answers. One caller at a time waits for a check, while the others go on
// with what was observed last. It is for a certificate that rotates.
func (c *Certificate) Recent(ctx context.Context) string {
	due := c.due.Load()
	if int64(time.Since(c.epoch)) >= due && c.due.CompareAndSwap(due, math.MaxInt64) {
		// The check that ends sets the next one.
		if ch := c.startCheck(); ch != nil {
			patience := time.NewTimer(checkPatience)
			defer patience.Stop()
			select {
			case <-ch.done:
			case <-patience.C:
			case <-ctx.Done():
			}
		}
	}
	return c.Last()
}

// Check asks for the current certificate and observes it; a check that is under way already will do. It reports whether
// there was an answer before ctx ended. It is for a certificate that rotates.
func (c *Certificate) Check(ctx context.Context) bool {
	ch := c.startCheck()
	if ch == nil {
		return false
	}
	select {
	case <-ch.done:
		return ch.answered
	case <-ctx.Done():
		return false
	}
}

// startCheck returns the check that is under way, or starts one; nil after Close.
func (c *Certificate) startCheck() *check {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.check != nil || c.closed {
		return c.check
	}
	ch := &check{done: make(chan struct{})}
	c.check = ch
	go c.run(ch)
	return ch
}

func (c *Certificate) run(ch *check) {
	defer func() { // also if the source ends its goroutine
		c.mu.Lock()
		c.check = nil
		c.mu.Unlock()
		c.due.Store(int64(time.Since(c.epoch) + checkInterval))
		close(ch.done)
	}()
	if latest := c.ask(); latest != "" {
		c.observe(latest)
		ch.answered = true
	}
}

// Close ends the checks. It waits for the one that is under way, until ctx ends. A nil Certificate has none.
func (c *Certificate) Close(ctx context.Context) {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	ch := c.check
	c.mu.Unlock()
	if ch != nil {
		select {
		case <-ch.done:
		case <-ctx.Done():
		}
	}
}

// observe makes latest the thumbprint, unless there were too many rotations lately, or one is being told of.
func (c *Certificate) observe(latest string) {
	rotates, observed := c.claim(latest)
	if observed {
		return
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.telling = false
		c.thumbprint.Store(&latest)
	}()
	if rotates {
		defer func() { recover() }() // The idle connections of somebody else may not be worth a crash.
		c.rotated()
	}
}

// claim reports whether latest has been dealt with, or else whether it is a rotation that the caller has to tell of.
func (c *Certificate) claim(latest string) (rotates, observed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.Last()
	if latest == last || c.telling {
		return false, true
	}
	if last != "" {
		ahead := max(0, time.Until(c.repaid))
		if ahead > (RotationBurst-1)*rotationInterval {
			return false, true
		}
		c.repaid = time.Now().Add(ahead + rotationInterval)
	}
	c.telling = true
	return last != "", false
}

// contextOf returns the context of a handshake; a callback may be called outside of one.
func contextOf(info *tls.CertificateRequestInfo) context.Context {
	if ctx := info.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// current returns the thumbprint of the certificate that get returns now, empty if it returns none: whether that hurts,
// a handshake will tell. Outside of one a callback may also panic: the Context of what it is passed is nil there.
func current(get func(*tls.CertificateRequestInfo) (*tls.Certificate, error)) (print string) {
	defer func() {
		if recover() != nil {
			print = ""
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

// thumbprint returns x5t#S256 (RFC 8705, section 3.1), empty for an empty certificate.
func thumbprint(cert *tls.Certificate) string {
	if len(cert.Certificate) == 0 {
		return ""
	}
	sum := sha256.Sum256(cert.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
