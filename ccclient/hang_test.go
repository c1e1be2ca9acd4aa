package ccclient_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A hangingSigner holds up whoever needs a signature.
type hangingSigner struct {
	crypto.Signer
	hang func()
}

func (s *hangingSigner) Sign(rand io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	s.hang()
	return s.Signer.Sign(rand, digest, o)
}

func TestCallersDeadlineHoldsAgainstWhateverHangs(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := ccclient.SecretString("secret")
	for name, configure := range map[string]func(cfg *ccclient.Config, hang func()){
		"Auth": func(cfg *ccclient.Config, hang func()) {
			cfg.Auth = ccclient.AuthFunc(func(context.Context, ccclient.Request) (ccclient.Credentials, error) {
				hang()
				return ccclient.Credentials{}, nil
			})
		},
		"Secret": func(cfg *ccclient.Config, hang func()) {
			cfg.Auth = ccclient.ClientSecretBasic(func(context.Context) (string, error) {
				hang()
				return "secret",
					nil
			})
		},
		"signer": func(cfg *ccclient.Config, hang func()) {
			cfg.Auth = ccclient.PrivateKeyJWT(&hangingSigner{key, hang}, ccclient.AssertionOptions{})
		},
		"DPoP key": func(cfg *ccclient.Config, hang func()) {
			cfg.Auth, cfg.DPoPKey = ccclient.ClientSecretBasic(secret), &hangingSigner{key, hang}
		},
		"connection": func(cfg *ccclient.Config, hang func()) {
			cfg.Auth = ccclient.ClientSecretBasic(secret)
			cfg.HTTPClient = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				hang()
				return nil, errors.New("late")
			})}
		},
		"GetClientCertificate": func(cfg *ccclient.Config, hang func()) {
			cfg.Auth, cfg.HTTPClient = ccclient.TLSClientAuth(), nil
			cfg.TLS = &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				hang()
				return nil, errors.New("late")
			}}
			cfg.WrapTransport = func(http.RoundTripper) http.RoundTripper {
				return roundTripper(func(*http.Request) (*http.Response, error) {
					return nil,
						errors.New("not reached")
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				as := cctest.NewServer(cctest.Options{})
				defer as.Close()
				cfg := ccclient.Config{TokenURL: asTokenURL, ClientID: "orders",
					HTTPClient: &http.Client{Transport: as.RoundTripper()}}
				configure(&cfg, func() { time.Sleep(time.Hour) })
				c, err := ccclient.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				for call, get := range map[string]func(context.Context) error{
					"Token":   func(ctx context.Context) error { _, err := c.Token(ctx); return err },
					"Refresh": func(ctx context.Context) error { _, err := c.Refresh(ctx); return err },
				} {
					for range 3 {
						ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
						start := time.Now()
						err := get(ctx)
						if took := time.Since(start); took > 150*time.Millisecond || err == nil {
							t.Errorf("%s returned %v after %v, its caller had 100ms", call, err, took)
						}
						cancel()
					}
				}
				c.Close()
				time.Sleep(24 * time.Hour) // What hung comes back.
			})
		})
	}
}
