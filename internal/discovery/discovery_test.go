package discovery_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ccclient/go-ccclient/internal/discovery"
)

const (
	issuer     = "https://as.example.com/t1"
	oauthAt    = "https://as.example.com/.well-known/oauth-authorization-server/t1"
	insertedAt = "https://as.example.com/.well-known/openid-configuration/t1"
	oidcAt     = "https://as.example.com/t1/.well-known/openid-configuration"
)

// A server answers requests without a socket, and counts them.
type server struct {
	mu      sync.Mutex
	asked   []string
	answers func(r *http.Request) (*http.Response, error)
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.String())
	answers := s.answers
	s.mu.Unlock()
	return answers(r)
}

func (s *server) now(answers func(r *http.Request) (*http.Response, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = answers
}

func (s *server) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func answer(code int, body string, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Add(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Header: h, Request: r, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func after(
	d time.Duration, answers func(*http.Request) (*http.Response, error),
) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return answers(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

func fail(err error) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func document(endpoint string) string {
	return fmt.Sprintf(`{"issuer":%q,"token_endpoint":%q}`, issuer, endpoint)
}

var good = answer(200, document("https://as.example.com/token"))

// bubble runs test in a synctest bubble, with a Discoverer that is closed at its end: a goroutine that stays fails
// the bubble.
func bubble(t *testing.T, answers func(*http.Request) (*http.Response, error),
	test func(t *testing.T, s *server, d *discovery.Discoverer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &server{answers: answers}
		d, err := discovery.New(discovery.Options{Issuer: issuer, HTTPClient: &http.Client{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		test(t, s, d)
	})
}

func endpoint(t *testing.T, d *discovery.Discoverer) string {
	t.Helper()
	m, err := d.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m.TokenEndpoint
}

func TestLooksInTheOAuthPlaceThenInTheOpenIDPlaces(t *testing.T) {
	for name, first := range map[string]func(*http.Request) (*http.Response, error){
		"404":             answer(404, ""),
		"403":             answer(403, ""),
		"500":             answer(500, ""),
		"welcome page":    answer(200, "<html>"),
		"another issuer":  answer(200, `{"issuer":"https://as.example.com","token_endpoint":"https://evil.example/token"}`),
		"redirect away":   answer(302, "", "Location", "https://evil.example/metadata"),
		"redirect loop":   answer(302, "", "Location", oauthAt),
		"larger than MiB": answer(200, document("https://evil.example/token")+strings.Repeat(" ", 1<<20)),
	} {
		for _, want := range [][]string{{oauthAt, insertedAt}, {oauthAt, insertedAt, oidcAt}} {
			t.Run(fmt.Sprint(name, ", ", len(want), " places"), func(t *testing.T) {
				bubble(t, func(r *http.Request) (*http.Response, error) {
					switch r.URL.String() {
					case oauthAt:
						return first(r)
					case want[len(want)-1]:
						return good(r)
					}
					return answer(404, "")(r)
				}, func(t *testing.T, s *server, d *discovery.Discoverer) {
					if got := endpoint(t, d); got != "https://as.example.com/token" {
						t.Error(got)
					}
					if got := slices.Compact(s.asked); !slices.Equal(got, want) {
						t.Error(got)
					}
				})
			})
		}
	}
}

func TestMetadataIsAskedForAsJSON(t *testing.T) {
	bubble(t, func(r *http.Request) (*http.Response, error) {
		if got := r.Header.Get("Accept"); got != "application/json" {
			t.Errorf("Accept: %q", got)
		}
		return good(r)
	}, func(t *testing.T, s *server, d *discovery.Discoverer) { endpoint(t, d) })
}

func TestFollowsARedirectOnTheSameHost(t *testing.T) {
	bubble(t, func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/moved" {
			return answer(301, "", "Location", "/moved")(r)
		}
		return good(r)
	}, func(t *testing.T, s *server, d *discovery.Discoverer) {
		endpoint(t, d)
		if s.requests() != 2 {
			t.Error(s.asked)
		}
	})
}

func TestErrorNamesTheIssuerAndWhatWasMetWhere(t *testing.T) {
	cert := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	reset := errors.New("connection reset")
	for name, tc := range map[string]struct {
		answers   func(*http.Request) (*http.Response, error)
		texts     []string
		permanent bool
		is        error
	}{
		"404": {answer(404, ""), []string{oauthAt + ": 404 Not Found; GET " + insertedAt +
			": 404 Not Found; GET " + oidcAt + ": 404 Not Found"}, true,
			nil},
		"503":  {answer(503, ""), []string{oidcAt + ": 503 Service Unavailable"}, false, nil},
		"429":  {answer(429, ""), []string{"429 Too Many Requests"}, false, nil},
		"599":  {answer(599, ""), []string{": 599;"}, false, nil},
		"page": {answer(200, "<p>"), []string{oauthAt + ": not a JSON object"}, true, nil},
		"redirect": {answer(302, "", "Location", "https://canary:canary@evil.example/canary?canary"),
			[]string{`redirect to host "evil.example", which is not followed`}, true, nil},
		"no answer":  {fail(reset), []string{oauthAt + ": connection reset"}, false, reset},
		"unknown CA": {fail(cert), []string{"certificate"}, true, cert},
		"hangs": {after(time.Hour, good), []string{oauthAt + ": context deadline exceeded"}, false,
			context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, tc.answers, func(t *testing.T, s *server, d *discovery.Discoverer) {
				_, err := d.Metadata(t.Context())
				if err == nil {
					t.Fatal("no error")
				}
				for _, text := range append(tc.texts, `issuer "`+issuer+`"`) {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("%q lacks %q", err, text)
					}
				}
				if strings.Contains(err.Error(), "canary") {
					t.Error(err)
				}
				if p, ok := err.(interface{ Permanent() bool }); !ok || p.Permanent() != tc.permanent {
					t.Errorf("permanent: %v, want %v", !tc.permanent, tc.permanent)
				}
				if tc.is != nil && !errors.Is(err, tc.is) {
					t.Errorf("%v is not %v", err, tc.is)
				}
			})
		})
	}
}

func TestForeignTextReachesNoErrorOfDiscovery(t *testing.T) {
	const hostile = "evil\r\n\x1b[2J\u202e\u2028\u0085\x00\xff"
	long := strings.Repeat("<", 100_000)
	for _, text := range []string{hostile, long} {
		for name, answers := range map[string]func(*http.Request) (*http.Response, error){
			"an error":   fail(fmt.Errorf("malformed HTTP response %s", text)),
			"a panic":    func(*http.Request) (*http.Response, error) { panic(text) },
			"a page":     answer(200, text),
			"a redirect": answer(302, "", "Location", "https://"+text+".example/"),
			"an issuer":  answer(200, fmt.Sprintf(`{"issuer":%q}`, text)),
		} {
			bubble(t, answers, func(t *testing.T, s *server, d *discovery.Discoverer) {
				_, err := d.Metadata(t.Context())
				if err == nil {
					t.Fatal("no error")
				}
				if got := err.Error(); !utf8.ValidString(got) || len(got) > 1500 ||
					strings.ContainsFunc(got, func(c rune) bool { return !unicode.IsPrint(c) }) {
					t.Errorf("%s: %.300q", name, got)
				}
			})
		}
	}
}

func TestNoAnswerEndsTheSearch(t *testing.T) {
	bubble(t, fail(errors.New("refused")), func(t *testing.T, s *server, d *discovery.Discoverer) {
		d.Metadata(t.Context())
		if s.requests() != 1 {
			t.Error(s.asked)
		}
	})
}

func TestMetadataIsFetchedOncePerLifetime(t *testing.T) {
	bubble(t, answer(200, document("https://as.example.com/old"), "Cache-Control", "max-age=7200"),
		func(t *testing.T, s *server, d *discovery.Discoverer) {
			endpoint(t, d)
			time.Sleep(2*time.Hour - time.Second)
			if endpoint(t, d); s.requests() != 1 {
				t.Fatalf("%d requests within the lifetime", s.requests())
			}
			s.now(answer(200, document("https://as.example.com/new")))
			time.Sleep(time.Second)
			if got := endpoint(t, d); got != "https://as.example.com/new" || s.requests() != 2 {
				t.Errorf("%s after %d requests", got, s.requests())
			}
		})
}

func TestConcurrentCallersShareOneFetch(t *testing.T) {
	bubble(t, after(100*time.Millisecond, good), func(t *testing.T, s *server, d *discovery.Discoverer) {
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { endpoint(t, d) })
		}
		wg.Wait()
		if s.requests() != 1 {
			t.Errorf("%d requests", s.requests())
		}
	})
}

func TestImpatientLeaderDoesNotFailTheOthers(t *testing.T) {
	type key struct{}
	var seen any
	slow := after(500*time.Millisecond, good)
	bubble(t, func(r *http.Request) (*http.Response, error) {
		seen = r.Context().Value(key{})
		return slow(r)
	}, func(t *testing.T, s *server, d *discovery.Discoverer) {
		var wg sync.WaitGroup
		began := time.Now()
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "leader"), 50*time.Millisecond)
			defer cancel()
			_, err := d.Metadata(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 50*time.Millisecond {
				t.Errorf("leader: %v after %v", err, time.Since(began))
			}
		})
		synctest.Wait()
		wg.Go(func() { endpoint(t, d) })
		wg.Wait()
		if s.requests() != 1 || seen != "leader" {
			t.Errorf("%d requests, value %v", s.requests(), seen)
		}
	})
}

func TestGoodCopyIsKeptWhenARefetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{answers: good}
		var told []error
		d, err := discovery.New(discovery.Options{
			Issuer: issuer, HTTPClient: &http.Client{Transport: s},
			Begin: func(ctx context.Context) (context.Context, func(error, bool)) {
				return ctx, func(err error, kept bool) {
					if kept {
						told = append(told, err)
					}
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		endpoint(t, d)
		s.now(answer(404, ""))
		time.Sleep(time.Hour)
		endpoint(t, d)
		if len(told) != 1 || !strings.Contains(told[0].Error(), "404") {
			t.Errorf("told of %v", told)
		}
		asked := s.requests()
		time.Sleep(time.Minute - time.Second)
		if endpoint(t, d); s.requests() != asked {
			t.Error("asked again within the pause")
		}
		s.now(answer(200, document("https://as.example.com/new")))
		time.Sleep(time.Second)
		if got := endpoint(t, d); got != "https://as.example.com/new" {
			t.Error(got)
		}
	})
}

func TestSlowRefetchDelaysACallerByTwoSecondsAtMost(t *testing.T) {
	bubble(t, good, func(t *testing.T, s *server, d *discovery.Discoverer) {
		endpoint(t, d)
		time.Sleep(time.Hour)
		s.now(after(5*time.Second, answer(200, document("https://as.example.com/new"))))
		began := time.Now()
		if got := endpoint(t, d); got != "https://as.example.com/token" || time.Since(began) != 2*time.Second {
			t.Errorf("%s after %v", got, time.Since(began))
		}
		time.Sleep(3 * time.Second)
		if got := endpoint(t, d); got != "https://as.example.com/new" || s.requests() != 2 {
			t.Errorf("%s after %d requests", got, s.requests())
		}
	})
}

func TestInvalidateRefetchesOnceAndIsSpaced(t *testing.T) {
	bubble(t, good, func(t *testing.T, s *server, d *discovery.Discoverer) {
		old, err := d.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d.Invalidate(old)
		if endpoint(t, d); s.requests() != 1 {
			t.Error("a document that has only just come was fetched again")
		}
		time.Sleep(10 * time.Second)
		s.now(answer(200, document("https://as.example.com/new")))
		d.Invalidate(old)
		if got := endpoint(t, d); got != "https://as.example.com/new" || s.requests() != 2 {
			t.Errorf("%s after %d requests", got, s.requests())
		}
		time.Sleep(10 * time.Second)
		d.Invalidate(old)
		if endpoint(t, d); s.requests() != 2 {
			t.Error("a late word against the old document hurt the new one")
		}
		d.Invalidate(nil)
	})
}

func TestInvalidatedCopyIsKeptWhenTheRefetchFails(t *testing.T) {
	bubble(t, good, func(t *testing.T, s *server, d *discovery.Discoverer) {
		m, err := d.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		s.now(fail(errors.New("refused")))
		d.Invalidate(m)
		if got, err := d.Metadata(t.Context()); got != m || err != nil || s.requests() != 2 {
			t.Errorf("%v, %v after %d requests", got, err, s.requests())
		}
	})
}

func TestPanicOrGoexitInTheClientWedgesNothing(t *testing.T) {
	for name, f := range map[string]func(){
		"panic":  func() { panic("in the transport") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(*http.Request) (*http.Response, error) { f(); return nil, nil },
				func(t *testing.T, s *server, d *discovery.Discoverer) {
					if _, err := d.Metadata(t.Context()); err == nil || !strings.Contains(err.Error(), issuer) {
						t.Error(err)
					}
					s.now(good)
					endpoint(t, d)
				})
		})
	}
}

func TestCloseEndsAFetchThatIsUnderWay(t *testing.T) {
	bubble(t, after(time.Hour, good), func(t *testing.T, s *server, d *discovery.Discoverer) {
		began := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := d.Metadata(t.Context()); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		d.Close()
		d.Close()
		wg.Wait()
		if time.Since(began) != 0 {
			t.Errorf("took %v", time.Since(began))
		}
		if _, err := d.Metadata(t.Context()); err == nil || s.requests() != 1 {
			t.Errorf("after Close: %v, %d requests", err, s.requests())
		}
	})
}

func TestCloseWaitsFiveSecondsForClientThatIgnoresItsContext(t *testing.T) {
	bubble(t, func(r *http.Request) (*http.Response, error) {
		time.Sleep(time.Minute)
		return good(r)
	}, func(t *testing.T, s *server, d *discovery.Discoverer) {
		var wg sync.WaitGroup
		wg.Go(func() { d.Metadata(t.Context()) })
		synctest.Wait()
		began := time.Now()
		d.Close()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		wg.Wait()
	})
}

func TestGivenClientIsNotModified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: &server{answers: good}}
		d, err := discovery.New(discovery.Options{Issuer: issuer, HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		endpoint(t, d)
		if client.CheckRedirect != nil {
			t.Error("CheckRedirect set on the caller's client")
		}
	})
}

func TestIssuerFaultsAreReportedByNew(t *testing.T) {
	if _, err := discovery.New(discovery.Options{Issuer: "http://as.example.com"}); err == nil {
		t.Error("http:// beyond loopback accepted")
	}
	if _, err := discovery.New(discovery.Options{Issuer: "http://as.example.com", InsecureHTTP: true}); err != nil {
		t.Error(err)
	}
}
