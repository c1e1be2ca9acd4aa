package cctest

import (
	"crypto/x509"
	"net/http"
	"net/url"
	"slices"
)

// peerCertificate returns the certificate that the client showed in the handshake, whose key it thereby has; nil:
// none.
func peerCertificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// certificate authenticates by the connection (RFC 8705, section 2): by a certificate that is known itself, or by one
// of a known authority for the client's name.
func (s *Server) certificate(r *http.Request, form url.Values, req *RecordedRequest) (Registration, *problem) {
	shown := peerCertificate(r)
	id := form.Get("client_id")
	known := s.clients[id]
	if known.may(SelfSignedTLSClientAuth) && (shown.Equal(known.Certificate) || !known.may(TLSClientAuth)) {
		c, p := s.client(req, id, SelfSignedTLSClientAuth)
		if p == nil && !shown.Equal(c.Certificate) {
			p = invalidClient("the certificate is not the client's")
		}
		return c, p
	}
	c, p := s.client(req, id, TLSClientAuth)
	switch {
	case p != nil:
	case !s.signedByCA(r):
		p = invalidClient("the certificate is of no known authority, or not valid now")
	case !c.isSubject(shown):
		p = invalidClient("the certificate is for another subject")
	}
	return c, p
}

func (s *Server) signedByCA(r *http.Request) bool {
	roots := s.o.ClientCAs
	if roots == nil {
		roots = s.CA().Pool()
	}
	between := x509.NewCertPool()
	for _, c := range r.TLS.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := peerCertificate(r).Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: between,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err == nil
}

// isSubject reports whether the certificate names the client, by RFC 8705, section 2.1.2: one way of naming the
// subject, which must be there.
func (c Registration) isSubject(shown *x509.Certificate) bool {
	if c.TLSSubjectDN != "" {
		return shown.Subject.String() == c.TLSSubjectDN
	}
	names := slices.Concat(shown.DNSNames, shown.EmailAddresses)
	for _, u := range shown.URIs {
		names = append(names, u.String())
	}
	for _, ip := range shown.IPAddresses {
		names = append(names, ip.String())
	}
	return c.TLSSAN != "" && slices.Contains(names, c.TLSSAN)
}
