package ccclient_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

// A moody server answers as its mood of the moment is, and notes when it was asked.
type moody struct {
	mu     sync.Mutex // guards what follows
	mood   func(form url.Values, basic string) (status int, header http.Header, body string)
	asked  []time.Time
	delay  time.Duration
	reads  int // of the client's secret
	secret string
}

const fineAnswer = `{"access_token":"t","token_type":"Bearer","expires_in":3600}`

func (m *moody) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	_, password, _ := r.BasicAuth()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, time.Now())
	status, header, answer := m.mood(form, password)
	if m.delay > 0 {
		m.mu.Unlock()
		time.Sleep(m.delay)
		m.mu.Lock()
	}
	if status == 0 {
		return nil, errors.New("no route to host")
	}
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Content-Type", "application/json")
	return &http.Response{
		StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(answer)), Request: r,
	}, nil
}

func (m *moody) read(context.Context) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	return m.secret, nil
}

func (m *moody) config() ccclient.Config {
	return ccclient.Config{
		TokenURL: asTokenURL, ClientID: "id", Auth: ccclient.ClientSecretBasic(m.read),
		HTTPClient: &http.Client{Transport: m}, Retry: ccclient.Retry{MaxAttempts: 1},
	}
}

func (m *moody) requests() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.asked)
}

// askAll has n targets of c ask at one moment, and returns how many got a token.
func askAll(t *testing.T, c *ccclient.Client, n int) int {
	t.Helper()
	var wg sync.WaitGroup
	var got atomic.Int64
	for i := range n {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := c.For(ccclient.Target{Audience: fmt.Sprint("api-", i)}).Token(ctx); err == nil {
				got.Add(1)
			}
		})
	}
	wg.Wait()
	return int(got.Load())
}

func TestColdClientOfTwoHundredTargetsSendsOneRequest(t *testing.T) {
	for name, x := range map[string]struct {
		status int // 0: the server cannot be reached
		header http.Header
		body   string
	}{
		"wrong secret": {401, nil, `{"error":"invalid_client"}`},
		"Retry-After":  {429, http.Header{"Retry-After": {"60"}}, `{}`},
		"unavailable":  {503, http.Header{"Retry-After": {"60"}}, ``},
		"unreachable":  {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &moody{secret: "secret", delay: 50 * time.Millisecond}
				m.mood = func(url.Values, string) (int, http.Header, string) {
					return x.status, x.header.Clone(), x.body
				}
				c, err := ccclient.New(m.config())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				for wave := 1; wave <= 2; wave++ {
					start := time.Now()
					if got := askAll(t, c, 200); got != 0 || time.Since(start) != m.delay {
						t.Errorf("%d targets have a token after %v", got, time.Since(start))
					}
					if n := m.requests(); n != wave {
						t.Errorf("%d requests in %d waves", n, wave)
					}
					time.Sleep(70 * time.Second) // longer than any pause
				}
			})
		})
	}
}

func TestRetryAfterOfOneTargetIsHeededByFiveHundred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := true
		m := &moody{secret: "secret", delay: 20 * time.Millisecond}
		m.mood = func(url.Values, string) (int, http.Header, string) {
			if busy {
				return 429, http.Header{"Retry-After": {"60"}}, `{}`
			}
			return 200, nil, fineAnswer
		}
		c, err := ccclient.New(m.config())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		askAll(t, c, 500)
		if n := m.requests(); n != 1 {
			t.Errorf("%d requests before the first answer was known", n)
		}
		for start := time.Now(); time.Since(start) < 5*time.Minute; time.Sleep(time.Second) {
			askAll(t, c, 500)
		}
		if n := m.requests(); n < 4 || n > 6 {
			t.Errorf("%d requests in five minutes", n)
		}
		for i := 1; i < len(m.asked); i++ {
			if pause := m.asked[i].Sub(m.asked[i-1]); pause < time.Minute {
				t.Errorf("a request %v after the one before, which asked for 60 s", pause)
			}
		}
		busy = false
		for start := time.Now(); askAll(t, c, 500) < 500; time.Sleep(time.Second) {
			if time.Since(start) > 70*time.Second {
				t.Fatal("a success of one target does not end it for the others")
			}
		}
	})
}

func TestWrongSecretOfTwoHundredTargetsIsTriedOnceAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &moody{secret: "wrong", delay: 20 * time.Millisecond}
		m.mood = func(_ url.Values, password string) (int, http.Header, string) {
			if password != "right" {
				return 401, nil, `{"error":"invalid_client"}`
			}
			return 200, nil, fineAnswer
		}
		c, err := ccclient.New(m.config())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		const long = 10 * time.Minute
		askAll(t, c, 200)
		if n := m.requests(); n != 1 {
			t.Errorf("%d failed logins before the first answer was known", n)
		}
		for start := time.Now(); time.Since(start) < long; time.Sleep(500 * time.Millisecond) {
			askAll(t, c, 200)
		}
		// 5, 10, 20, 40, and then 60 s each, less a quarter at most.
		if n := m.requests(); n > 18 || n < 12 {
			t.Errorf("%d failed logins in %v", n, long)
		}
		if most := int(long/time.Second) + 3*len(m.asked); m.reads > most {
			t.Errorf("the secret was read %d times in %v", m.reads, long)
		}
		m.mu.Lock()
		m.secret = "right"
		m.mu.Unlock()
		time.Sleep(time.Second)
		askAll(t, c, 1) // The one that sees it; who asks meanwhile is still refused.
		if got := askAll(t, c, 200); got != 200 {
			t.Errorf("%d of 200 targets have a token at once after a rotation", got)
		}
	})
}

func TestWhatIsWrongWithOneTargetStopsNoOther(t *testing.T) {
	for _, code := range []string{"invalid_scope", "invalid_target", "invalid_authorization_details"} {
		synctest.Test(t, func(t *testing.T) {
			m := &moody{secret: "secret"}
			m.mood = func(form url.Values, _ string) (int, http.Header, string) {
				if form.Get("audience") == "api-0" {
					return 400, nil, `{"error":"` + code + `"}`
				}
				return 200, nil, fineAnswer
			}
			c, err := ccclient.New(m.config())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for range 3 {
				if got := askAll(t, c, 10); got != 9 {
					t.Errorf("%s: %d of 10 targets have a token", code, got)
				}
			}
			if len(m.asked) != 10 {
				t.Errorf("%s: %d requests", code, len(m.asked))
			}
		})
	}
}

func TestSecretThatOneProcessLacksStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, store := &moody{secret: "secret"}, &keyReader{Store: cache.Memory()}
		m.mood = func(url.Values, string) (int, http.Header, string) { return 200, nil, fineAnswer }
		cfg := m.config()
		cfg.Cache.Store = store
		lacking := cfg
		lacking.Auth = ccclient.ClientSecretBasic(func(context.Context) (string, error) {
			return "", errors.New("no such file")
		})
		for i, cfg := range []ccclient.Config{lacking, cfg} {
			c, err := ccclient.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Token(t.Context()); (err == nil) != (i == 1) {
				t.Errorf("process %d: %v", i, err)
			}
			synctest.Wait()
		}
	})
}

// certifiedConfig is of a client whose GetClientCertificate calls hang, and whose requests go to as nevertheless.
func certifiedConfig(as *cctest.Server, hang func()) ccclient.Config {
	return ccclient.Config{
		TokenURL: asTokenURL, ClientID: cctest.DefaultClientID,
		Auth: ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		TLS: &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			hang()
			return nil, errNoCertificate
		}},
		WrapTransport: func(http.RoundTripper) http.RoundTripper { return as.RoundTripper() },
	}
}

func TestHangingCertificateHoldsUpNoForAndNoInvalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		as := cctest.NewServer(cctest.Options{})
		defer as.Close()
		hangs := make(chan struct{})
		c, err := ccclient.New(certifiedConfig(as, func() { <-hangs }))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			d := c.For(ccclient.Target{Audience: "api"})
			tok, err := d.Token(ctx)
			d.Invalidate(tok)
			if err == nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		if took := time.Since(start); took > 400*time.Millisecond {
			t.Errorf("three calls took %v", took)
		}
		start = time.Now()
		c.Close()
		if took := time.Since(start); took > 6*time.Second {
			t.Errorf("Close took %v", took)
		}
		close(hangs)
	})
}
