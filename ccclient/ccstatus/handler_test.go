package ccstatus

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ccclient/go-ccclient/cache"
	"github.com/ccclient/go-ccclient/ccclient"
	"github.com/ccclient/go-ccclient/ccclient/cctest"
)

const secret = "ccstatus-test-secret"

// newClient returns a client of a new server, in a bubble.
func newClient(t *testing.T, o cctest.Options, change func(*ccclient.Config)) (*ccclient.Client, *cctest.Server) {
	t.Helper()
	o.Clients = []cctest.Registration{{ID: "orders", Secret: secret}}
	as := cctest.NewServer(o)
	cfg := ccclient.Config{
		TokenURL: "https://as.example.com/token", ClientID: "orders",
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(secret)),
		HTTPClient: &http.Client{Transport: as.RoundTripper()},
	}
	if change != nil {
		change(&cfg)
	}
	client, err := ccclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client, as
}

// get asks for the page; accept may be empty.
func get(t *testing.T, h http.Handler, path, accept string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %s", part, text)
		}
	}
}

func lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q in %s", part, text)
		}
	}
}

func TestPageShowsWhatATokenIsDoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, as := newClient(t, cctest.Options{Lifetime: time.Hour}, nil)
		h := Handler(client)
		text := func() string { return get(t, h, "/", "").Body.String() }
		contains(t, text(), "1 without a token", "orders", "as.example.com")

		tok, err := client.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		contains(t, text(), "1 fresh", "<dt>expires in</dt><dd>58m30s</dd>", "<dt>age</dt><dd>1m30s</dd>")
		lacks(t, text(), tok.AccessToken, secret)

		as.SetDown(http.StatusServiceUnavailable)
		time.Sleep(57 * time.Minute)
		client.Token(t.Context()) // begins a refresh
		contains(t, text(), "1 refreshing")
		for range 100 { // until all attempts have failed
			if time.Sleep(100 * time.Millisecond); !client.Status()[0].CoolDown.IsZero() {
				break
			}
		}
		contains(t, text(), "1 cooling down", "asked again in", "answered with 503", "time may mend it")

		time.Sleep(time.Hour)
		contains(t, text(), "1 without a token", "answered with 503")
		as.SetDown(0)
		if _, err := client.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		contains(t, text(), "1 fresh")
		lacks(t, text(), "503")
	})
}

func TestErrorThatTimeWillNotMendIsSaidToBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := newClient(t, cctest.Options{}, func(cfg *ccclient.Config) {
			cfg.Auth = ccclient.ClientSecretBasic(ccclient.SecretString("not it"))
		})
		client.Token(t.Context())
		contains(t, get(t, Handler(client), "/", "").Body.String(), "invalid_client", "somebody has to mend it",
			"holds for all tokens of this client")
	})
}

func TestForeignTextIsEscaped(t *testing.T) {
	client, _ := newClient(t, cctest.Options{}, nil)
	h := Handler(client, client.For(ccclient.Target{Label: "<script>alert(1)</script>", Audience: `"><img src=x>`}))
	lacks(t, get(t, h, "/", "").Body.String(), "<script", "<img")
}

func TestPageNeedsNothingFromElsewhere(t *testing.T) {
	client, _ := newClient(t, cctest.Options{}, nil)
	w := get(t, Handler(client), "/", "")
	lacks(t, w.Body.String(), "<script", "src=", "<link", "@import", "url(")
	policy := w.Header().Get("Content-Security-Policy")
	contains(t, policy, "default-src 'none'", "style-src 'sha256-", "frame-ancestors 'none'")
	lacks(t, policy, "unsafe")
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestJSONComesToThoseWhoAcceptIt(t *testing.T) {
	client, _ := newClient(t, cctest.Options{}, nil)
	if _, err := client.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := Handler(client)
	for accept, asJSON := range map[string]bool{
		"":                                       false,
		"*/*":                                    false,
		"text/html,application/xhtml+xml,*/*":    false,
		"application/json":                       true,
		"Application/JSON; charset=utf-8":        true,
		"text/html;q=0.5, application/json":      true,
		"text/html, application/json;q=0.9":      false,
		"application/json;q=0, text/plain":       false,
		"application/json;q=0.1,text/*;q=nought": true,
	} {
		w := get(t, h, "/", accept)
		if got := w.Header().Get("Content-Type") == "application/json"; got != asJSON {
			t.Errorf("%q: JSON: %v, want %v", accept, got, asJSON)
		}
		if !asJSON {
			continue
		}
		var p struct {
			Time               time.Time
			Total, Page, Pages int
			States             map[string]int
			Tokens             []struct {
				ShownAs  string `json:"shown_as"`
				ClientID string `json:"client_id"`
				State    string
				Expiry   time.Time
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if p.Total != 1 || p.Pages != 1 || p.Page != 1 || p.States["fresh"] != 1 || len(p.Tokens) != 1 ||
			p.Tokens[0].ShownAs != "fresh" || p.Tokens[0].State != "fresh" || p.Tokens[0].ClientID != "orders" ||
			!p.Tokens[0].Expiry.After(p.Time) {
			t.Errorf("%s", w.Body)
		}
	}
}

func TestManyTokensArePaged(t *testing.T) {
	client, _ := newClient(t, cctest.Options{}, func(cfg *ccclient.Config) { cfg.Cache.MaxKeys = 20_000 })
	for i := range 10_000 {
		client.For(ccclient.Target{Label: fmt.Sprintf("tenant-%05d", i), Audience: fmt.Sprint(i)})
	}
	h := Handler(client)
	contains(t, get(t, h, "/", "").Body.String(), "10001 without a token", "page 1 of 101", `href="?page=2"`)
	contains(t, get(t, h, "/?page=101", "").Body.String(), "page 101 of 101", `href="?page=100"`, "tenant-09999")
	for path, page := range map[string]string{
		"/?page=0": "page 1 of", "/?page=-7": "page 1 of", "/?page=x": "page 1 of", "/?page=999999": "page 101 of",
	} {
		contains(t, get(t, h, path, "").Body.String(), page)
	}
}

func TestEachTokenIsOnOnePage(t *testing.T) {
	all := make([]ccclient.TokenStatus, 250)
	for i := range all {
		all[i].Label = fmt.Sprint(i)
	}
	seen := map[string]int{}
	for number := range 3 {
		for _, r := range newPage(all, number+1, time.Now()).Tokens {
			seen[r.Label]++
		}
	}
	for label, n := range seen {
		if n != 1 {
			t.Errorf("%s is on %d pages", label, n)
		}
	}
	if len(seen) != len(all) {
		t.Errorf("%d tokens on all pages, want %d", len(seen), len(all))
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	client, _ := newClient(t, cctest.Options{}, nil)
	w := httptest.NewRecorder()
	Handler(client).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

func TestHandlerOfNoClientsIsEmpty(t *testing.T) {
	contains(t, get(t, Handler(), "/", "").Body.String(), "none asked for")
	contains(t, get(t, Handler(nil, new(ccclient.Client)), "/", "").Body.String(), "none asked for")
}

func TestTroubleComesFirst(t *testing.T) {
	now := time.Now()
	p := newPage([]ccclient.TokenStatus{
		{Label: "a", State: cache.StateFresh}, {Label: "b", State: cache.StateStale},
		{Label: "c", State: cache.StateFresh, CoolDown: now.Add(time.Second)}, {Label: "d", State: cache.StateNone},
		{Label: "e", State: cache.StateStale, Fetching: true}, {Label: "f", State: cache.StateExpiring},
	}, 1, now)
	var order []string
	for _, r := range p.Tokens {
		order = append(order, r.Label)
	}
	if got := strings.Join(order, ""); got != "cdfbea" {
		t.Errorf("order %s, want cdfbea", got)
	}
}

func BenchmarkHandler10000(b *testing.B) {
	as := cctest.NewServer(cctest.Options{})
	client, err := ccclient.New(ccclient.Config{
		TokenURL: "https://as.example.com/token", ClientID: cctest.DefaultClientID,
		Auth:       ccclient.ClientSecretBasic(ccclient.SecretString(cctest.DefaultClientSecret)),
		HTTPClient: &http.Client{Transport: as.RoundTripper()},
		Cache:      cache.Options{MaxKeys: 20_000},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for i := range 10_000 {
		if _, err := client.For(ccclient.Target{Audience: fmt.Sprint(i)}).Token(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	h := Handler(client)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func TestSpansAreAsPeopleReadThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "now", 0: "now", time.Millisecond: "under 1s", 1500 * time.Millisecond: "1s",
		41 * time.Second: "41s",
		10 * time.Minute: "10m", 90 * time.Second: "1m30s", time.Hour: "1h0m",
		25*time.Hour + 7*time.Minute + 9*time.Second: "25h7m",
	} {
		if got := span(d, time.Now()); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got := span(time.Second, time.Time{}); got != "" {
		t.Errorf("of no instant: %q", got)
	}
}
