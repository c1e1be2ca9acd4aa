package certfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSlowFilesHoldNobodyUpForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		hang := make(chan struct{})
		p := &pair{name: "tls.crt", read: func() ([]byte, []byte, error) {
			reads.Add(1)
			<-hang
			return nil, nil, errors.New("gone")
		}}
		waits := func(want time.Duration) error {
			t.Helper()
			start := time.Now()
			_, err := p.get(new(tls.CertificateRequestInfo))
			if waited := time.Since(start); waited != want {
				t.Errorf("it took %v, want %v", waited, want)
			}
			return err
		}
		if err := waits(firstPatience); !errors.Is(err, errSlow) {
			t.Error(err)
		}
		p.last = &tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Now().Add(time.Minute)}}
		if err := waits(patience); err != nil {
			t.Errorf("the last good certificate is not returned: %v", err)
		}
		time.Sleep(time.Hour)
		if err := waits(patience); !errors.Is(err, errSlow) {
			t.Errorf("an expired certificate is returned: %v", err)
		}
		if n := reads.Load(); n != 1 {
			t.Errorf("%d reads at once", n)
		}
		close(hang)
		synctest.Wait()
		p.last = nil
		if err := waits(0); err == nil || errors.Is(err, errSlow) {
			t.Error(err)
		}
	})
}
