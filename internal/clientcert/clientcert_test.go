package clientcert_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/internal/clientcert"
)

// A source is a GetClientCertificate whose certificate can be replaced. A nil one is an error.
type source struct {
	cert  *tls.Certificate
	calls int
}

func (s *source) get(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	s.calls++
	if s.cert == nil {
		return nil, errors.New("no certificate yet")
	}
	return s.cert, nil
}

// cert returns what stands for the certificate with that number.
func cert(n int) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{[]byte(strconv.Itoa(n))}}
}

func thumbprint(n int) string {
	sum := sha256.Sum256([]byte(strconv.Itoa(n)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// rotating returns a certificate from a source, the configuration with it, and the number of rotations.
func rotating(s *source) (*clientcert.Certificate, *tls.Config, *int) {
	rotations := new(int)
	c, config := clientcert.New(&tls.Config{GetClientCertificate: s.get}, func() { *rotations++ })
	return c, config, rotations
}

func TestStaticCertificateIsKnownAtOnceAndDoesNotRotate(t *testing.T) {
	c, config := clientcert.New(&tls.Config{Certificates: []tls.Certificate{*cert(1)}}, nil)
	if c.Rotates() || c.Last() != thumbprint(1) {
		t.Errorf("rotates: %v, %q", c.Rotates(), c.Last())
	}
	// Whatever CAs the server names.
	shown, err := config.GetClientCertificate(&tls.CertificateRequestInfo{AcceptableCAs: [][]byte{[]byte("another")}})
	if err != nil || string(shown.Certificate[0]) != "1" {
		t.Errorf("%v, %v", shown, err)
	}
	c, config = clientcert.New(&tls.Config{Certificates: []tls.Certificate{*cert(1), *cert(2)}}, nil)
	if c.Rotates() || c.Last() != thumbprint(1)+thumbprint(2) || config.GetClientCertificate != nil {
		t.Errorf("two: rotates: %v, %q", c.Rotates(), c.Last())
	}
}

func TestConfigurationWithoutCertificateIsCopied(t *testing.T) {
	if c, config := clientcert.New(nil, nil); c != nil || config != nil || c.Rotates() {
		t.Error("something of nothing")
	}
	given := &tls.Config{ServerName: "as.example"}
	if c, config := clientcert.New(given, nil); c != nil || config == given || config.ServerName != "as.example" {
		t.Errorf("%v, %v", c, config)
	}
}

func TestRecentChecksOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{cert: cert(1)}
		c, _, rotations := rotating(s)
		if !c.Rotates() || c.Last() != "" || s.calls != 0 {
			t.Errorf("before anybody asked: %q after %d calls", c.Last(), s.calls)
		}
		for range 3 {
			if got := c.Recent(t.Context()); got != thumbprint(1) || s.calls != 1 {
				t.Errorf("%q after %d calls", got, s.calls)
			}
		}
		s.cert = cert(2)
		time.Sleep(time.Second - 1)
		if got := c.Recent(t.Context()); got != thumbprint(1) {
			t.Errorf("%q before a second was over", got)
		}
		time.Sleep(time.Nanosecond)
		if got := c.Recent(t.Context()); got != thumbprint(2) || *rotations != 1 || c.Last() != got {
			t.Errorf("%q after %d rotations", got, *rotations)
		}
	})
}

func TestFirstCertificateIsNoRotation(t *testing.T) {
	s := &source{}
	c, _, rotations := rotating(s)
	if c.Check(t.Context()) || c.Last() != "" {
		t.Error("an error is an answer")
	}
	s.cert = cert(1)
	if !c.Check(t.Context()) || c.Last() != thumbprint(1) || *rotations != 0 {
		t.Errorf("%q after %d rotations", c.Last(), *rotations)
	}
	s.cert = nil
	if c.Check(t.Context()) || c.Last() != thumbprint(1) {
		t.Errorf("an error is a rotation to %q", c.Last())
	}
	s.cert = &tls.Certificate{}
	if c.Check(t.Context()) || c.Last() != thumbprint(1) {
		t.Errorf("an empty certificate is a rotation to %q", c.Last())
	}
}

func TestRotationsAreFollowedABurstAtOnceThenOneASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{cert: cert(0)}
		c, _, rotations := rotating(s)
		c.Check(t.Context())
		for n := 1; n <= 20; n++ { // another at each call
			s.cert = cert(n)
			c.Check(t.Context())
		}
		if *rotations != clientcert.RotationBurst || c.Last() != thumbprint(clientcert.RotationBurst) {
			t.Errorf("%d rotations at once", *rotations)
		}
		for n := 21; n <= 120; n++ {
			time.Sleep(100 * time.Millisecond)
			s.cert = cert(n)
			c.Check(t.Context())
		}
		if got := *rotations - clientcert.RotationBurst; got != 10 {
			t.Errorf("%d rotations in ten seconds", got)
		}
		time.Sleep(time.Minute)
		before := *rotations
		for n := 200; n < 220; n++ {
			s.cert = cert(n)
			c.Check(t.Context())
		}
		if *rotations-before != clientcert.RotationBurst {
			t.Errorf("%d rotations at once after a rest", *rotations-before)
		}
	})
}

func TestRotationIsToldBeforeItIsSeen(t *testing.T) {
	s, seen := &source{cert: cert(1)}, ""
	var c *clientcert.Certificate
	c, _ = clientcert.New(&tls.Config{GetClientCertificate: s.get}, func() { seen = c.Last() })
	c.Check(t.Context())
	s.cert = cert(2)
	c.Check(t.Context())
	if seen != thumbprint(1) || c.Last() != thumbprint(2) {
		t.Errorf("%q was seen while the rotation was told, %q afterwards", seen, c.Last())
	}
}

func TestHandshakeIsTheTimeToCheck(t *testing.T) {
	s := &source{cert: cert(1)}
	c, config, rotations := rotating(s)
	for n := 1; n <= 2; n++ {
		s.cert = cert(n)
		shown, err := config.GetClientCertificate(&tls.CertificateRequestInfo{})
		if err != nil || string(shown.Certificate[0]) != strconv.Itoa(n) || c.Last() != thumbprint(n) {
			t.Errorf("%v, %v; seen: %q", shown, err, c.Last())
		}
	}
	if *rotations != 1 {
		t.Errorf("%d rotations", *rotations)
	}
}

func TestChoiceByServerIsNoRotation(t *testing.T) {
	get := func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(info.AcceptableCAs) > 0 {
			return cert(2), nil
		}
		return cert(1), nil
	}
	c, config := clientcert.New(&tls.Config{GetClientCertificate: get}, func() { t.Error("a rotation") })
	for _, cas := range [][][]byte{nil, {[]byte("ca")}, nil} {
		_, err := config.GetClientCertificate(&tls.CertificateRequestInfo{AcceptableCAs: cas})
		if err != nil || c.Last() != thumbprint(1) {
			t.Errorf("%v; seen: %q", err, c.Last())
		}
	}
}

func TestCallbackThatPanicsOutsideOfHandshakesIsFollowed(t *testing.T) {
	inHandshake := 1
	get := func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(info.AcceptableCAs) == 0 {
			panic("not in a handshake")
		}
		return cert(inHandshake), nil
	}
	c, config := clientcert.New(&tls.Config{GetClientCertificate: get}, func() {})
	if c.Check(t.Context()) || c.Recent(t.Context()) != "" {
		t.Errorf("a panic is an answer: %q", c.Last())
	}
	for inHandshake = 1; inHandshake <= 2; inHandshake++ {
		_, err := config.GetClientCertificate(&tls.CertificateRequestInfo{AcceptableCAs: [][]byte{[]byte("ca")}})
		if err != nil || c.Last() != thumbprint(inHandshake) {
			t.Errorf("%v; seen: %q", err, c.Last())
		}
	}
}
