package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ccclient/go-ccclient/internal/clientcert"
	"github.com/ccclient/go-ccclient/internal/connections"
	"github.com/ccclient/go-ccclient/internal/outlook"
	"github.com/ccclient/go-ccclient/internal/tlsport"
)

func TestRefusedCertificateIsLookedAt(t *testing.T) {
	const host = "as.example"
	long := time.Now().Add(time.Hour)
	for name, test := range map[string]struct {
		shown       *clientcert.Shown
		asked       *asking
		want, lacks string
	}{
		"nothing known":     {nil, nil, "that the server knows the certificate in Config.TLS", "chain"},
		"not asked for":     {nil, &asking{host, false}, "none was asked for in the TLS handshake", "Config.TLS"},
		"asked for":         {nil, &asking{host, true}, "that the server knows the certificate in Config.TLS", "handshake"},
		"not by another":    {nil, &asking{"other.example", false}, "that the server knows", "handshake"},
		"without its chain": {&clientcert.Shown{NotAfter: long, Chain: 1}, nil, "without its chain", ""},
		"with its chain":    {&clientcert.Shown{NotAfter: long, Chain: 2}, nil, "that the server knows", "chain"},
		"self-signed":       {&clientcert.Shown{NotAfter: long, Chain: 1, SelfSigned: true}, nil, "the server knows", "chain"},
		"not yet valid":     {&clientcert.Shown{NotBefore: long, NotAfter: long.Add(1)}, nil, "clock may be wrong", ""},
		"expired": {&clientcert.Shown{NotAfter: time.Unix(946684800, 0)}, nil,
			"expired at 2000-01-01T00:00:00Z: replace it", "knows"},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(nil, nil, nil)
			l.shown = test.shown
			l.asked.Store(test.asked)
			hint := l.RefusedCertificate(host)
			if !strings.Contains(hint, test.want) || test.lacks != "" && strings.Contains(hint, test.lacks) {
				t.Errorf("%q lacks %q, or has %q", hint, test.want, test.lacks)
			}
		})
	}
}

func TestErrorsAreJudgedByTheirCause(t *testing.T) {
	alert := func(n int) error { return &net.OpError{Op: "remote error", Err: tls.AlertError(n)} }
	remote := errors.New("somebody closed the connection")
	expired := &clientcert.Shown{NotAfter: time.Unix(946684800, 0)}
	for name, test := range map[string]struct {
		err   error
		shown *clientcert.Shown
		asked bool
		want  outlook.Outlook
		hint  string // part of it; empty: none
	}{
		"unknown":               {remote, nil, false, 0, ""},
		"unknown CA":            {x509.UnknownAuthorityError{}, nil, false, outlook.Settled, "add it to RootCAs in Config.TLS"},
		"expired":               {x509.CertificateInvalidError{Reason: x509.Expired}, nil, false, outlook.Settled, "renewed"},
		"other fault":           {x509.CertificateInvalidError{Reason: x509.NameMismatch}, nil, false, outlook.Settled, ""},
		"no TLS":                {http.ErrSchemeMismatch, nil, false, outlook.Settled, "check the scheme of TokenURL"},
		"TLS":                   {tlsport.Err, nil, false, outlook.Settled, "use https in TokenURL"},
		"proxy":                 {&connections.ProxyRefusal{Status: 403}, nil, false, outlook.Settled, "see HTTPS_PROXY and NO_PROXY"},
		"proxy in trouble":      {&connections.ProxyRefusal{Status: 502}, nil, false, outlook.Passing, ""},
		"proxy with a password": {&connections.ProxyRefusal{Status: 407}, nil, false, outlook.Settled, "a user and a password"},
		"wants a certificate":   {alert(116), nil, true, outlook.Settled, "which goes into Config.TLS"},
		"refuses a certificate": {alert(42), expired, true, outlook.Settled, "expired at 2000-01-01T00:00:00Z: replace it"},
		"expired, not seen": {alert(45), nil, false, outlook.Settled,
			"the server takes the client certificate in Config.TLS for expired: replace it"},
		"revoked, not seen":      {alert(44), nil, false, outlook.Settled, "has been revoked: replace it"},
		"alert that says little": {alert(80), nil, false, 0, ""},
		"cut off":                {io.EOF, nil, true, 0, "it may not accept the one in Config.TLS"},
		"cut off, unasked":       {io.EOF, nil, false, 0, ""},
		"cut off, expired":       {remote, expired, true, outlook.Settled, "expired at"},
		"timed out, expired":     {context.DeadlineExceeded, expired, true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := New(nil, nil, nil)
			l.shown = test.shown
			o, hint := l.Judge(fmt.Errorf("wrapped: %w", test.err), Request{Setting: "TokenURL", Asked: test.asked})
			if o != test.want || !strings.Contains(hint, test.hint) || (test.hint == "") != (hint == "") {
				t.Errorf("%d %q, want %d %q", o, hint, test.want, test.hint)
			}
		})
	}
}

func TestPlainHTTPThatIsCutMayBeTLS(t *testing.T) {
	l := New(nil, nil, nil)
	for name, test := range map[string]struct {
		err  error
		r    Request
		hint string
	}{
		"end":           {io.EOF, Request{Plain: true, Setting: "TokenURL"}, "if its port speaks TLS, use https in TokenURL"},
		"reset":         {syscall.ECONNRESET, Request{Plain: true}, "if its port speaks TLS, use https"},
		"refused":       {syscall.ECONNREFUSED, Request{Plain: true}, "and that the server runs"},
		"over TLS":      {io.EOF, Request{Setting: "TokenURL"}, ""},
		"certain of it": {tlsport.Err, Request{Plain: true}, "the port speaks TLS: use https"},
	} {
		if _, hint := l.Judge(fmt.Errorf("wrapped: %w", test.err), test.r); !strings.HasSuffix(hint, test.hint) ||
			(test.hint == "") != (hint == "") {
			t.Errorf("%s: %q, want %q", name, hint, test.hint)
		}
	}
}
