package clientcert

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// Shown is what there is to say of a certificate to whom it may have been refused: nothing that identifies it.
type Shown struct {
	NotBefore, NotAfter time.Time
	SelfSigned          bool // it names itself as its issuer
	Chain               int  // how many certificates are sent, itself included
}

// ShownOf returns what there is to say of cert, nil if that is no certificate.
func ShownOf(cert *tls.Certificate) *Shown {
	if cert == nil || len(cert.Certificate) == 0 {
		return nil
	}
	leaf := cert.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil
		}
	}
	return &Shown{
		NotBefore:  leaf.NotBefore,
		NotAfter:   leaf.NotAfter,
		SelfSigned: bytes.Equal(leaf.RawIssuer, leaf.RawSubject),
		Chain:      len(cert.Certificate),
	}
}

// Shown returns what there is to say of the certificate that was shown last, or that is the only one; nil if that is
// not known. A nil Certificate shows none.
func (c *Certificate) Shown() *Shown {
	if c == nil {
		return nil
	}
	return c.shown.Load()
}

// A Handshake is what is known of the TLS handshake that one request needed, if it did need one.
type Handshake struct{ asked, done atomic.Bool }

type handshakeKey struct{}

// Watch returns a context for one request, and what becomes known of its handshake. Without a certificate, or with
// several of which crypto/tls chooses, nothing does, and the Handshake is nil.
func (c *Certificate) Watch(ctx context.Context) (context.Context, *Handshake) {
	if c == nil || !c.watched {
		return ctx, nil
	}
	h := new(Handshake)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeDone: func(cs tls.ConnectionState, err error) {
			if err == nil && !cs.DidResume { // a resumed session asks for nothing
				h.done.Store(true)
			}
		},
	})
	return context.WithValue(ctx, handshakeKey{}, h), h
}

// Asked reports whether the server asked for a client certificate, and whether that is known: it is not if the request
// went over a connection that there was.
func (h *Handshake) Asked() (asked, known bool) {
	if h == nil {
		return false, false
	}
	asked = h.asked.Load()
	return asked, asked || h.done.Load()
}

// noteAsked notes that the server of a handshake asked for a certificate, and what it was shown.
func (c *Certificate) noteAsked(info *tls.CertificateRequestInfo, shown *tls.Certificate) {
	if ctx := info.Context(); ctx != nil {
		if h, ok := ctx.Value(handshakeKey{}).(*Handshake); ok {
			h.asked.Store(true)
		}
	}
	if s := ShownOf(shown); s != nil {
		c.shown.Store(s)
	}
}
