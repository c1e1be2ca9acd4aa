package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// surroundings are what a service finds where it is deployed: an authorization
// server, two APIs that demand tokens for them, a secret in a file, and an
// environment that says where all of that is.
type surroundings struct {
	auth          *cctest.Server
	orders, stock *httptest.Server
	dir           string
	slow          atomic.Bool // the APIs take their time
	failed        int         // visits
}

func startSurroundings() (*surroundings, error) {
	dir, err := os.MkdirTemp("", "microservice")
	if err != nil {
		return nil, err
	}
	auth := cctest.NewServer(cctest.Options{JWTAccessTokens: true})
	s := &surroundings{auth: auth, dir: dir}
	s.orders, s.stock = s.startAPI(`{"item": "chair"}`), s.startAPI(`{"left": 3}`)
	secret := filepath.Join(dir, "client-secret")
	if err := os.WriteFile(secret, []byte(cctest.DefaultClientSecret+"\n"), 0o600); err != nil {
		s.Close()
		return nil, err
	}
	for name, value := range map[string]string{
		"OAUTH_ISSUER":             auth.Issuer(),
		"OAUTH_CLIENT_ID":          cctest.DefaultClientID,
		"OAUTH_CLIENT_SECRET_FILE": secret, // read at each token request: rotation needs no restart
		"OAUTH_ALLOWED_HOSTS":      host(s.orders.URL) + " " + host(s.stock.URL),
		"ORDERS_API":               s.orders.URL,
		"STOCK_API":                s.stock.URL,
		"LISTEN":                   "127.0.0.1:0",
		"LISTEN_INTERNAL":          "127.0.0.1:0",
	} {
		os.Setenv(name, value)
	}
	return s, nil
}

func host(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return u.Host
}

func (s *surroundings) Close() {
	s.orders.Close()
	s.stock.Close()
	s.auth.Close()
	os.RemoveAll(s.dir)
}

// startAPI starts one that answers all requests that have a token for it.
func (s *surroundings) startAPI(answer string) *httptest.Server {
	return httptest.NewServer(s.auth.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if own := "http://" + r.Host; audience(r) != own {
			http.Error(w, "the token is not for "+own, http.StatusForbidden)
			return
		}
		if s.slow.Load() {
			time.Sleep(500 * time.Millisecond)
		}
		fmt.Fprintln(w, answer)
	})))
}

// audience returns what the token of r, which has been verified, is for.
func audience(r *http.Request) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), ".")
	payload, _, _ := strings.Cut(rest, ".")
	var claims struct {
		Audience []string `json:"aud"`
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(text, &claims) != nil || len(claims.Audience) != 1 {
		return ""
	}
	return claims.Audience[0]
}

// summary counts the calls that the APIs answered, the token requests that the
// server has seen, and the visits that failed.
func (s *surroundings) summary() string {
	stats := s.auth.Stats()
	calls := stats.ResourceRequests - stats.ResourceRejected
	return fmt.Sprintf("calls=%d token_requests=%d failed=%d", calls, stats.TokenRequests, s.failed)
}
