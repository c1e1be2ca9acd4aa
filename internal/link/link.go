// Package link says of an error that came in place of an answer what it means: whether time will mend it, and what a
// person is to mend.
package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/tlsport"
)

// A Link is what is known of the connections that everything goes through: where they are configured, and how their TLS
// handshakes went.
type Link struct {
	tls         string                  // where TLS is configured
	replaced    bool                    // RootCAs is set there
	proxies     string                  // where proxies are configured
	certificate *clientcert.Certificate // that is shown, by connections of the library's own; nil: none
	shown       *clientcert.Shown       // of the certificate in HTTPClient; nil: none is seen there

	asked atomic.Pointer[asking] // whether the token endpoint asks for a certificate; nil: not known
}

// An asking says whether the server at a host asked for a client certificate in the last handshake with it.
type asking struct {
	host string
	did  bool
}

// New returns the link of a configuration: connections of the library's own with config, which show certificate, or
// those of client. All may be nil.
func New(config *tls.Config, client *http.Client, certificate *clientcert.Certificate) *Link {
	l := &Link{tls: "Config.TLS", proxies: "HTTPS_PROXY and NO_PROXY", certificate: certificate}
	if client != nil {
		l.tls, l.proxies = "the TLSClientConfig of HTTPClient's Transport", "the Proxy of HTTPClient's Transport"
		if t, ok := client.Transport.(*http.Transport); ok && t != nil {
			config = t.TLSClientConfig
		}
		if config != nil && len(config.Certificates) == 1 && config.GetClientCertificate == nil {
			l.shown = clientcert.ShownOf(&config.Certificates[0])
		}
	}
	l.replaced = config != nil && config.RootCAs != nil
	return l
}

// Watch returns a context for one request, and what becomes known of its handshake.
func (l *Link) Watch(ctx context.Context) (context.Context, *clientcert.Handshake) {
	return l.certificate.Watch(ctx)
}

// Note keeps what a request to host has shown of its handshake.
func (l *Link) Note(host string, h *clientcert.Handshake) {
	if did, known := h.Asked(); known {
		l.asked.Store(&asking{host, did})
	}
}

// neverAsked reports whether the server at host is known not to ask for a client certificate.
func (l *Link) neverAsked(host string) bool {
	last := l.asked.Load()
	return last != nil && last.host == host && !last.did
}

// certificateShown returns what there is to say of the client certificate, nil if there is none or nothing is known.
func (l *Link) certificateShown() *clientcert.Shown {
	return cmp.Or(l.certificate.Shown(), l.shown)
}

// A Request is what there is to know of a request that got no answer.
type Request struct {
	Setting string // where its URL comes from; empty: it is the caller's
	Plain   bool   // it went over plain HTTP
	Asked   bool   // its server had asked for a client certificate
}

// Judge returns what another attempt may bring after err, for which r got no answer, and what to do about it: the zero
// Outlook and no hint if nothing is known.
func (l *Link) Judge(err error, r Request) (o outlook.Outlook, hint string) {
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	_, otherHost := errors.AsType[x509.HostnameError](err)
	unknownHost, _ := errors.AsType[*net.DNSError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	refusal := connections.ProxyRefusalIn(err)
	alert := alertIn(err)
	switch {
	case refusal != nil:
		return l.ProxyRefused(refusal)
	case unknownAuthority:
		return outlook.Settled, l.unknownCA()
	case isInvalid && invalid.Reason == x509.Expired:
		return outlook.Settled, "the server's certificate has to be renewed, or this machine's clock is wrong"
	case otherHost:
		return outlook.Settled, "check the host in " + cmp.Or(r.Setting, "the URL") +
			", or have the server show a certificate for it"
	case unverified, isInvalid:
		return outlook.Settled, ""
	case errors.Is(err, http.ErrSchemeMismatch):
		return outlook.Settled, "the port does not speak TLS: check the scheme of " + cmp.Or(r.Setting, "the URL")
	case tlsport.Alerts(err), errors.Is(err, tlsport.Err):
		return outlook.Settled, "the port speaks TLS: use https" + inSetting(r.Setting)
	case alert != 0:
		return l.Alerted(alert)
	case r.Asked && l.expired() != "" && !TimedOut(err): // in whatever words net/http says that it was cut off
		return outlook.Settled, l.expired()
	case r.Asked && brokenOff(err):
		return 0, "the server asked for a client certificate and cut the connection: it may not accept the one in " + l.tls
	case unknownHost != nil && unknownHost.IsNotFound:
		return 0, "check the host in " + cmp.Or(r.Setting, "the URL") + ", or the DNS of this machine"
	case errors.Is(err, syscall.ECONNREFUSED):
		return 0, "nothing listens there: check host and port in " + cmp.Or(r.Setting, "the URL") +
			", and that the server runs"
	case r.Plain && brokenOff(err):
		return 0, "the server cut the connection: if its port speaks TLS, use https" + inSetting(r.Setting)
	}
	return 0, ""
}

func inSetting(setting string) string {
	if setting == "" {
		return ""
	}
	return " in " + setting
}

// unknownCA says how to trust a CA.
func (l *Link) unknownCA() string {
	if l.replaced {
		return "its CA is not among the RootCAs in " + l.tls + ", which stand in place of the system's: " +
			"add it to a pool that begins as x509.SystemCertPool"
	}
	return "if its CA is a private one, add it to RootCAs in " + l.tls
}

// TimedOut reports whether it was time that ended a request, not the server.
func TimedOut(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout() || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// brokenOff reports whether a connection was cut: a server that refuses a certificate may do that before its alert is
// read.
func brokenOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || strings.HasSuffix(err.Error(), "http2: client conn could not be established")
}

// The alerts with which a server refuses a handshake for what cannot change by itself (RFC 8446, section 6.2).
const (
	alertHandshakeFailure       = 40
	AlertBadCertificate         = 42
	alertUnsupportedCertificate = 43
	alertCertificateRevoked     = 44
	alertCertificateExpired     = 45
	alertCertificateUnknown     = 46
	alertUnknownCA              = 48
	alertAccessDenied           = 49
	alertProtocolVersion        = 70
	alertInsufficientSecurity   = 71
	alertUnrecognizedName       = 112
	AlertCertificateRequired    = 116
)

// alertIn returns the TLS alert that the server sent, zero if err is none.
func alertIn(err error) int {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return 0
	}
	text := op.Err.Error()
	for n := 1; n <= 255; n++ { // the type has no other name: their texts are those of its public twin
		if text == tls.AlertError(n).Error() {
			return n
		}
	}
	return 0
}

// Alerted says what an alert of the server's means.
func (l *Link) Alerted(alert int) (o outlook.Outlook, hint string) {
	s := l.certificateShown()
	certificate := "the client certificate in " + l.tls
	switch alert {
	case AlertCertificateRequired:
		if s == nil {
			return outlook.Settled, "the server wants a client certificate, which goes into " + l.tls
		}
		return outlook.Settled, "the server got no client certificate that it can use: check the one in " + l.tls
	case alertHandshakeFailure, AlertBadCertificate, alertUnsupportedCertificate, alertCertificateRevoked,
		alertCertificateExpired, alertCertificateUnknown, alertUnknownCA, alertAccessDenied:
	case alertProtocolVersion, alertInsufficientSecurity:
		return outlook.Settled, "the server and " + l.tls + " agree on no version or cipher suite of TLS"
	case alertUnrecognizedName:
		return outlook.Settled, "the server does not serve that name: check the host, or ServerName in " + l.tls
	default:
		return 0, ""
	}
	switch {
	case alert == alertCertificateRevoked:
		return outlook.Settled, certificate + " has been revoked: replace it"
	case s == nil && alert == alertCertificateExpired:
		return outlook.Settled, "the server takes " + certificate + " for expired: replace it, or compare the clocks"
	case s == nil:
		return outlook.Settled, "the server may want a client certificate, which goes into " + l.tls
	case l.expired() != "":
		return outlook.Settled, l.expired()
	case alert == alertCertificateExpired:
		return outlook.Settled, fmt.Sprintf("the server takes %s for expired, which is valid until %s: compare the clocks",
			certificate, inUTC(s.NotAfter))
	case alert == alertUnknownCA:
		return outlook.Settled, "the server has to trust the CA of " + certificate + l.wantsChain()
	}
	return outlook.Settled,
		"the server may not accept " + certificate + ": check that it knows that one" + l.wantsChain()
}

// expired says that the client certificate is not valid now; empty if it is, or is not known.
func (l *Link) expired() string {
	s, now := l.certificateShown(), time.Now()
	switch {
	case s == nil:
		return ""
	case now.After(s.NotAfter):
		return "the client certificate in " + l.tls + " expired at " + inUTC(s.NotAfter) + ": replace it"
	case now.Before(s.NotBefore):
		return "the client certificate in " + l.tls + " is not valid before " + inUTC(s.NotBefore) +
			": this machine's clock may be wrong"
	}
	return ""
}

func inUTC(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// wantsChain says that a server may want more than the certificate alone: some take one that comes without its issuer
// for self-signed.
func (l *Link) wantsChain() string {
	if s := l.certificateShown(); s == nil || s.SelfSigned || s.Chain > 1 {
		return ""
	}
	return "; it is sent without its chain: if the server wants that, put the intermediate certificates behind it in " +
		"tls.Certificate.Certificate"
}

// RefusedCertificate says what to do when the server at host has refused a client that is known by its certificate.
func (l *Link) RefusedCertificate(host string) string {
	switch {
	case l.expired() != "":
		return l.expired()
	case l.neverAsked(host):
		return "none was asked for in the TLS handshake: does a proxy in front of the server terminate TLS, " +
			"or has it another endpoint for mutual TLS?"
	}
	return "check ClientID, and that the server knows the certificate in " + l.tls + l.wantsChain()
}

// ProxyRefused says what to do about a proxy's refusal.
func (l *Link) ProxyRefused(e *connections.ProxyRefusal) (o outlook.Outlook, hint string) {
	switch {
	case e.Status == http.StatusProxyAuthRequired:
		return outlook.Settled, "the proxy wants a user and a password, which go into its URL: see " + l.proxies
	case outlook.Of(e.Status, "") == outlook.Passing:
		return outlook.Passing, ""
	}
	return outlook.Settled, "have the proxy allow it, or go past the proxy: see " + l.proxies
}

// Advise returns what API calls go through: base, to whose errors it adds what to do about them, where that is known.
func (l *Link) Advise(base http.RoundTripper) http.RoundTripper { return advising{base, l} }

type advising struct {
	http.RoundTripper
	link *Link
}

func (a advising) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.RoundTripper.RoundTrip(r)
	if err == nil {
		return resp, nil
	}
	if _, hint := a.link.Judge(err, Request{Plain: r.URL.Scheme == "http"}); hint != "" {
		err = fmt.Errorf("%w: %s", err, hint)
	}
	return resp, err
}

// CloseIdleConnections closes those of the connections within, if that can do so.
func (a advising) CloseIdleConnections() {
	if c, ok := a.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
