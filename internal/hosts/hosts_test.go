package hosts_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/ccclient/go-ccclient/internal/hosts"
)

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost": false, "localhost.": false, "::1%lo": false, "127.0.0.1": true,
		"127.255.0.3": true,
		"::1":         true, "0:0:0:0:0:0:0:1": true, "::ffff:127.0.0.1": true,
		"": false, "api.localhost": false, "localhost.example.com": false, "127.0.0.1.example.com": false,
		"128.0.0.1": false, "10.0.0.1": false, "::": false, "0.0.0.0": false, "[::1]": false, "locaLhoſt": false,
	} {
		if got := hosts.Loopback(host); got != want {
			t.Errorf("Loopback(%q) = %v", host, got)
		}
	}
}

func TestOriginIsSchemeHostAndPort(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"https://a.example/x", "https://a.example/y?q", true},
		{"https://a.example", "https://a.example:443", true},
		{"http://a.example:80", "http://a.example", true},
		{"https://A.Example", "HTTPS://a.example", true},
		{"https://[2001:DB8::1]/", "https://[2001:db8::1]:443/", true},
		{"https://a.example:", "https://a.example", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example:80", "http://a.example:80", false},
		{"https://a.example", "https://a.example:8443", false},
		{"https://a.example", "https://b.example", false},
		{"https://a.example", "https://a.example.evil.example", false},
		{"https://a.example", "https://a.example.", false},
		{"https://user@a.example", "https://a.example", true},
		{"https://a.example", "https://a.example@evil.example", false},
		{"https://k.example", "https://\u212a.example", false},
	} {
		a, b := parse(t, tc.a), parse(t, tc.b)
		if got := hosts.SameOrigin(a, b); got != tc.want {
			t.Errorf("SameOrigin(%s, %s) = %v", tc.a, tc.b, got)
		}
		if got := hosts.Origin(a) == hosts.Origin(b); got != tc.want {
			t.Errorf("%s == %s is %v", hosts.Origin(a), hosts.Origin(b), got)
		}
	}
}

func TestCredentialsGoOverHTTPSOrStayOnThisMachine(t *testing.T) {
	for u, want := range map[string]struct{ secure, insecureHTTP bool }{
		"https://a.example":      {true, true},
		"http://a.example":       {false, true},
		"http://localhost:80":    {true, true},
		"http://[::1]:8080/t":    {true, true},
		"http://localhost.evil/": {false, true},
		"ftp://localhost":        {false, false},
		"//a.example":            {false, false},
	} {
		if got := hosts.Secure(parse(t, u), false); got != want.secure {
			t.Errorf("Secure(%s, false) = %v", u, got)
		}
		if got := hosts.Secure(parse(t, u), true); got != want.insecureHTTP {
			t.Errorf("Secure(%s, true) = %v", u, got)
		}
	}
}

func TestOriginIsWrittenInItsShortestForm(t *testing.T) {
	for u, want := range map[string]string{
		"HTTPS://API.Example.com:443/x?y#z": "https://api.example.com",
		"http://a.example:443":              "http://a.example:443",
		"http://[::1]:8080/":                "http://[::1]:8080",
		"https://[2001:DB8::1]:443":         "https://[2001:db8::1]",
		"ftp://a.example":                   "ftp://a.example",
	} {
		if got := hosts.Origin(parse(t, u)); got != want {
			t.Errorf("Origin(%s) = %s", u, got)
		}
	}
}

func TestHostIsAsNetHTTPSendsIt(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		r *http.Request) {
		io.WriteString(w, r.Host)
	}))
	defer server.Close()
	for host, want := range map[string]string{
		"api.example.com": "api.example.com", "API.example.com:8443": "API.example.com:8443", "[::1]:80": "[::1]:80",
		"bücher.example": "xn--bcher-kva.example", "BÜCHER.example:8443": "xn--BCHER-2pa.example:8443",
		"[fe80::1%eth0]:8080": "[fe80::1]:8080", "[fe80::1%25eth0]": "[fe80::1]",
		"evil.example/": "", "a b": "", "a\r\nb": "", "a\x00": "",
	} {
		if got := hosts.AsSent(host); got != want {
			t.Errorf("AsSent(%q) = %q, want %q", host, got, want)
		}
		if want == "" {
			continue // a server refuses it
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("%q: a server got %q, %v; want %q", host, got, err, want)
		}
	}
}

func TestPatternAllowsWhatItSays(t *testing.T) {
	for _, tc := range []struct {
		pattern string
		allowed string
		refused string
	}{
		{"api.example.com", "https://api.example.com https://API.example.com:8443 https://api.example.com.",
			"https://example.com https://v1.api.example.com https://api.example.com.evil.example https://evilapi.example.com"},
		{"API.Example.com.", "https://api.example.com", "https://api.example.org"},
		{"api.example.com:8443", "https://api.example.com:8443", "https://api.example.com https://api.example.com:443"},
		{"api.example.com:443", "https://api.example.com https://api.example.com:443", "http://api.example.com"},
		{"*.example.com", "https://a.example.com https://a.b.example.com:8443",
			"https://example.com https://aexample.com https://.example.com https://a.example.com.evil.example"},
		{"*.example.com:8443", "https://a.example.com:8443", "https://a.example.com"},
		{"192.0.2.1", "https://192.0.2.1 https://192.0.2.1:8443", "https://192.0.2.10"},
		{"::1", "http://[::1]:8080 http://[0:0:0:0:0:0:0:1]", "http://[::2]"},
		{"[2001:db8::1]", "https://[2001:DB8::1] https://[2001:db8:0::1]:8443", "https://[2001:db8::2]"},
		{"[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "https://[2001:db8::1]"},
		{"a_b.svc", "http://a_b.svc", "http://a-b.svc"},
		{"bücher.example", "https://bücher.example", "https://bucher.example"},
	} {
		if err := hosts.Validate(tc.pattern); err != nil {
			t.Errorf("Validate(%q): %v", tc.pattern, err)
		}
		for u := range strings.FieldsSeq(tc.allowed) {
			if !hosts.Match([]string{"other.example", tc.pattern}, parse(t, u)) {
				t.Errorf("%q does not allow %s", tc.pattern, u)
			}
		}
		for u := range strings.FieldsSeq(tc.refused) {
			if hosts.Match([]string{tc.pattern}, parse(t, u)) {
				t.Errorf("%q allows %s", tc.pattern, u)
			}
		}
	}
}

func TestPatternMatchesNothingThatIsNoHostName(t *testing.T) {
	for pattern, refused := range map[string][]string{
		"*.example.com": {
			"[fe80::1%a.example.com]", "[::1%.example.com]", "[fe80::1%eth0.example.com]:443", "fe80::1%a.example.com",
			"a:1.example.com",
			"evil.example/.example.com", "evil.example?.example.com", "evil.example#.example.com",
			"evil.example\\.example.com",
			"user@a.example.com", "a b.example.com", "a\x00.example.com", "a\r\n.example.com", "%2e.example.com",
			"*.example.com",
			"a..example.com", ".example.com", "a.example.com..", "a.example.com:443:443", "a\u2044b.example.com",
			"evil\u3002.example.com",
			"a\u202e.example.com", "a\xff.example.com", "[a.example.com", "a].example.com", "a,b.example.com",
			"a.example.com ",
		},
		"*.0.0.1": {"127.0.0.1", "127.0.0.1.", "[::ffff:127.0.0.1]"},
		// with a dot it is a name, which the DNS is asked for
		"192.0.2.1": {"192.0.2.1.", "[192.0.2.1%x]", "192.0.2.1%x"},
		"fe80::1":   {"[fe80::1%eth0]", "[fe80::1%25eth0]"},
	} {
		for _, host := range refused {
			if hosts.Match([]string{pattern}, &url.URL{Scheme: "https", Host: host}) {
				t.Errorf("%q allows %q", pattern, host)
			}
		}
	}
}

var broken = []string{
	"", "*", "*.", "*.*", "a.*.example", "https://api.example.com", "api.example.com/path", "api.example.com:",
	"api.example.com:0",
	"api.example.com:65536", "api.example.com:http", "api.example.com:080", "user@api.example.com", "a b", " a", "a..b",
	".a", "[::1", "[::1]x", "[::1]:",
	"[a.example]", "[a.example]:1", "*.127.0.0.1", "fe80::1%eth0", "a?b", "a#b", "*.[::1]", "::g", "a\x00b",
}

func TestBrokenPatternIsAnErrorAndAllowsNothing(t *testing.T) {
	for _, pattern := range broken {
		if err := hosts.Validate(pattern); err == nil {
			t.Errorf("Validate(%q) = nil", pattern)
		}
		for _, host := range []string{"a", "b", "a.example", "[::1]", "api.example.com"} {
			if hosts.Match([]string{pattern}, &url.URL{Scheme: "https", Host: host}) {
				t.Errorf("%q allows %s", pattern, host)
			}
		}
	}
}

func TestMatchingDoesNotAllocate(t *testing.T) {
	u := parse(t, "https://api.example.com:8443/v1")
	patterns := []string{"other.example", "*.example.org", "[2001:db8::1]", "api.example.com"}
	if n := testing.AllocsPerRun(100, func() {
		if !hosts.Match(patterns, u) || !hosts.SameOrigin(u, u) {
			t.Fatal("no match")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPattern(f *testing.F) {
	for _, pattern := range broken {
		f.Add(pattern, "api.example.com")
	}
	f.Add("*.example.com", "a.example.com:1")
	f.Fuzz(func(t *testing.T, pattern, host string) {
		u := &url.URL{Scheme: "https", Host: host}
		match := hosts.Match([]string{pattern}, u)
		if match && hosts.Validate(pattern) != nil {
			t.Errorf("the broken pattern %q allows %q", pattern, host)
		}
		if match && !plain(u.Hostname()) {
			t.Errorf("%q allows %q", pattern, host)
		}
	})
}

// plain reports whether a host is an address without a zone, or made of what a name may have.
func plain(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == ""
	}
	return host != "" && strings.IndexFunc(host, func(r rune) bool {
		return r != '.' && r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
	}) < 0
}
